"""The robust z-score: how far a value is from the median, in robust standard deviations."""

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix

_MAD_TO_SIGMA = 1.4826
"""1 / Φ⁻¹(3/4): makes the MAD of normal data their standard deviation."""
_MEAN_AD_TO_SIGMA = 1.253314
"""√(π/2): the same for the mean absolute deviation."""
_LEAST_SHARE = 0.01
"""Of the median: a constant series is taken to vary by at least this."""

CUT = 3.5
"""The |z| that scores 0.5; Iglewicz and Hoaglin's recommendation for an outlier."""


class RobustZScore:
    """Scores by ``z = |x - median| / σ`` with ``σ = 1.4826 · MAD``, per series.

    MAD is the median of the absolute deviations from the median; up to half of the history may be
    outliers without moving either. Source: B. Iglewicz and D. Hoaglin, "How to Detect and Handle
    Outliers" (ASQC, 1993), whose modified z-score ``0.6745 · (x - median) / MAD`` this is.

    Where more than half of the history is one value, MAD is 0; then σ is 1.253314 times the mean
    absolute deviation. Where all of it is one value, σ is 1 % of its size; any departure from a
    history of nothing but zeros scores 1.

    The score is ``z² / (z² + 3.5²)``: 0 at the median, 0.08 at z = 1, 0.5 at 3.5, 0.9 at 10.5.

    A series with fewer than ``min_points`` values is not judged, nor is a NaN. Infinite values
    are left out of the history and score 1.
    """

    def __init__(self, min_points: int = 20) -> None:
        self._min_points = min_points
        self._center: NDArray[np.float64] = np.empty(0)
        self._sigma: NDArray[np.float64] = np.empty(0)

    def fit(self, matrix: FloatMatrix) -> None:
        """Learn median and σ of each row of ``[series, steps]``."""
        values = np.where(np.isfinite(matrix), matrix, np.nan)
        counts = np.count_nonzero(~np.isnan(values), axis=1)
        self._center = _median(values, counts)
        # Around values of 1e308 a deviation may overflow: infinite, hence not judged.
        with np.errstate(over="ignore", invalid="ignore"):
            deviations = np.abs(values - self._center[:, np.newaxis])
            mad = _median(deviations, counts)
            mean = np.nansum(deviations, axis=1) / np.maximum(counts, 1)
        sigma = np.where(mad > 0, _MAD_TO_SIGMA * mad, _MEAN_AD_TO_SIGMA * mean)
        sigma = np.where(sigma > 0, sigma, _LEAST_SHARE * np.abs(self._center))
        self._sigma = np.where(counts >= self._min_points, sigma, np.nan)

    def score(self, matrix: FloatMatrix) -> FloatMatrix:
        """Score each value of ``[series, steps]``: 0 to 1, NaN where it cannot be said."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            away = np.abs(matrix - self._center[:, np.newaxis])
            z = away / self._sigma[:, np.newaxis]
            z = np.where((away == 0) & ~np.isnan(self._sigma[:, np.newaxis]), 0.0, z)
            # 1 / (1 + (cut / z)²) is z² / (z² + cut²) without overflow.
            scores: FloatMatrix = 1 / (1 + np.square(CUT / z))
        return scores


def _median(values: FloatMatrix, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The median of the values of each row that are not NaN; NaN for a row without any.

    ``np.nanmedian`` takes rows one by one in Python; NaNs sort to the end, so this need not.
    """
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(counts - 1, 0) // 2]
    high = ordered[rows, np.minimum(counts // 2, values.shape[1] - 1)]
    with np.errstate(over="ignore"):
        middle: NDArray[np.float64] = low + (high - low) / 2
    return middle
