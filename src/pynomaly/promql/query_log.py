"""Which queries run now, and which ran: how long each took and how much it read."""

import itertools
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.promql.contract import QueryError
from pynomaly.promql.state import QueryState

log = logging.getLogger(__name__)

_KEPT = 200
_SHOWN_CHARACTERS = 2_000


class TooManyQueries(QueryError):
    """So many queries wait already that another one would not be answered in time."""

    status = 503
    kind = "unavailable"


@dataclass(slots=True)
class QueryRecord:
    """One query. Times are epoch seconds and seconds; ``error`` is empty when it was answered."""

    id: int
    kind: str
    expr: str
    start_ms: int
    end_ms: int
    step_ms: int
    began: float
    seconds: float = 0.0
    samples_read: int = 0
    error: str = ""


class QueryLog:
    """Follows queries. For the event loop only.

    ``slow_seconds``: what takes longer is a line in the server's log. ``most``: so many run and
    wait at once, a further one is refused.
    """

    def __init__(self, clock: Clock, *, slow_seconds: float, most: int) -> None:
        self._clock = clock
        self._slow_seconds = slow_seconds
        self._most = most
        self._ids = itertools.count(1)
        self._active: dict[int, tuple[QueryRecord, float, QueryState]] = {}
        self._recent: deque[QueryRecord] = deque(maxlen=_KEPT)

    @contextmanager
    def following(self, kind: str, expr: str, state: QueryState) -> Iterator[None]:
        """Follow a query while the block runs.

        Raises:
            TooManyQueries: as many as are allowed run and wait already.
        """
        if len(self._active) >= self._most:
            raise TooManyQueries(
                f"{len(self._active)} queries run and wait already",
                hint="Try again in a moment, or raise query.max_queries.",
            )
        grid = state.grid
        number, began = next(self._ids), time.perf_counter()
        record = QueryRecord(
            number,
            kind,
            expr[:_SHOWN_CHARACTERS],
            grid.start,
            state.end,
            grid.step if kind == "range" else 0,
            self._clock.now(),
        )
        self._active[number] = (record, began, state)
        try:
            yield
        except PynomalyError as error:
            record.error = error.message
            raise
        except BaseException as error:
            record.error = type(error).__name__
            raise
        finally:
            del self._active[number]
            _measure(record, began, state)
            self._recent.appendleft(record)
            if record.seconds > self._slow_seconds:
                log.warning("a query took %.1f s: %s", record.seconds, record.expr)

    def active(self) -> list[QueryRecord]:
        """Those that run now, the oldest first."""
        for record, began, state in self._active.values():
            _measure(record, began, state)
        return [record for record, _, _ in self._active.values()]

    def recent(self) -> list[QueryRecord]:
        """The last ones that ended, the newest first."""
        return list(self._recent)


def _measure(record: QueryRecord, began: float, state: QueryState) -> None:
    record.seconds = time.perf_counter() - began
    record.samples_read = state.samples_read
