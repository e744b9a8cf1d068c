"""Quantiles and fractions of classic histograms: series with the label ``le``."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.contract import Matrix
from pynomaly.promql.matrices import merged, without_empty, without_name
from pynomaly.promql.state import QueryState

_BUCKET = "le"
_SMALL_DELTA = 1e-12
"""Relative differences between buckets up to this are rounding errors (Prometheus)."""
_MIN_NORMAL = np.finfo(np.float64).tiny

Pairs = tuple[tuple[str, str], ...]
Compute = Callable[[ValueArray, ValueArray, NDArray[np.int64]], ValueArray]
"""From counts ``[cells, buckets]``, upper bounds ``[buckets]`` and each cell's step to values."""


def histogram_quantile(state: QueryState, q: ValueArray, matrix: Matrix) -> Matrix:
    """The ``q``-quantile (``[steps]``) of each histogram, as Prometheus's ``BucketQuantile``."""
    if ((q < 0) | (q > 1) | np.isnan(q)).any():
        state.warn_of_quantile(float(q[(q < 0) | (q > 1) | np.isnan(q)][0]))

    def compute(counts: ValueArray, bounds: ValueArray, steps: NDArray[np.int64]) -> ValueArray:
        return _quantile(state, q[steps], bounds, counts)

    return _each_histogram(state, matrix, compute)


def histogram_fraction(
    state: QueryState, lower: ValueArray, upper: ValueArray, matrix: Matrix
) -> Matrix:
    """The share of observations between two values (``[steps]``), as ``BucketFraction``."""

    def compute(counts: ValueArray, bounds: ValueArray, steps: NDArray[np.int64]) -> ValueArray:
        return _fraction(lower[steps], upper[steps], bounds, counts)

    return _each_histogram(state, matrix, compute)


def _each_histogram(state: QueryState, matrix: Matrix, compute: Compute) -> Matrix:
    if not len(matrix):
        return matrix
    labels, members, bounds = _histograms(state, matrix.labels)
    values = np.zeros((len(labels), len(matrix.timestamps)))
    present = np.zeros(values.shape, dtype=np.bool_)
    for edges, groups, rows in _same_buckets(members, bounds):
        state.check()
        _fill(matrix, edges, groups, rows, compute, values, present)
    return without_empty(merged(Matrix(labels, matrix.timestamps, values, present)))


def _histograms(
    state: QueryState, labels: list[Labels]
) -> tuple[list[Labels], list[list[int]], list[list[float]]]:
    """The label set of each histogram, the rows of its buckets, and their upper bounds."""
    found: dict[Pairs, int] = {}
    members: list[list[int]] = []
    bounds: list[list[float]] = []
    for row, each in enumerate(labels):
        bound = _upper_bound(each.get(_BUCKET, ""))
        if bound is None:
            state.warn(
                f'bucket label "{_BUCKET}" is missing or has a malformed value of '
                f'"{each.get(_BUCKET, "")}"'
                + (f' for metric name "{each.name}"' if each.name else "")
            )
            continue
        key = tuple([p for p in each.pairs if p[0] != _BUCKET])
        group = found.setdefault(key, len(found))
        if group == len(members):
            members.append([])
            bounds.append([])
        members[group].append(row)
        bounds[group].append(bound)
    return [without_name(Labels.from_sorted(key)) for key in found], members, bounds


def _upper_bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _same_buckets(
    members: list[list[int]], bounds: list[list[float]]
) -> Iterator[tuple[ValueArray, NDArray[np.int64], NDArray[np.int64]]]:
    """Upper bounds in order, the histograms that have them, and the rows of their buckets."""
    alike: dict[tuple[float, ...], tuple[list[int], list[list[int]]]] = {}
    for group, (rows, edges) in enumerate(zip(members, bounds, strict=True)):
        pairs = sorted(zip(edges, rows, strict=True))
        groups, ordered = alike.setdefault(tuple(edge for edge, _ in pairs), ([], []))
        groups.append(group)
        ordered.append([row for _, row in pairs])
    for key, (groups, ordered) in alike.items():
        yield np.array(key), np.array(groups), np.array(ordered)


def _fill(
    matrix: Matrix,
    edges: ValueArray,
    groups: NDArray[np.int64],
    rows: NDArray[np.int64],
    compute: Compute,
    values: ValueArray,
    present: BoolArray,
) -> None:
    """Compute histograms of the same buckets; cells that lack some go by what they have."""
    steps = matrix.values.shape[1]
    counts = np.moveaxis(matrix.values[rows], 1, 2).reshape(-1, len(edges))
    has = np.moveaxis(matrix.present[rows], 1, 2).reshape(-1, len(edges))
    result = np.zeros(len(counts))
    for pattern, cells in _patterns(has):
        result[cells] = compute(counts[cells][:, pattern], edges[pattern], cells % steps)
    values[groups] = result.reshape(len(groups), steps)
    present[groups] = has.any(axis=1).reshape(len(groups), steps)


