"""Runs backtests of detection: reads the history, has a process judge it, tells how far it is."""

import asyncio
import math
import multiprocessing
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from pynomaly.detection.algorithms.registry import DETECTORS
from pynomaly.detection.backtest.work import JUDGE, Document, Work, work_in_process
from pynomaly.detection.excluded import Happenings, excluded_of_all
from pynomaly.detection.watched.history import History, local_times, read_history
from pynomaly.detection.watched.worker import begin
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Querier

MOST_SERIES = 200
MOST_POINTS = 5_000_000
"""40 MB, and on one core some 20 to 60 s by the judge."""
_AT_ONCE = 2
_LOOK_SECONDS = 0.1
_TELL_SECONDS = 0.5
_READ_SHARE = 0.1

_RUNNING = Gauge(
    "pynomaly_detection_backtests_running", "Backtests of detection under way.", registry=REGISTRY
)
_BACKTESTS = Counter(
    "pynomaly_detection_backtests",
    "Backtests of detection that ended, by outcome: ok, error, or canceled.",
    ["outcome"],
    registry=REGISTRY,
)
_SECONDS = Histogram(
    "pynomaly_detection_backtest_duration_seconds",
    "How long backtests of detection took.",
    buckets=(0.5, 1, 5, 15, 60, 300, 900),
    registry=REGISTRY,
)


class TooManyBacktests(PynomalyError):
    """As many are under way as may be at once."""

    status = 429
    kind = "too_many"


class BacktestFailed(PynomalyError):
    """The process that judged ended before it was done."""


class BacktestRefused(PynomalyError):
    """The process says what is wrong, with the status and kind that it has there."""

    def __init__(self, status: int, kind: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status, self.kind = status, kind


class NothingStored(PynomalyError):
    """The expression has no samples in the range."""

    status = 422
    kind = "execution"


@dataclass(frozen=True, slots=True)
class Request:
    """What to judge: an expression over ``[start, end]`` (epoch seconds), a point every ``step``
    seconds, by ``judge`` and trained algorithms, which learn from the ``learn`` seconds before.
    """

    query: str
    start: float
    end: float
    step: float
    learn: float
    algorithms: tuple[str, ...] = (JUDGE,)
    timezone: str = "UTC"


class DetectionBacktests:
    """Runs them, a few at a time, each in a process that ends with it."""

    def __init__(self, querier: Querier, calendar: Happenings | None = None) -> None:
        self._querier = querier
        self._calendar = calendar
        self._running = 0

    async def run(
        self, request: Request, progress: Callable[[float], None] = lambda share: None
    ) -> Document:
        """Run one; see ``work.run`` for the document. Cancelling the awaiting task ends it.

        Raises:
            BadInput: the request cannot be met: which part, and why.
            NothingStored: no sample is in the range.
            TooManyBacktests: try again later.
            BacktestFailed, BacktestRefused: the process that judged was killed, or says why.
            ParseError, QueryError, QueryTimeout, PeerAway: the history cannot be read.
        """
        zone = _checked(request)
        if self._running >= _AT_ONCE:
            raise TooManyBacktests(
                f"{self._running} backtests are under way, which is the limit.",
                hint="Try again when one has ended.",
            )
        self._running += 1
        outcome = "error"
        began = time.perf_counter()
        try:
            with _RUNNING.track_inprogress(), _SECONDS.time():
                found = await self._run(request, zone, progress)
            outcome = "ok"
            return {"query": request.query, "took": time.perf_counter() - began, **found}
        except asyncio.CancelledError:
            outcome = "canceled"
            raise
        finally:
            self._running -= 1
            _BACKTESTS.labels(outcome).inc()

    async def told(self, request: Request) -> AsyncGenerator[dict[str, Any], None]:
        """Run one and give ``{"progress": 0.25}``, …, and last ``{"result": …}``.

        Closing the iterator ends the backtest.

        Raises:
            PynomalyError: as ``run``.
        """
        done = 0.0

        def tell(share: float) -> None:
            nonlocal done
            done = share

        task = asyncio.create_task(self.run(request, tell))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_TELL_SECONDS)
                if not task.done():
                    yield {"progress": round(done, 3)}
            yield {"result": task.result()}
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(
        self, request: Request, zone: ZoneInfo, progress: Callable[[float], None]
    ) -> Document:
        step = round(request.step)
        start = math.floor(request.start / step) * step
        learn = math.floor(request.learn / step) * step
        history = await read_history(
            self._querier, request.query, start - learn, math.floor(request.end), step
        )
        first = learn // step
        _check_size(request, history, first)
        progress(_READ_SHARE)
        work = Work(
            request.algorithms,
            [dict(each.items()) for each in history.labels],
            history.matrix,
            history.seconds,
            local_times(history.seconds, zone),
            first,
            excluded_of_all(self._calendar, history.labels, history.seconds),
        )
        return await _in_process(
            work, lambda share: progress(_READ_SHARE + (1 - _READ_SHARE) * share)
        )


async def _in_process(work: Work, progress: Callable[[float], None]) -> Document:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_in_worker, args=(work, theirs), daemon=True)
    await asyncio.to_thread(process.start)
    theirs.close()
    try:
        while True:
            message = await asyncio.to_thread(_next, ours)
            if message is None:
                continue
            kind, value = message
            if kind == "done":
                return dict(value)
            if kind == "error":
                raise BacktestRefused(*value)
            progress(value)
    except EOFError as error:
        raise BacktestFailed(
            "The process that judged was killed.",
            hint="Was it out of memory? Take fewer series or a longer step.",
        ) from error
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)
        ours.close()


def _in_worker(work: Work, told: Connection) -> None:
    begin()
    work_in_process(work, told)


def _next(pipe: Connection) -> Any:
    """What the process says next; None when it says nothing for a while."""
    return pipe.recv() if pipe.poll(_LOOK_SECONDS) else None


def _checked(request: Request) -> ZoneInfo:
    if not request.start < request.end:
        raise BadInput("the range ends before it begins")
    if request.step < 1 or request.learn < 0:
        raise BadInput(f"step is {request.step:g} s and learn {request.learn:g} s; from 1 s and 0")
    known = (JUDGE, *DETECTORS)
    strange = next((each for each in request.algorithms if each not in known), None)
    if strange is not None or not request.algorithms:
        raise BadInput(f"there is no algorithm {strange!r}; there are {', '.join(known)}")
    try:
        return ZoneInfo(request.timezone)
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"{request.timezone} is no time zone", hint="Write it like Europe/Berlin."
        ) from error


def _check_size(request: Request, history: History, first: int) -> None:
    series = len(history.labels)
    if not series or np.isnan(history.matrix[:, first:]).all():
        raise NothingStored(
            f"{request.query} has no samples in that time.", hint="Take another range."
        )
    if series > MOST_SERIES or history.matrix.size > MOST_POINTS:
        raise BadInput(
            f"{request.query} has {series:,} series with {history.matrix.size:,} points; "
            f"the most are {MOST_SERIES} series and {MOST_POINTS:,} points",
            hint="Take fewer series, a shorter range or a longer step.",
        )
