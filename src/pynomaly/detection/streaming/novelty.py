"""Whether the last points have been seen in this shape and height before.

The distance of the last ``WINDOW`` points to the nearest of a few dozen kept windows: a left
nearest neighbour, as in a matrix profile that never looks ahead, over a bank that keeps what was
rare and forgets what has not been met for longest.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, FloatArray, Lanes

WINDOW = 12
KEPT = 32
_PACE = np.float32(0.02)
"""How fast the usual distance follows."""
_NOT_KEPT = 2**30
_PLACES = np.arange(KEPT, dtype=np.int32)
_INFINITY = int(np.array(np.inf, dtype=np.float32).view(np.int32))
_SETTLING = 2 * WINDOW
"""Points after a gap: a window of new ones, and precedents for it, since the kept ones are of
another hour."""
_TOGETHER = 2048
"""Windows of all series that are compared at once."""


@dataclass(slots=True)
class Novelty(Lanes):
    """Kept windows of each series, in normalised values."""

    windows: FloatArray
    met: NDArray[np.int32]
    """The point at which each window was kept or last met."""
    kept: NDArray[np.int32]
    recent: FloatArray
    usual: FloatArray
    settling: NDArray[np.uint8]
    """Points until the series is judged again."""

    SPEC: ClassVar = {
        "windows": Column((KEPT, WINDOW)),
        "met": Column((KEPT,), np.int32, _NOT_KEPT),
        "kept": Column(dtype=np.int32),
        "recent": Column((WINDOW,)),
        "usual": Column(),
        "settling": Column(dtype=np.uint8),
    }


def distance(state: Novelty, values: FloatArray, count: NDArray[np.int32]) -> FloatArray:
    """Distance to the nearest kept window, 0 while there is none.

    The root of the mean square, in which the point that is farthest away counts no more than the
    second farthest: one point alone is no course of events, and has statistics of its own.

    ``count``: points of each series so far, this one included. Takes the point in.
    """
    state.recent[:-1] = state.recent[1:]
    state.recent[-1] = values
    squares = _squares(state)
    # A window that overlaps with the present one is no precedent.
    np.copyto(squares, np.inf, where=state.met > count - WINDOW)
    # Positive floats are in the order of their bits, and the last bits matter little.
    nearest, least = _lowest(squares.view(np.int32) & ~_PLACES[-1])
    whole = (count >= WINDOW) & (state.settling <= _SETTLING - WINDOW)
    known = (least < _INFINITY) & whole
    found = _without_extreme(state.windows[nearest, :, np.arange(len(values))].T - state.recent)
    found[~known] = 0.0
    _keep(state, found, nearest, known, whole, count)
    found[state.settling > 0] = 0.0
    state.settling -= state.settling > 0
    return found


def resume(state: Novelty, rows: NDArray[np.int64]) -> None:
    """Let these series settle after a gap, whose windows have no shape and whose hour is gone."""
    state.settling[rows] = _SETTLING


def _without_extreme(away: FloatArray) -> FloatArray:
    """Root mean square over the first axis, the largest number taken for the second largest."""
    squares = np.square(away)
    largest = np.zeros(squares.shape[1], dtype=np.float32)
    second = np.zeros_like(largest)
    for square in squares:  # partial sorting of so few is slower
        np.maximum(second, np.minimum(largest, square), out=second)
        np.maximum(largest, square, out=largest)
    found: FloatArray = (squares.sum(axis=0) - largest + second) / np.float32(WINDOW)
    return np.sqrt(np.maximum(found, 0, out=found), out=found)


def _lowest(keys: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Which key of each series is the lowest, and that key; the keys are multiples of ``KEPT``."""
    found: NDArray[np.int32] = np.minimum.reduce(keys | _PLACES[:, np.newaxis], axis=0)
    place = found & _PLACES[-1]
    return place, found - place


def _squares(state: Novelty) -> FloatArray:
    """Square distances to all windows, ``[KEPT, series]``."""
    squares = np.empty(state.met.shape, dtype=np.float32)
    # Of many series so few windows at a time that what is between stays in the cache.
    step = max(1, _TOGETHER // max(1, len(state.kept)))
    for first in range(0, KEPT, step):
        some = slice(first, first + step)
        away = state.windows[some] - state.recent
        np.multiply(away, away, out=away)
        np.add.reduce(away, axis=1, out=squares[some])
    return squares


def _keep(
    state: Novelty,
    found: FloatArray,
    nearest: NDArray[np.int32],
    known: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    count: NDArray[np.int32],
) -> None:
    room = state.kept < KEPT
    if room.any():
        first = np.flatnonzero(room & whole & (count % 2 == 0))
        _write(state, first, state.kept[first], count)
        state.kept[first] += 1
    full = ~room & whole
    np.copyto(state.usual, state.usual + (found - state.usual) * _PACE, where=full)
    rare = full & (found > state.usual)
    rows = np.flatnonzero(rare)
    oldest, _ = _lowest(state.met.take(rows, axis=1) * np.int32(KEPT))
    _write(state, rows, oldest, count)
    met = np.flatnonzero(full & ~rare & known)
    state.met[nearest[met], met] = count[met] - WINDOW


def _write(
    state: Novelty, rows: NDArray[np.int64], at: NDArray[np.integer[Any]], count: NDArray[np.int32]
) -> None:
    state.windows[at, :, rows] = state.recent[:, rows].T
    state.met[at, rows] = count[rows]
