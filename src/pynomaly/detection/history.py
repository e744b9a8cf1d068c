"""The last points of every series that is judged, as a matrix that is kept up to date.

One point per series and interval: the last sample in it; of a counter, its rate since the point
before. So nothing is read twice.
"""

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples, is_stale

_COUNTERS = ("_total", "_count")
_FIRST_ROWS = 256


def is_counter(metric: str) -> bool:
    """Whether a metric counts up, by its name, as all exposition formats want it."""
    return metric.endswith(_COUNTERS)


class History:
    """Ring buffers ``[series, window]``, oldest first, NaN where there is no point yet."""

    def __init__(self, window: int, max_series: int) -> None:
        self.labels: list[Labels] = []
        self.left_out = 0
        """How many series of the last ``points`` call were beyond ``max_series``."""
        self._window = window
        self._max = max_series
        self._rows: dict[Labels, int] = {}
        first = _blank(_FIRST_ROWS, window)
        self._values, self._counter, self._last_value, self._last_ms = first

    def __len__(self) -> int:
        return len(self.labels)

    def matrix(self, rows: NDArray[np.int64]) -> FloatMatrix:
        """The points of these rows, float64 ``[rows, window]``, a copy."""
        found: FloatMatrix = self._values[rows]
        return found

    def points(self, samples: SeriesSamples) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The new point of each series that has one: rows, and values.

        A series whose newest sample is not newer than its last point, or is a staleness marker,
        has none; nor has a counter at its first sample.
        """
        found, at = self._newest(samples)
        rows = self._rows_of([samples.labels[i] for i in found.tolist()])
        found, at, rows = found[rows >= 0], at[rows >= 0], rows[rows >= 0]
        ms, raw = samples.ts[at], samples.values[at]
        fresh = (ms > self._last_ms[rows]) & ~is_stale(raw)
        rows, ms, raw = rows[fresh], ms[fresh], raw[fresh]
        values = np.where(self._counter[rows], self._rates(rows, ms, raw), raw)
        self._last_value[rows], self._last_ms[rows] = raw, ms
        there = ~np.isnan(values)
        return rows[there], values[there]

    def push(self, rows: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Append one point to each of these rows."""
        shifted = self._values[rows]
        shifted[:, :-1] = shifted[:, 1:]
        shifted[:, -1] = values
        self._values[rows] = shifted

    def forget(self, before_ms: int) -> bool:
        """Drop the series whose newest sample is older; returns whether there were any."""
        kept = np.flatnonzero(self._last_ms[: len(self.labels)] >= before_ms)
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
        last = self._last_value[rows]
        # A counter that is smaller than before has started again at 0.
        increase = np.where(raw < last, raw, raw - last)
        return increase / ((ms - self._last_ms[rows]) / 1000)

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
        if row >= len(self._values):
            self._resize(np.arange(row), min(2 * row, self._max))
        self.labels.append(labels)
        self._rows[labels] = row
        self._counter[row] = is_counter(labels.name)
        return row

    def _resize(self, rows: NDArray[np.int64], size: int) -> None:
        """Keep these rows, in this order, with room for ``size``."""
        values, counter, last_value, last_ms = _blank(size, self._window)
        for new, old in (
            (values, self._values),
            (counter, self._counter),
            (last_value, self._last_value),
            (last_ms, self._last_ms),
        ):
            new[: len(rows)] = old[rows]
        self._values, self._counter = values, counter
        self._last_value, self._last_ms = last_value, last_ms


def _blank(
    size: int, window: int
) -> tuple[FloatMatrix, NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]:
    return (
        np.full((size, window), np.nan),
        np.zeros(size, dtype=np.bool_),
        np.full(size, np.nan),
        np.zeros(size, dtype=np.int64),
    )


def between(samples: SeriesSamples, since_ms: int, until_ms: int) -> SeriesSamples:
    """Only the samples with ``since_ms < ts <= until_ms``; series without any stay, empty."""
    wanted = (samples.ts > since_ms) & (samples.ts <= until_ms)
    before = np.concatenate([[0], np.cumsum(wanted)])
    offsets = before[samples.offsets]
    return SeriesSamples(samples.labels, offsets, samples.ts[wanted], samples.values[wanted])
