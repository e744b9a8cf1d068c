"""Whether the last points have been seen in this shape and height before.

The distance of the last ``WINDOW`` points to the nearest of a few dozen kept windows: a left
nearest neighbour, as in a matrix profile that never looks ahead, over a bank that keeps what was
rare and forgets what has not been met for longest.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, Columns, FloatArray

WINDOW = 12
KEPT = 32
_PACE = 0.02
"""How fast the usual distance follows."""


@dataclass(slots=True)
class Novelty(Columns):
    """Kept windows of each series, in normalised values."""

    windows: FloatArray
    met: NDArray[np.int32]
    """The point at which each window was kept or last met."""
    kept: NDArray[np.int32]
    recent: FloatArray
    usual: FloatArray

    SPEC: ClassVar = {
        "windows": Column((KEPT, WINDOW)),
        "met": Column((KEPT,), np.int32),
        "kept": Column(dtype=np.int32),
        "recent": Column((WINDOW,)),
        "usual": Column(),
    }


def distance(state: Novelty, values: FloatArray, count: NDArray[np.int32]) -> FloatArray:
    """Root mean square distance to the nearest kept window, 0 while there is none.

    ``count``: points of each series so far, this one included. Takes the point in.
    """
    state.recent[:, :-1] = state.recent[:, 1:]
    state.recent[:, -1] = values
    away = state.windows - state.recent[:, np.newaxis, :]
    squares = np.einsum("ijk,ijk->ij", away, away)
    # A window that overlaps with the present one is no precedent.
    usable = np.arange(KEPT) < state.kept[:, np.newaxis]
    usable &= count[:, np.newaxis] - state.met >= WINDOW
    squares[~usable] = np.inf
    nearest = squares.argmin(axis=1)
    rows = np.arange(len(values))
    best = squares[rows, nearest]
    known = np.isfinite(best) & (count >= WINDOW)
    found: FloatArray = np.where(known, np.sqrt(best / WINDOW), 0.0).astype(np.float32)
    _keep(state, found, nearest, known, count)
    return found


def _keep(
    state: Novelty,
    found: FloatArray,
    nearest: NDArray[np.int64],
    known: NDArray[np.bool_],
    count: NDArray[np.int32],
) -> None:
    room = state.kept < KEPT
    first = np.flatnonzero(room & (count >= WINDOW) & (count % 2 == 0))
    _write(state, first, state.kept[first], count)
    state.kept[first] += 1
    full = ~room
    state.usual[full] += (found[full] - state.usual[full]) * np.float32(_PACE)
    rare = full & (found > state.usual)
    rows = np.flatnonzero(rare)
    _write(state, rows, state.met[rows].argmin(axis=1), count)
    met = np.flatnonzero(full & ~rare & known)
    state.met[met, nearest[met]] = count[met] - WINDOW


def _write(
    state: Novelty, rows: NDArray[np.int64], at: NDArray[np.integer[Any]], count: NDArray[np.int32]
) -> None:
    state.windows[rows, at] = state.recent[rows]
    state.met[rows, at] = count[rows]
