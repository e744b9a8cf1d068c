"""What one running query carries: its grid, its limits, its notes, and whether to go on."""

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import SeriesSamples, TimeArray
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import QueryError, QueryTimeout
from pynomaly.storage.samples.contract import SampleSelector

INF = float("inf")


class QueryCanceled(QueryError):
    """Whoever asked has gone away."""

    status = 503
    kind = "canceled"


@dataclass(frozen=True)
class Grid:
    """The steps of an evaluation: ``count`` times from ``start``, ``step`` apart (ms)."""

    start: int
    step: int
    count: int

    @classmethod
    def between(cls, start: int, end: int, step: int) -> "Grid":
        """The steps from ``start`` that are not after ``end``; none if it is before."""
        return cls(start, step, max((end - start) // step + 1, 0))

    @cached_property
    def times(self) -> TimeArray:
        """int64 ``[count]``, milliseconds."""
        return self.start + self.step * np.arange(self.count, dtype=np.int64)

    @property
    def end(self) -> int:
        """The last step."""
        return self.start + self.step * (self.count - 1)

    def shifted(self, by_ms: int) -> "Grid":
        """The same steps, later."""
        return replace(self, start=self.start + by_ms)

    def first(self) -> "Grid":
        """The first step alone."""
        return replace(self, count=1)


@dataclass
class QueryState:
    """One query while it runs. ``deadline`` is on the monotonic clock, seconds."""

    reader: SampleSelector
    settings: QuerySettings
    grid: Grid
    end_ms: int | None = None
    """The end that was asked for; the last step may be before it."""
    query_id: str = ""
    deadline: float = INF
    warnings: dict[str, None] = field(default_factory=dict)
    infos: dict[str, None] = field(default_factory=dict)
    samples_read: int = 0
    reading: str = ""
    held: int = 0
    _canceled: threading.Event = field(default_factory=threading.Event)
    _selects: int = 0

    @property
    def end(self) -> int:
        """What ``@ end()`` means."""
        return self.grid.end if self.end_ms is None else self.end_ms

    def cancel(self) -> None:
        """Make the next ``check`` raise; safe from any thread."""
        self._canceled.set()

    def check(self) -> None:
        """Raise when the query was cancelled or has taken too long. Cheap: call it often."""
        if self._canceled.is_set():
            raise QueryCanceled("query was canceled in expression evaluation")
        if time.monotonic() > self.deadline:
            raise QueryTimeout("query timed out in expression evaluation")

    def charge(self, points: int) -> None:
        """Count points that are about to be held in memory.

        Raises:
            QueryError: the query would hold more than the settings allow.
        """
        self.held += points
        if self.held > self.settings.max_samples:
            raise QueryError(
                "query processing would load too many samples into memory in query execution",
                hint=f"The limit is {self.settings.max_samples} points at once; "
                "ask for fewer series, a shorter range or a longer step.",
            )

    def release(self, to: int) -> None:
        """Forget what was charged beyond ``to`` points."""
        self.held = min(self.held, to)

    def warn(self, text: str) -> None:
        """Note a warning once."""
        self.warnings.setdefault(f"PromQL warning: {text}")

    def warn_of_quantile(self, value: float) -> None:
        """Note that a quantile is not one."""
        shown = "NaN" if value != value else f"{value:+g}" if abs(value) == INF else f"{value:g}"
        self.warn(f"quantile value should be between 0 and 1, got {shown.replace('inf', 'Inf')}")

    def inform(self, text: str) -> None:
        """Note an information once."""
        self.infos.setdefault(f"PromQL info: {text}")

    def select(
        self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int
    ) -> Generator[SeriesSamples, None, None]:
        """Read samples chunk by chunk, counted, stopping when the query must.

        Close it: that ends a read of the engine at once, not when memory is collected.
        """
        if end_ms < start_ms:
            return
        self._selects += 1
        self.reading = f"{self.query_id}-{self._selects}" if self.query_id else ""
        chunks = self.reader.select(
            matchers,
            start_ms,
            end_ms,
            chunk_samples=self.settings.chunk_samples,
            query_id=self.reading,
        )
        try:
            for chunk in chunks:
                self.check()
                self.samples_read += len(chunk.ts)
                yield chunk
        finally:
            self.reading = ""
            if isinstance(chunks, Generator):
                chunks.close()
