"""Quantiles of classic histograms as series: what is judged of them beside their count.

Of ``took_seconds_bucket{le=…}`` come ``took_seconds{quantile="0.5"}``, ``0.95`` and ``0.99``, by
Prometheus's own formula (``histogram_quantile``), from what was counted since the last point. A
point is made once enough was counted to tell that quantile; so a rare request gives rare points
and not noise, and what is not called gives none.
"""

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import SeriesSamples, is_stale

QUANTILES = (0.5, 0.95, 0.99)
OBSERVATIONS = (20.0, 100.0, 500.0)
"""What must have been counted for a point of each: five beyond it, and ten on each side."""
LONGEST_MS = 900_000
"""What was counted longer ago is not put together with what comes now."""
SUFFIX = "_bucket"
QUANTILE = "quantile"
_LE = "le"


class Histograms:
    """The buckets that were seen, and what was counted in each since the last points."""

    def __init__(self, max_buckets: int) -> None:
        self._max = max_buckets
        self._rows: dict[Labels, int] = {}
        self._of: list[int] = []
        self._numbers: dict[Labels, int] = {}
        self._made: list[list[Labels]] = []
        self._bound = np.empty(0)
        self._last = np.empty(0)
        self._last_ms = np.empty(0, dtype=np.int64)
        self._counted = np.empty((0, len(QUANTILES)))
        self._since_ms = np.empty((0, len(QUANTILES)), dtype=np.int64)
        self._place: NDArray[np.int64] | None = None

    def points(self, samples: SeriesSamples) -> SeriesSamples:
        """Take in samples of ``…_bucket`` series; returns the points that are due, as samples."""
        found = np.flatnonzero(np.diff(samples.offsets))
        rows = np.array([self._row(samples.labels[i]) for i in found.tolist()], dtype=np.int64)
        at = samples.offsets[found + 1] - 1
        good = (rows >= 0) & ~is_stale(samples.values[at])
        rows, at = rows[good], at[good]
        self._count(rows, samples.ts[at], samples.values[at])
        if not len(rows):
            return no_samples()
        histograms = np.unique(np.array(self._of)[rows])
        return self._due(histograms, int(samples.ts[at].max()))

    def forget(self, before_ms: int) -> None:
        """Drop the buckets whose newest sample is older."""
        kept = [labels for labels, row in self._rows.items() if self._last_ms[row] >= before_ms]
        if len(kept) == len(self._rows):
            return
        old = np.array([self._rows[labels] for labels in kept], dtype=np.int64)
        last, last_ms = self._last[old], self._last_ms[old]
        self.__init__(self._max)  # type: ignore[misc]  # what is counted begins anew
        for labels in kept:
            self._row(labels)
        self._last[: len(old)], self._last_ms[: len(old)] = last, last_ms

    def _row(self, labels: Labels) -> int:
        row = self._rows.get(labels)
        return self._add(labels) if row is None else row

    def _add(self, labels: Labels) -> int:
        """The row of a new bucket; -1 where there is no room, or it is none."""
        row = len(self._rows)
        try:
            bound = float(labels.get(_LE, ""))
        except ValueError:
            return -1
        if row >= self._max or QUANTILE in labels:
            return -1
        if row >= len(self._last):
            self._grow(max(256, 2 * row))
        self._rows[labels] = row
        self._of.append(self._number(labels.without(_LE)))
        self._bound[row] = bound
        self._last[row] = np.nan
        self._last_ms[row] = 0
        self._counted[row] = 0.0
        self._place = None
        return row

    def _number(self, histogram: Labels) -> int:
        number = self._numbers.get(histogram)
        if number is None:
            number = self._numbers[histogram] = len(self._numbers)
            name = histogram.name.removesuffix(SUFFIX)
            made = [
                histogram.with_(**{METRIC_NAME: name, QUANTILE: str(each)}) for each in QUANTILES
            ]
            self._made.append(made)
        return number

    def _grow(self, size: int) -> None:
        for name in ("_bound", "_last", "_last_ms", "_counted"):
            old = getattr(self, name)
            grown = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            grown[: len(old)] = old
            setattr(self, name, grown)

    def _count(
        self, rows: NDArray[np.int64], ms: NDArray[np.int64], values: NDArray[np.float64]
    ) -> None:
        last = self._last[rows]
        # A counter that is smaller than before has started again at 0.
        more = np.where(values < last, values, values - last)
        self._counted[rows] += np.nan_to_num(more)[:, np.newaxis]
        self._last[rows], self._last_ms[rows] = values, ms

    def _places(self) -> NDArray[np.int64]:
        """Which rows are the buckets of each histogram, by their bounds; -1 beyond the last."""
        if self._place is None:
            of = np.array(self._of)
            order = np.lexsort((self._bound[: len(of)], of))
            count = np.bincount(of)
            first = np.concatenate([[0], np.cumsum(count)[:-1]])
            self._place = np.full((len(count), int(count.max())), -1, dtype=np.int64)
            self._place[of[order], np.arange(len(of)) - first[of[order]]] = order
            since = np.zeros((len(count), len(QUANTILES)), dtype=np.int64)
            since[: len(self._since_ms)] = self._since_ms
            self._since_ms = since
        return self._place

    def _due(self, histograms: NDArray[np.int64], at_ms: int) -> SeriesSamples:
        place = self._places()[histograms]
        there = place >= 0
        bounds = np.where(there, self._bound[place], np.inf)
        labels: list[Labels] = []
        values: list[float] = []
        for i, (quantile, least) in enumerate(zip(QUANTILES, OBSERVATIONS, strict=True)):
            # Beyond the last bucket stands its count again, which changes nothing.
            counts = np.maximum.accumulate(np.where(there, self._counted[place, i], 0.0), axis=1)
            since = self._since_ms[histograms, i]
            due = counts[:, -1] >= least
            found = quantiles(quantile, bounds[due], counts[due])
            known = ~np.isnan(found)
            values += found[known].tolist()
            labels += [self._made[h][i] for h in histograms[due][known].tolist()]
            fresh = due | (at_ms - since > LONGEST_MS)
            self._counted[place[fresh][there[fresh]], i] = 0.0
            self._since_ms[histograms[fresh], i] = at_ms
        size = len(labels)
        return SeriesSamples(
            labels, np.arange(size + 1), np.full(size, at_ms, dtype=np.int64), np.array(values)
        )


