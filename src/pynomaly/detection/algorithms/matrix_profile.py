"""The left matrix profile: how unlike every earlier window of the series the last one is.

C.-C. M. Yeh et al., "Matrix Profile I" (ICDM, 2016). Windows are compared as courses of 32 means;
those of the training are the library that later windows are held against, so that memory does not
grow. All distances of a block of windows are one matrix product.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import Choices, TrainedDetector, interval_of
from pynomaly.detection.algorithms.robust import (
    median_of,
    sigma_of,
    squared_distances,
    standard,
    trailing_mean,
)
from pynomaly.detection.algorithms.season import DAY
from pynomaly.detection.contract import FloatMatrix, State, Times, Usual

POINTS = 32
"""Means that a window is made of."""
LIBRARY = 2048
"""Windows of the training that are kept."""
_BLOCK_ROWS = 2048
_WARM = 8
"""Windows that must have gone before, of the training itself."""
_LEAST_SPREAD = 0.5
"""Of the usual deviation: a calmer window is not stretched until its noise looks like a course."""
_PART_OF_DAY = 8

FloatArray = NDArray[np.float32]


class MatrixProfile(TrainedDetector):
    """Distance of the newest window to the nearest of the training, in standard deviations.

    A window is an eighth of a day, and at least 32 steps. Level does not count, course does.
    """

    name: ClassVar[str] = "matrix_profile"

    def __init__(self, choices: Choices | None = None) -> None:
        super().__init__(choices)
        self._mean_steps = 1
        self._center = np.empty(0)
        self._sigma = np.empty(0)
        self._library: FloatArray = np.empty((0, 0, POINTS), dtype=np.float32)

    def _learn(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        interval = interval_of(times)
        self._mean_steps = max(1, round(DAY / _PART_OF_DAY / POINTS / interval))
        self.context = self._mean_steps * POINTS - 1
        self._center = median_of(values)
        self._sigma = sigma_of(values - self._center[:, np.newaxis], np.abs(self._center))
        smooth = self._smooth(values)
        ends = self._ends(values.shape[1])
        found = np.full(values.shape, np.nan)
        kept = np.full((len(values), len(ends), POINTS), np.nan, dtype=np.float32)
        for i, row in enumerate(smooth):
            kept[i] = _courses(self._windows(row, ends))
            found[i] = self._left_profile(row, kept[i], ends)
        self._library = kept
        return found

    def _measure(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        found = np.full(values.shape, np.nan)
        every = np.arange(min(self.context, values.shape[1]), values.shape[1])
        for i, row in enumerate(self._smooth(values)):
            known = self._library[i][~np.isnan(self._library[i]).any(axis=1)]
            for start in range(0, len(every) if len(known) else 0, _BLOCK_ROWS):
                block = every[start : start + _BLOCK_ROWS]
                found[i, block] = _nearest(_courses(self._windows(row, block)), known)
        return found

    def _smooth(self, values: FloatMatrix) -> FloatMatrix:
        return trailing_mean(standard(values, self._center, self._sigma), self._mean_steps)

    def _windows(self, row: NDArray[np.float64], ends: NDArray[np.int64]) -> FloatArray:
        """The means that end at these steps, float32 ``[ends, POINTS]``, NaN before the first."""
        back = np.arange(POINTS - 1, -1, -1) * self._mean_steps
        at = ends[:, np.newaxis] - back
        return np.where(at >= 0, row[np.maximum(at, 0)], np.nan).astype(np.float32)

    def _ends(self, steps: int) -> NDArray[np.int64]:
        """Where the windows of the library end: spread evenly, apart by a mean at least."""
        apart = max(self._mean_steps, -(-steps // LIBRARY))
        return np.arange(min(self.context, steps), steps, apart, dtype=np.int64)

    def _left_profile(
        self, row: NDArray[np.float64], library: FloatArray, ends: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Each step against the windows that ended a window before it; NaN for the first ones."""
        found = np.full(len(row), np.nan)
        usable = ~np.isnan(library).any(axis=1)
        known, known_ends = library[usable], ends[usable]
        if len(known) <= _WARM:
            return found
        first = int(known_ends[_WARM - 1]) + self.context + 1
        # Means of neighbouring steps differ little: of each few the first is measured.
        apart = max(1, self._mean_steps // 2)
        every = np.arange(first, len(row), apart)
        for start in range(0, len(every), _BLOCK_ROWS):
            block = every[start : start + _BLOCK_ROWS]
            courses = _courses(self._windows(row, block))
            sure, some = np.searchsorted(known_ends, block[[0, -1]] - self.context)
            nearest = _nearest(courses, known[:sure])
            if some > sure:
                squares = squared_distances(courses, known[sure:some])
                later = known_ends[sure:some] >= block[:, np.newaxis] - self.context
                squares[later] = np.inf
                nearest = np.minimum(nearest, np.sqrt(squares.min(axis=1) / POINTS))
            found[block] = nearest
        seen = np.maximum.accumulate(np.where(np.isnan(found), -1, np.arange(len(found))))
        return np.where(seen >= 0, found[np.maximum(seen, 0)], np.nan)

    def _usual(self, at: Times) -> Usual:
        """The median, and three deviations: it judges courses, not values."""
        far = 3.0 * self._sigma
        return Usual(self._center, self._center - far, self._center + far)

    def _reasons(self, values: FloatMatrix, times: Times) -> list[str]:
        return ["course"] * len(values)

    def _learnt(self) -> State:
        return {
            "mean_steps": np.array(self._mean_steps),
            "center": self._center,
            "sigma": self._sigma,
            "library": self._library,
        }

    def _restore(self, state: State) -> None:
        self._mean_steps = int(state["mean_steps"])
        self._center, self._sigma = state["center"], state["sigma"]
        self._library = state["library"]


def _courses(windows: FloatArray) -> FloatArray:
    """Windows without level and, where they are not calm, without size."""
    away = windows - windows.mean(axis=1, keepdims=True)
    size = np.sqrt((away * away).mean(axis=1, keepdims=True))
    courses: FloatArray = away / np.maximum(size, np.float32(_LEAST_SPREAD))
    return courses


def _nearest(courses: FloatArray, library: FloatArray) -> NDArray[np.float32]:
    """How far each course is from the nearest of the library, by the root of ``POINTS``."""
    # |a - b|² = |a|² + (|b|² - 2ab), and the least of the latter is that of all.
    products = courses @ (np.float32(-2.0) * library).T
    products += (library * library).sum(axis=1)
    squares = (courses * courses).sum(axis=1) + products.min(axis=1)
    nearest: NDArray[np.float32] = np.sqrt(np.maximum(squares, np.float32(0.0)) / POINTS)
    return nearest
