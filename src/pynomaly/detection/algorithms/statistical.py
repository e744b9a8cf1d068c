"""The textbook's measures: z-score, MAD, and standard deviation."""

from typing import ClassVar

import numpy as np

from pynomaly.detection.algorithms.base import (
    Choices,
    TrainedDetector,
    interval_of,
    prefixed,
    under,
)
from pynomaly.detection.algorithms.calibration import HALF, RARITY_INDEX
from pynomaly.detection.algorithms.combination import Rarest
from pynomaly.detection.algorithms.robust import (
    median_of,
    sigma_of,
    standard,
    trailing_deviation,
)
from pynomaly.detection.contract import FloatMatrix, State, Times, Usual

METHODS = ("zscore", "mad", "standard_deviation")
_WINDOW = 24
_LEAST_SHARE = 0.01


class Statistical(TrainedDetector):
    """Scores by the value alone, without regard to the time of day.

    ``zscore``: standard deviations from the mean. ``mad``: robust standard deviations from the
    median, by the median absolute deviation (B. Iglewicz and D. Hoaglin, "How to Detect and
    Handle Outliers", 1993). ``standard_deviation``: how far the standard deviation of the last 24
    values is from its usual one, as the logarithm of their ratio. Of the ``methods`` that are
    chosen the rarest counts.
    """

    name: ClassVar[str] = "statistical"
    prior_index: ClassVar[float] = RARITY_INDEX

    def __init__(self, choices: Choices | None = None, methods: tuple[str, ...] = METHODS) -> None:
        super().__init__(choices)
        if not methods or not set(methods) <= set(METHODS):
            raise ValueError(f"methods are {methods}; some of {', '.join(METHODS)}")
        self.methods = methods
        self.context = _WINDOW - 1
        self._units: dict[str, FloatMatrix] = {}
        self._rarest = Rarest([])

    def _learn(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        center = median_of(values)
        sigma = sigma_of(values - center[:, np.newaxis], np.abs(center))
        spread = _spread(values, sigma)
        usual = median_of(spread)
        self._units = {
            "mean": _mean_and_deviation(values),
            "median": np.stack((center, sigma)),
            "spread": np.stack((usual, sigma_of(spread - usual[:, np.newaxis]))),
        }
        measures = self._measures(values)
        interval, least = interval_of(times), self.choices.min_points
        self._rarest, together = Rarest.fit(measures, interval, least)
        return together

    def _measure(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        return self._rarest.of(self._measures(values))

    def _measures(self, values: FloatMatrix) -> list[FloatMatrix]:
        found = []
        for method in self.methods:
            if method == "zscore":
                found.append(np.abs(standard(values, *self._units["mean"])))
            elif method == "mad":
                found.append(np.abs(standard(values, *self._units["median"])))
            else:
                spread = _spread(values, self._units["median"][1])
                found.append(np.abs(standard(spread, *self._units["spread"])))
        return found

    def _usual(self, at: Times) -> Usual:
        """Up to where a value alone is to be expected once a week; else three deviations."""
        center, sigma = self._units["median"]
        far = np.full(len(center), 3.0)
        for part, method in zip(self._rarest.parts, self.methods, strict=True):
            if method != "standard_deviation":
                center, sigma = self._units["mean" if method == "zscore" else "median"]
                far = part.measure_at(HALF)
        return Usual(center, center - far * sigma, center + far * sigma)

    def _reasons(self, values: FloatMatrix, times: Times) -> list[str]:
        return [self.methods[i] for i in self._rarest.rarest(self._measures(values)).tolist()]

    def _learnt(self) -> State:
        return {
            "methods": np.array(self.methods),
            **prefixed("units", self._units),
            **prefixed("rarest", self._rarest.state()),
        }

    def _restore(self, state: State) -> None:
        self.methods = tuple(state["methods"].tolist())
        self._units = under("units", state)
        self._rarest = Rarest.of_state(under("rarest", state))


def _mean_and_deviation(values: FloatMatrix) -> FloatMatrix:
    """``[2, series]``: mean and standard deviation; of a constant 1 % of its size, else 1."""
    count = np.maximum(np.count_nonzero(~np.isnan(values), axis=1), 1)
    mean = np.nansum(values, axis=1) / count
    away = values - mean[:, np.newaxis]
    deviation = np.sqrt(np.nansum(away * away, axis=1) / count)
    by_rounding = deviation <= np.abs(mean) * 1e-12
    deviation = np.where(by_rounding, _LEAST_SHARE * np.abs(mean), deviation)
    return np.stack((mean, np.where(deviation > 0, deviation, 1.0)))


def _spread(values: FloatMatrix, sigma: FloatMatrix) -> FloatMatrix:
    """The logarithm of the last values' standard deviation, in units of the usual one.

    It is taken of the differences to a value near by, since squares of large values lose digits.
    """
    first = median_of(values[:, :1])
    near = standard(values, np.where(np.isnan(first), 0.0, first), sigma)
    return np.log(trailing_deviation(near, _WINDOW) + 0.1)