def quantiles(
    quantile: float, bounds: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The quantile of each histogram ``[histograms]``, as PromQL's ``histogram_quantile``.

    ``bounds``: upper bounds ``[histograms, buckets]``, rising, the last infinite; ``counts``: how
    many were counted up to each. NaN where there is only one bucket, none is infinite, or nothing
    was counted.
    """
    if not bounds.shape[0]:
        return np.empty(0)
    at = np.arange(len(bounds))
    finite = np.isfinite(bounds).sum(axis=1)
    total = counts[:, -1]
    rank = quantile * total
    first = (counts >= rank[:, np.newaxis]).argmax(axis=1)
    beyond = first >= finite
    first = np.minimum(first, np.maximum(finite - 1, 0))
    before = np.maximum(first - 1, 0)
    upper = bounds[at, first]
    lower = np.where(first > 0, bounds[at, before], 0.0)
    below = np.where(first > 0, counts[at, before], 0.0)
    inside = counts[at, first] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        found = lower + (upper - lower) * (rank - below) / inside
    found = np.where((first == 0) & (upper <= 0), upper, found)
    found = np.where(beyond, upper, found)
    unknown = (finite < 1) | np.isfinite(bounds[:, -1]) | ~(total > 0)
    return np.where(unknown, np.nan, found)


def together(one: SeriesSamples, other: SeriesSamples) -> SeriesSamples:
    """The series of both, which have none in common."""
    if not len(other):
        return one
    return SeriesSamples(
        [*one.labels, *other.labels],
        np.concatenate([one.offsets, one.offsets[-1] + other.offsets[1:]]),
        np.concatenate([one.ts, other.ts]),
        np.concatenate([one.values, other.values]),
    )


def is_quantile(labels: Labels) -> bool:
    """Whether a series may be one of those made here, whose points come by what is counted."""
    return QUANTILE in labels


def no_samples() -> SeriesSamples:
    """Of no series."""
    return SeriesSamples([], np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
