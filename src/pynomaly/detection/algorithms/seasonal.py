"""What is unlike this hour of other days or weeks."""

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
from pynomaly.detection.algorithms.robust import sigma_of, trailing_mean
from pynomaly.detection.algorithms.season import DAY, SeasonProfile
from pynomaly.detection.contract import FloatMatrix, State, Times, Usual

_MEASURES = ("residual", "residual_mean")
_MEAN_STEPS = 12
_HOURS = 24


class Seasonal(TrainedDetector):
    """Scores by the residual from the season, in the spread that is usual at this hour.

    Both the residual itself and the mean of the last twelve count, the rarer of them: a spike and
    a shift that is small at each step.
    """

    name: ClassVar[str] = "seasonal"
    prior_index: ClassVar[float] = RARITY_INDEX

    def __init__(self, choices: Choices | None = None) -> None:
        super().__init__(choices)
        self.context = _MEAN_STEPS - 1
        self._season: SeasonProfile | None = None
        self._sigma: FloatMatrix = np.empty((0, _HOURS))
        self._rarest = Rarest([])

    def _learn(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        self._season = SeasonProfile.fit(values, times, self.choices.season)
        residual = values - self._season.foreseen(values, times)
        self._sigma = _sigma_by_hour(residual, times, np.abs(self._season.level))
        measures = self._measures(residual, times)
        interval, least = interval_of(times), self.choices.min_points
        self._rarest, together = Rarest.fit(measures, interval, least)
        return together

    def _measure(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        assert self._season is not None
        residual = values - self._season.expected(times)
        return self._rarest.of(self._measures(residual, times))

    def _measures(self, residual: FloatMatrix, times: Times) -> list[FloatMatrix]:
        z = np.clip(residual / self._sigma[:, _hours(times)], -1e6, 1e6)
        return [np.abs(z), np.abs(trailing_mean(z, _MEAN_STEPS))]

    def _usual(self, at: Times) -> Usual:
        """Up to where a residual alone is to be expected once a week."""
        assert self._season is not None
        expected = self._season.expected(at)[:, 0]
        far = self._sigma[:, _hours(at)[0]] * self._rarest.parts[0].measure_at(HALF)
        return Usual(expected, expected - far, expected + far)

    def _reasons(self, values: FloatMatrix, times: Times) -> list[str]:
        assert self._season is not None
        measures = self._measures(values - self._season.expected(times), times)
        return [_MEASURES[which] for which in self._rarest.rarest(measures).tolist()]

    def _learnt(self) -> State:
        assert self._season is not None
        return {
            "sigma": self._sigma,
            **prefixed("season", self._season.state()),
            **prefixed("rarest", self._rarest.state()),
        }

    def _restore(self, state: State) -> None:
        self._sigma = state["sigma"]
        self._season = SeasonProfile.of_state(under("season", state))
        self._rarest = Rarest.of_state(under("rarest", state))


def _hours(times: Times) -> Times:
    return times % DAY // 3600


def _sigma_by_hour(residual: FloatMatrix, times: Times, size: FloatMatrix) -> FloatMatrix:
    """The spread at each hour of the day, ``[series, 24]``, at least half of the overall one."""
    overall = sigma_of(residual, size)
    found = np.repeat(overall[:, np.newaxis], _HOURS, axis=1)
    hours = _hours(times)
    for hour in range(_HOURS):
        at = residual[:, hours == hour]
        enough = np.count_nonzero(~np.isnan(at), axis=1) >= _HOURS
        if enough.any():
            found[enough, hour] = sigma_of(at[enough], size[enough])
    return np.maximum(found, 0.5 * overall[:, np.newaxis])