def _patterns(has: BoolArray) -> Iterator[tuple[BoolArray, NDArray[np.int64]]]:
    """Each set of buckets that some cells have, and those cells."""
    if has.all():
        yield np.ones(has.shape[1], dtype=np.bool_), np.arange(len(has))
        return
    distinct, which = np.unique(has, axis=0, return_inverse=True)
    for i, pattern in enumerate(distinct):
        if pattern.any():
            yield pattern, np.flatnonzero(which.reshape(-1) == i)


def _coalesced(bounds: ValueArray, counts: ValueArray) -> tuple[ValueArray, ValueArray]:
    """Buckets of the same upper bound (``le="1"``, ``le="1.0"``) added up."""
    distinct, starts = np.unique(bounds, return_index=True)
    if len(distinct) == len(bounds):
        return bounds, counts
    return distinct, np.add.reduceat(counts, starts, axis=1)


def _monotonic(state: QueryState, counts: ValueArray) -> ValueArray:
    """Counts that do not fall from bucket to bucket; tiny differences are evened out."""
    if (counts[:, 1:] > counts[:, :-1] * (1 + 4 * _SMALL_DELTA)).all():
        return counts
    result = counts.copy()
    before = result[:, 0]
    for i in range(1, counts.shape[1]):
        now = counts[:, i]
        alike = _almost_equal(before, now)
        falls = (now < before) & ~alike
        if falls.any():
            state.inform(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://"
                "prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            )
        before = np.where(alike | falls, before, now)
        result[:, i] = before
    return result


def _almost_equal(a: ValueArray, b: ValueArray) -> BoolArray:
    """Prometheus's ``almost.Equal`` with the tolerance for buckets."""
    size = np.abs(a) + np.abs(b)
    apart = np.abs(a - b)
    tiny = (a == 0) | (b == 0) | (size < _MIN_NORMAL)
    relative = apart / np.minimum(size, np.finfo(np.float64).max) < _SMALL_DELTA
    near = np.where(tiny, apart < _SMALL_DELTA * _MIN_NORMAL, relative)
    equal: BoolArray = (a == b) | (np.isnan(a) & np.isnan(b)) | near
    return equal


def _quantile(
    state: QueryState, q: ValueArray, bounds: ValueArray, counts: ValueArray
) -> ValueArray:
    """Linear interpolation within the bucket that holds the rank."""
    special = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, np.nan))
    bounds, counts = _coalesced(bounds, counts)
    if len(bounds) < 2 or bounds[-1] != np.inf:
        return special
    counts = _monotonic(state, counts)
    last = len(bounds) - 1
    rank = q * counts[:, -1]
    reached = counts[:, :-1] >= rank[:, None]
    bucket = np.where(reached.any(axis=1), reached.argmax(axis=1), last)
    cell = np.arange(len(counts))
    below = np.maximum(bucket - 1, 0)
    start = np.where(bucket > 0, bounds[below], 0.0)
    count_below = np.where(bucket > 0, counts[cell, below], 0.0)
    share = (rank - count_below) / (counts[cell, bucket] - count_below)
    value = start + (bounds[bucket] - start) * share
    value = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], value)
    value = np.where(bucket == last, bounds[last - 1], value)
    usable = (q >= 0) & (q <= 1) & (counts[:, -1] != 0)
    return np.where(usable, value, special)


def _fraction(
    lower: ValueArray, upper: ValueArray, bounds: ValueArray, counts: ValueArray
) -> ValueArray:
    bounds, counts = _coalesced(bounds, counts)
    total = counts[:, -1]
    if bounds[-1] != np.inf:
        return np.full(len(counts), np.nan)
    share = (_rank(upper, bounds, counts) - _rank(lower, bounds, counts)) / total
    share = np.where(lower >= upper, 0.0, share)
    return np.where((total == 0) | np.isnan(lower) | np.isnan(upper), np.nan, share)


def _rank(value: ValueArray, bounds: ValueArray, counts: ValueArray) -> ValueArray:
    """How many observations are below a value, interpolated within its bucket."""
    edges = np.concatenate(([0.0 if bounds[0] > 0 else -np.inf], bounds))
    totals = np.concatenate((np.zeros((len(counts), 1)), counts), axis=1)
    bucket = np.searchsorted(edges, value, side="right") - 1
    bucket = np.clip(bucket, 0, len(bounds) - 1)
    cell = np.arange(len(counts))
    low, high = totals[cell, bucket], totals[cell, bucket + 1]
    start, width = edges[bucket], edges[bucket + 1] - edges[bucket]
    inside = low + (high - low) * (value - start) / width
    inside = np.where(np.isneginf(start), high, inside)
    at_edge = np.where(value <= start, low, inside)
    return np.where(value >= np.inf, totals[:, -1], np.minimum(at_edge, totals[:, -1]))
