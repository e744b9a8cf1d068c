"""Level and spread that outliers do not move, and means over trailing windows."""

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix

_MAD_TO_SIGMA = 1.4826
"""1 / Φ⁻¹(3/4): makes the MAD of normal data their standard deviation."""
_MEAN_AD_TO_SIGMA = 1.253314
"""√(π/2): the same for the mean absolute deviation."""
_LEAST_SHARE = 0.01
"""Of the size of a constant series: it is taken to vary by at least this."""
_FAR = 1e6
"""Standard deviations beyond which farther is no different."""


def median_of(values: FloatMatrix) -> NDArray[np.float64]:
    """The median of each row's values; NaN for a row without any.

    ``np.nanmedian`` takes rows one by one in Python; NaNs sort to the end, so this need not.
    """
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    counts = np.count_nonzero(~np.isnan(values), axis=1)
    ordered = np.sort(values, axis=1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(counts - 1, 0) // 2]
    high = ordered[rows, np.minimum(counts // 2, values.shape[1] - 1)]
    with np.errstate(over="ignore"):
        middle: NDArray[np.float64] = low + (high - low) / 2
    return middle


def sigma_of(
    deviations: FloatMatrix, size: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """The robust standard deviation of each row of deviations from what was expected.

    1.4826 times the median of their sizes, which up to half of the row cannot move. Where more
    than half are 0, 1.253314 times their mean; where all are, 1 % of ``size``, the usual size of
    the values; where that is 0 as well, 1.
    """
    away = np.abs(deviations)
    sigma = _MAD_TO_SIGMA * median_of(away)
    counts = np.maximum(np.count_nonzero(~np.isnan(away), axis=1), 1)
    mean = _MEAN_AD_TO_SIGMA * np.nansum(away, axis=1) / counts
    sigma = np.where(sigma > 0, sigma, mean)
    # What is left by rounding alone is no spread.
    least = np.abs(np.asarray(size)) * 1e-12
    sigma = np.where(sigma > least, sigma, _LEAST_SHARE * np.abs(np.asarray(size)))
    return np.where(sigma > 0, sigma, 1.0)


def standard(
    values: FloatMatrix, center: FloatMatrix | NDArray[np.float64], sigma: NDArray[np.float64]
) -> FloatMatrix:
    """How many standard deviations each value is from the center, at most a million.

    ``center``: ``[series]`` or ``[series, steps]``; ``sigma``: ``[series]``.
    """
    middle = center if center.ndim == 2 else center[:, np.newaxis]
    return np.clip((values - middle) / sigma[:, np.newaxis], -_FAR, _FAR)


def trailing_mean(values: FloatMatrix, window: int) -> FloatMatrix:
    """The mean of the last ``window`` steps at each step, of those that have a value.

    ``[series, steps]``; at the beginning of fewer steps; NaN where none of them has a value.
    """
    present = ~np.isnan(values)
    total = _trailing_sum(np.where(present, values, 0.0), window)
    count = _trailing_sum(present.astype(np.float64), window)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: FloatMatrix = np.where(count > 0.5, total / count, np.nan)
    return mean


def trailing_deviation(values: FloatMatrix, window: int) -> FloatMatrix:
    """The standard deviation of the last ``window`` steps, as ``trailing_mean``."""
    mean = trailing_mean(values, window)
    return np.sqrt(np.maximum(trailing_mean(values * values, window) - mean * mean, 0.0))


def _trailing_sum(values: FloatMatrix, window: int) -> FloatMatrix:
    total = np.cumsum(values, axis=1)
    if values.shape[1] > window:
        total[:, window:] -= total[:, :-window].copy()
    return total


def squared_distances(
    rows: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Of each of ``[rows, dimensions]`` to each of the others: float32 ``[rows, others]``."""
    squares = (rows * rows).sum(axis=1)[:, np.newaxis] + (others * others).sum(axis=1)
    found = squares - np.float32(2.0) * (rows @ others.T)
    np.maximum(found, np.float32(0.0), out=found)  # below 0 is rounding
    distances: NDArray[np.float32] = found
    return distances
