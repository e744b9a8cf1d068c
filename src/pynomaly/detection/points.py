"""The newest point of every series that is judged: its value, or of a counter its rate.

One point per series and interval: the last sample in it; of a counter, its rate since the point
before. So nothing is read twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.gaps.arrivals import Arrivals, arrivals
from pynomaly.detection.streaming.columns import Column, Columns, Rows
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples, is_stale

_COUNTERS = ("_total", "_count")
_FIRST_ROWS = 256


def is_counter(metric: str) -> bool:
    """Whether a metric counts up, by its name, as all exposition formats want it."""
    return metric.endswith(_COUNTERS)


@dataclass(slots=True)
class LastSamples(Columns):
    """The newest sample of each series; ``ms`` is 0 before the first."""

    value: NDArray[np.float64]
    ms: NDArray[np.int64]
    counter: NDArray[np.bool_]

    SPEC: ClassVar = {
        "value": Column(dtype=np.float64, first=np.nan),
        "ms": Column(dtype=np.int64),
        "counter": Column(dtype=np.bool_),
    }


class Points:
    """Which series there are, by row, and the next point of each.

    ``resized`` is told of every change of the rows: those that are kept, in their order, and how
    many there is room for.
    """

    def __init__(self, max_series: int, resized: Callable[[Rows, int], None]) -> None:
        self.labels: list[Labels] = []
        self.last = LastSamples.blank(_FIRST_ROWS)
        self.left_out = 0
        """How many series of the last ``next_points`` call were beyond ``max_series``."""
        self.arrived: Arrivals
        """What came of each series in the last ``next_points`` call."""
        self._max = max_series
        self._resized = resized
        self._rows: dict[Labels, int] = {}
        resized(np.arange(0), _FIRST_ROWS)

    def __len__(self) -> int:
        return len(self.labels)

    def row_of(self, labels: Labels) -> int | None:
        """The row of a series; None when it is not judged."""
        return self._rows.get(labels)

    def restore(self, labels: list[Labels], last: LastSamples) -> None:
        """Take up where another process was; the rows are its own."""
        self.labels = labels
        self._rows = {each: row for row, each in enumerate(labels)}
        self.last = last

    def next_points(
        self, samples: SeriesSamples
    ) -> tuple[Rows, NDArray[np.int64], NDArray[np.float64]]:
        """The new point of each series that has one: rows (rising), milliseconds, values.

        A series whose newest sample is not newer than its last point, or is a staleness marker,
        has none; nor has a counter at its first sample.
        """
        found, at = self._newest(samples)
        rows = self._rows_of([samples.labels[i] for i in found.tolist()])
        self.arrived = arrivals(samples, found, rows)
        at, rows = at[rows >= 0], rows[rows >= 0]
        order = np.argsort(rows)
        at, rows = at[order], rows[order]
        ms, raw = samples.ts[at], samples.values[at]
        fresh = (ms > self.last.ms[rows]) & ~is_stale(raw)
        rows, ms, raw = rows[fresh], ms[fresh], raw[fresh]
        values = np.where(self.last.counter[rows], self._rates(rows, ms, raw), raw)
        self.last.value[rows], self.last.ms[rows] = raw, ms
        there = ~np.isnan(values)
        return rows[there], ms[there], values[there]

    def forget(self, before_ms: int) -> bool:
        """Drop the series whose newest sample is older; returns whether there were any."""
        kept = np.flatnonzero(self.last.ms[: len(self.labels)] >= before_ms)
        if len(kept) == len(self.labels):
            return False
        self.labels = [self.labels[i] for i in kept.tolist()]
        self._rows = {labels: row for row, labels in enumerate(self.labels)}
        self._resize(kept, max(_FIRST_ROWS, len(kept)))
        return True

    @staticmethod
    def _newest(samples: SeriesSamples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found = np.flatnonzero(np.diff(samples.offsets))
        return found, samples.offsets[found + 1] - 1

    def _rates(
        self, rows: NDArray[np.int64], ms: NDArray[np.int64], raw: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        last = self.last.value[rows]
        # A counter that is smaller than before has started again at 0.
        increase = np.where(raw < last, raw, raw - last)
        return increase / ((ms - self.last.ms[rows]) / 1000)

    def _rows_of(self, labels: list[Labels]) -> NDArray[np.int64]:
        """The row of each, -1 for those that there is no room for."""
        self.left_out = 0
        rows = np.empty(len(labels), dtype=np.int64)
        for i, each in enumerate(labels):
            row = self._rows.get(each)
            rows[i] = self._add(each) if row is None else row
        return rows

    def _add(self, labels: Labels) -> int:
        row = len(self.labels)
        if row >= self._max:
            self.left_out += 1
            return -1
        if row >= len(self.last.ms):
            self._resize(np.arange(row), min(2 * row, self._max))
        self.labels.append(labels)
        self._rows[labels] = row
        self.last.counter[row] = is_counter(labels.name)
        return row

    def _resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, with room for ``size``."""
        self.last = self.last.resized(rows, size)
        self._resized(rows, size)


def between(samples: SeriesSamples, since_ms: int, until_ms: int) -> SeriesSamples:
    """Only the samples with ``since_ms < ts <= until_ms``; series without any stay, empty."""
    wanted = (samples.ts > since_ms) & (samples.ts <= until_ms)
    before = np.concatenate([[0], np.cumsum(wanted)])
    offsets = before[samples.offsets]
    return SeriesSamples(samples.labels, offsets, samples.ts[wanted], samples.values[wanted])
