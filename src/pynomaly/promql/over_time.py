"""The ``…_over_time`` functions: one number for the samples of each window."""

from collections.abc import Callable, Iterator

import numpy as np

from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.folds import Floats, Rows, extremes, fold, means, merge_moments, sums
from pynomaly.promql.windows import Windows

Folded = tuple[ValueArray, BoolArray]
"""Values and presence, ``[series, steps]``."""

_GATHERED_AT_ONCE = 1 << 17
"""Samples copied at a time where windows must be sorted."""


def _where_present(w: Windows, compute: Callable[[Rows, Rows], Floats]) -> Folded:
    present = w.right > w.left
    values = np.zeros(present.shape)
    if present.any():
        values[present] = compute(w.left[present], w.right[present])
    return values, present


def sum_over_time(w: Windows) -> Folded:
    """The sum of the samples."""
    return _where_present(w, lambda left, right: sums(w.values, left, right))


def avg_over_time(w: Windows) -> Folded:
    """The mean of the samples."""
    return _where_present(
        w, lambda left, right: means(w.values, left, right, (right - left).astype(np.float64))
    )


def count_over_time(w: Windows) -> Folded:
    """How many samples there are."""
    return w.counts.astype(np.float64), w.right > w.left


def present_over_time(w: Windows) -> Folded:
    """1 where there is any sample."""
    present = w.right > w.left
    return np.ones(present.shape), present


def last_over_time(w: Windows) -> Folded:
    """The latest sample."""
    return _where_present(w, lambda _, right: w.values[right - 1])


def first_over_time(w: Windows) -> Folded:
    """The earliest sample."""
    return _where_present(w, lambda left, _: w.values[left])


def ts_of_first_over_time(w: Windows) -> Folded:
    """When the earliest sample was, in seconds."""
    return _where_present(w, lambda left, _: w.ts[left] / 1000)


def ts_of_last_over_time(w: Windows) -> Folded:
    """When the latest sample was, in seconds."""
    return _where_present(w, lambda _, right: w.ts[right - 1] / 1000)


def ts_of_max_over_time(w: Windows) -> Folded:
    """When the greatest sample was last seen, in seconds."""
    return _where_present(w, lambda left, right: _time_of(w, np.fmax, left, right))


def ts_of_min_over_time(w: Windows) -> Folded:
    """When the least sample was last seen, in seconds."""
    return _where_present(w, lambda left, right: _time_of(w, np.fmin, left, right))


def _time_of(w: Windows, which: np.ufunc, left: Rows, right: Rows) -> Floats:
    """The time of the last sample of each window that equals its extreme.

    A window of NaN alone has its extreme first, as no comparison with NaN holds but the one that
    replaces it: Prometheus keeps the last one.
    """
    extreme = extremes(w.values, which, left, right)
    result = np.empty(len(left))
    for part, rows, inside in _gathered(left, right):
        values = w.values[rows]
        wanted = extreme[part][:, None]
        hit = inside & ((values == wanted) | (np.isnan(wanted) & np.isnan(values)))
        last = hit.shape[1] - 1 - np.argmax(hit[:, ::-1], axis=1)
        result[part] = w.ts[np.take_along_axis(rows, last[:, None], axis=1)[:, 0]] / 1000
    return result


def min_over_time(w: Windows) -> Folded:
    """The least sample; NaN only if there is nothing else."""
    return _where_present(w, lambda left, right: extremes(w.values, np.fmin, left, right))


def max_over_time(w: Windows) -> Folded:
    """The greatest sample; NaN only if there is nothing else."""
    return _where_present(w, lambda left, right: extremes(w.values, np.fmax, left, right))


def stdvar_over_time(w: Windows) -> Folded:
    """The population variance of the samples."""

    def variance(left: Rows, right: Rows) -> Floats:
        zeros = np.zeros_like(w.values)
        # Adding zero times the value makes NaN of an infinite sample, as Prometheus does.
        spread = w.values * 0
        count, _, squares = fold((zeros + 1, w.values, spread), merge_moments, left, right)
        return np.abs(squares) / count

    return _where_present(w, variance)


def stddev_over_time(w: Windows) -> Folded:
    """The population standard deviation of the samples."""
    values, present = stdvar_over_time(w)
    return np.sqrt(values), present


def quantile_over_time(w: Windows, q: ValueArray) -> Folded:
    """The ``q``-quantile (``[steps]``) of the samples, linearly interpolated."""
    each = np.broadcast_to(q, w.left.shape)[w.right > w.left]
    return _where_present(w, lambda left, right: _quantiles(w.values, left, right, each))


def mad_over_time(w: Windows) -> Folded:
    """The median of the distances from the median; NaN where there is a NaN."""

    def deviation(left: Rows, right: Rows) -> Floats:
        result = np.empty(len(left))
        for part, rows, inside in _gathered(left, right):
            half = np.full(len(rows), 0.5)
            median = quantiles_of_rows(w.values[rows], inside, half)
            distance = np.abs(w.values[rows] - median[:, None])
            unknown = (np.isnan(w.values[rows]) & inside).any(axis=1)
            found = quantiles_of_rows(distance, inside, half)
            result[part] = np.where(unknown, np.nan, found)
        return result

    return _where_present(w, deviation)


def _quantiles(values: ValueArray, left: Rows, right: Rows, q: ValueArray) -> Floats:
    result = np.empty(len(left))
    for part, rows, inside in _gathered(left, right):
        result[part] = quantiles_of_rows(values[rows], inside, q[part])
    return result


def _gathered(left: Rows, right: Rows) -> Iterator[tuple[slice, Rows, BoolArray]]:
    """Windows as rows ``[windows, widest]`` of sample rows, and which of these are inside.

    Some at a time, so that what is copied stays small; beyond a window's end stands row 0.
    """
    widest = int((right - left).max())
    at_once = max(_GATHERED_AT_ONCE // widest, 1)
    for start in range(0, len(left), at_once):
        part = slice(start, start + at_once)
        lengths = right[part] - left[part]
        columns = np.arange(int(lengths.max()))
        inside = columns < lengths[:, None]
        yield part, np.where(inside, left[part][:, None] + columns, 0), inside


def quantiles_of_rows(values: ValueArray, inside: BoolArray, q: ValueArray) -> Floats:
    """The quantile ``q[i]`` of the values of row ``i`` that are ``inside``, as Prometheus.

    NaN counts as the least value; below 0 the quantile is -Inf, above 1 +Inf; NaN for none.
    """
    nan = inside & np.isnan(values)
    counts, nans = inside.sum(axis=1), nan.sum(axis=1)
    ordered = np.sort(np.where(inside, np.where(nan, -np.inf, values), np.inf), axis=1)
    rank = np.where((q >= 0) & (q <= 1), q, 0) * (counts - 1)
    lower = np.clip(np.floor(rank), 0, None).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(counts - 1, 0))
    weight = rank - np.floor(rank)
    low, high = (
        np.where(index < nans, np.nan, np.take_along_axis(ordered, index[:, None], axis=1)[:, 0])
        for index in (lower, upper)
    )
    result = low * (1 - weight) + high * weight
    result = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, result))
    return np.where(np.isnan(q) | (counts == 0), np.nan, result)
