"""The ``…_over_time`` functions: one number for the samples of each window."""

from collections.abc import Callable

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


def _quantiles(values: ValueArray, left: Rows, right: Rows, q: ValueArray) -> Floats:
    result = np.empty(len(left))
    widest = int((right - left).max())
    at_once = max(_GATHERED_AT_ONCE // widest, 1)
    for start in range(0, len(left), at_once):
        part = slice(start, start + at_once)
        lengths = right[part] - left[part]
        columns = np.arange(int(lengths.max()))
        inside = columns < lengths[:, None]
        rows = np.where(inside, left[part][:, None] + columns, 0)
        result[part] = quantiles_of_rows(values[rows], inside, q[part])
    return result


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
