"""Reductions over many overlapping windows of one array, all at once.

A window is a range of rows ``left <= row < right``. Reductions combine blocks of 1, 2, 4, …
rows, each computed once for all windows: O((rows + windows) log width), in order, and with the
rounding errors of pairwise summation, where differences of prefix sums would lose digits.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Parts = tuple[Floats, ...]
Combine = Callable[[Parts, Parts], Parts]


def fold(state: Parts, combine: Combine, left: Rows, right: Rows) -> Parts:
    """Combine the rows of each window.

    ``state``: arrays ``[rows, …]``, what each row contributes. ``left``, ``right``: int64
    ``[windows]`` with ``left < right``. Gives arrays ``[windows, …]``. ``combine`` must be
    associative up to rounding; it sees earlier rows first.
    """
    length = right - left
    position = left.copy()
    result = tuple(np.empty((len(left), *part.shape[1:])) for part in state)
    started = np.zeros(len(left), dtype=np.bool_)
    size = 1
    longest = int(length.max(initial=0))
    while size <= longest:
        uses = (length & size) != 0
        _take(state, combine, result, position, uses, started)
        position[uses] += size
        started |= uses
        size *= 2
        if size <= longest:
            half = size // 2
            state = combine(
                tuple(part[:-half] for part in state), tuple(part[half:] for part in state)
            )
    return result


def _take(
    state: Parts,
    combine: Combine,
    result: Parts,
    position: Rows,
    uses: NDArray[np.bool_],
    started: NDArray[np.bool_],
) -> None:
    fresh = np.flatnonzero(uses & ~started)
    if len(fresh):
        rows = position[fresh]
        for part, source in zip(result, state, strict=True):
            part[fresh] = source[rows]
    later = np.flatnonzero(uses & started)
    if len(later):
        rows = position[later]
        merged = combine(tuple(part[later] for part in result), tuple(part[rows] for part in state))
        for part, new in zip(result, merged, strict=True):
            part[later] = new


def add(a: Parts, b: Parts) -> Parts:
    """Plain sums."""
    return tuple(x + y for x, y in zip(a, b, strict=True))


def add_exactly(a: Parts, b: Parts) -> Parts:
    """Sums with their rounding errors carried along: (sum, error), by Knuth's TwoSum."""
    total = a[0] + b[0]
    of_b = total - a[0]
    error = (a[0] - (total - of_b)) + (b[0] - of_b)
    return total, a[1] + b[1] + error


def merge_moments(a: Parts, b: Parts) -> Parts:
    """Count, mean and sum of squared deviations (Chan, Golub and LeVeque, 1983)."""
    count = a[0] + b[0]
    delta = b[1] - a[1]
    share = np.divide(b[0], count, out=np.zeros_like(count), where=count > 0)
    return count, a[1] + delta * share, a[2] + b[2] + delta * a[0] * share * delta


def merge_regression(a: Parts, b: Parts) -> Parts:
    """Count, means of x and y, sums of squared and of mixed deviations."""
    count = a[0] + b[0]
    share = b[0] / count
    dx, dy = b[1] - a[1], b[2] - a[2]
    weight = a[0] * share
    return (
        count,
        a[1] + dx * share,
        a[2] + dy * share,
        a[3] + b[3] + dx * weight * dx,
        a[4] + b[4] + dx * weight * dy,
    )


def sums(values: Floats, left: Rows, right: Rows) -> Floats:
    """The sum of each window; exact to the last digits also where terms cancel."""
    if not len(values) or not (
        np.fmin.reduce(values, axis=None) < 0 < np.fmax.reduce(values, axis=None)
    ):
        return fold((values,), add, left, right)[0]
    total, error = fold((values, np.zeros_like(values)), add_exactly, left, right)
    return np.where(np.isfinite(total), total + error, total)


CANCELLED = 1e-3
"""A sum of less than this share of what went into it has lost digits that are worth a second look:
rounding errors of n terms are at most n x 1e-16 of what went in."""


def group_sums(values: Floats, left: Rows, right: Rows) -> Floats:
    """As ``sums``, for windows that follow each other and leave out no row: a single pass."""
    plain: Floats = np.add.reduceat(values, left, axis=0)
    if not np.fmin.reduce(values, axis=None) < 0 < np.fmax.reduce(values, axis=None):
        return plain
    magnitude = np.add.reduceat(np.abs(values), left, axis=0)
    sure = (np.abs(plain) >= magnitude * CANCELLED) | ~np.isfinite(plain)
    unsure = np.flatnonzero(~sure.reshape(len(left), -1).all(axis=1))
    if len(unsure):
        lengths = (right - left)[unsure]
        ends = np.cumsum(lengths)
        starts = ends - lengths
        rows = np.arange(ends[-1]) + np.repeat(left[unsure] - starts, lengths)
        plain[unsure] = sums(values[rows], starts, ends)
    return plain


Sums = Callable[[Floats, Rows, Rows], Floats]


def means(values: Floats, left: Rows, right: Rows, counts: Floats, sums: Sums = sums) -> Floats:
    """The mean of each window; scaled down where the sum would overflow."""
    total = sums(values, left, right)
    result = total / counts
    over = np.flatnonzero(~np.isfinite(total).reshape(len(left), -1).all(axis=1))
    if len(over):
        scale = 2.0 ** np.ceil(np.log2(counts.max()))
        shrunk = sums(values / scale, left, right)[over]
        result[over] = shrunk / counts[over] * scale
    return result


def extremes(values: Floats, better: "np.ufunc", left: Rows, right: Rows) -> Floats:
    """The ``np.fmax`` or ``np.fmin`` of each window: two blocks that overlap cover it."""
    result = np.empty(len(left))
    level = np.frexp((right - left).astype(np.float64))[1] - 1
    size = 1
    for power in range(int(level.max(initial=-1)) + 1):
        chosen = np.flatnonzero(level == power)
        result[chosen] = better(values[left[chosen]], values[right[chosen] - size])
        if len(values) > size:
            values = better(values[:-size], values[size:])
        size *= 2
    return result
