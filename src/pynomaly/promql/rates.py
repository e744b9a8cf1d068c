"""``rate`` and its kin: what changed within a window (Prometheus's ``extrapolatedRate``)."""

import numpy as np

from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.folds import Rows, fold, merge_regression, sums
from pynomaly.promql.windows import Windows

Folded = tuple[ValueArray, BoolArray]
"""Values and presence, ``[series, steps]``."""


def rate(w: Windows) -> Folded:
    """Increase per second of a counter, extrapolated to the window's borders."""
    value, present = _extrapolated(w, counter=True)
    return value / (w.range_ms / 1000), present


def increase(w: Windows) -> Folded:
    """Increase of a counter, extrapolated to the window's borders."""
    return _extrapolated(w, counter=True)


def delta(w: Windows) -> Folded:
    """Difference of a gauge, extrapolated to the window's borders."""
    return _extrapolated(w, counter=False)


def _edges(w: Windows, least: int) -> tuple[BoolArray, Rows, Rows]:
    """Where a window has ``least`` samples; its first and last row there (else row 0)."""
    present = w.counts >= least
    first = np.where(present, w.left, 0)
    last = np.where(present, w.right - 1, 0)
    return present, first, last


def _extrapolated(w: Windows, *, counter: bool) -> Folded:
    """The change from first to last sample, stretched towards the window's borders.

    A border is reached if the nearest sample is no further than 1.1 mean intervals, else half
    an interval is added; a counter is not taken below zero.
    """
    present, first, last = _edges(w, 2)
    first_ts, last_ts = w.ts[first], w.ts[last]
    first_value = w.values[first]
    change = w.values[last] - first_value
    if counter:
        _add_resets(w, change, first, last)
    covered = (last_ts - first_ts) / 1000
    interval = covered / np.maximum(last - first, 1)
    to_start = (first_ts - (w.ends - w.range_ms)) / 1000
    to_end = (w.ends - last_ts) / 1000
    threshold = interval * 1.1
    half = interval / 2
    to_start = np.where(to_start >= threshold, half, to_start)
    to_end = np.where(to_end >= threshold, half, to_end)
    if counter:
        to_zero = covered * (first_value / change)
        nearer = (change > 0) & (first_value >= 0) & (to_zero < to_start)
        to_start = np.where(nearer, to_zero, to_start)
    return change * ((covered + to_start + to_end) / covered), present


def _add_resets(w: Windows, change: ValueArray, first: Rows, last: Rows) -> None:
    """Add the value before every drop within a window."""
    fell = w.values[1:] < w.values[:-1]
    fell[w.offsets[1:-1] - 1] = False  # where the next series begins
    drops = np.flatnonzero(fell)
    if not len(drops):
        return
    drops_until = np.concatenate(([0], np.cumsum(fell)))  # drops in rows 1..row
    left, right = drops_until[first], drops_until[last]
    has = right > left
    change[has] += sums(w.values[drops], left[has], right[has])


def irate(w: Windows) -> Folded:
    """Increase per second of a counter between the last two samples."""
    value, present = _last_difference(w, counter=True)
    seconds = _last_interval(w)
    return value / seconds, present


def idelta(w: Windows) -> Folded:
    """Difference of the last two samples."""
    return _last_difference(w, counter=False)


def _last_difference(w: Windows, *, counter: bool) -> Folded:
    present, _, last = _edges(w, 2)
    newest, before = w.values[last], w.values[np.maximum(last - 1, 0)]
    change = newest - before
    return (np.where(newest < before, newest, change) if counter else change), present


def _last_interval(w: Windows) -> ValueArray:
    present, _, last = _edges(w, 2)
    return np.where(present, (w.ts[last] - w.ts[np.maximum(last - 1, 0)]) / 1000, 1.0)


def changes(w: Windows) -> Folded:
    """How often the value differs from the one before."""
    now, before = w.values[1:], w.values[:-1]
    return _count_between(w, (now != before) & ~(np.isnan(now) & np.isnan(before)))


def resets(w: Windows) -> Folded:
    """How often a counter fell."""
    return _count_between(w, w.values[1:] < w.values[:-1])


def _count_between(w: Windows, event: BoolArray) -> Folded:
    """Count events between neighbours; ``event[i]`` is between rows ``i`` and ``i + 1``."""
    present, first, last = _edges(w, 1)
    until = np.concatenate(([0], np.cumsum(event)))
    return (until[last] - until[first]).astype(np.float64), present


def deriv(w: Windows) -> Folded:
    """The slope per second of the line through the samples (least squares)."""
    slope, _, _, present = _regression(w)
    return slope, present


def predict_linear(w: Windows, at: ValueArray, seconds: ValueArray) -> Folded:
    """The line's value ``seconds`` after the evaluation time ``at`` (both ``[steps]``)."""
    slope, mean_seconds, mean_value, present = _regression(w)
    return mean_value + slope * (at - mean_seconds) + slope * seconds, present


def _regression(w: Windows) -> tuple[ValueArray, ValueArray, ValueArray, BoolArray]:
    """Slope, mean time in seconds, mean value, and where there are two samples."""
    present, first, last = _edges(w, 2)
    slope, mean_seconds, mean_value = (np.zeros(present.shape) for _ in range(3))
    origin = int(w.ts.min())
    parts = fold(
        (
            np.ones(len(w.ts)),
            (w.ts - origin) / 1000,
            w.values,
            np.zeros(len(w.ts)),
            np.zeros(len(w.ts)),
        ),
        merge_regression,
        w.left[present],
        w.right[present],
    )
    slope[present] = np.where(np.isfinite(parts[2]), parts[4] / parts[3], np.nan)
    mean_seconds[present] = parts[1] + origin / 1000
    mean_value[present] = parts[2]
    _settle_constant(w, slope, mean_value, first, last)
    return slope, mean_seconds, mean_value, present


def _settle_constant(
    w: Windows, slope: ValueArray, mean_value: ValueArray, first: Rows, last: Rows
) -> None:
    """A constant has slope 0 and is its own prediction, except an infinite one."""
    until = np.concatenate(([0], np.cumsum(w.values[1:] != w.values[:-1])))
    constant = until[last] == until[first]
    value = w.values[first]
    settled = np.where(np.isinf(value), np.nan, value)
    np.copyto(slope, np.where(np.isinf(value), np.nan, 0.0), where=constant)
    np.copyto(mean_value, settled, where=constant)
