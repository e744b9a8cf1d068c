"""Windows of features: what detectors that know nothing of time see of each step."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import interval_of, prefixed, under
from pynomaly.detection.algorithms.robust import (
    median_of,
    sigma_of,
    standard,
    trailing_deviation,
    trailing_mean,
)
from pynomaly.detection.algorithms.season import DAY, WEEK, SeasonProfile
from pynomaly.detection.contract import FloatMatrix, State, Times

WINDOW = 24
"""Steps that the features of a step look back."""
_SHORT = 4

NAMES = (
    "level",
    "residual",
    "residual_mean",
    "jump",
    "slope",
    "spread",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
)
RESIDUAL = NAMES.index("residual")
VALUES = 6
"""How many of ``NAMES``, from the first, speak of values and not of the calendar."""

FeatureArray = NDArray[np.float32]
"""float32 ``[series, steps, features]``."""


@dataclass(slots=True)
class Features:
    """Makes the features of series, each in its own usual unit.

    Level: from the median. Residual: from the season; its mean over four steps. Jump: from the
    step before. Slope: the newer half of a window against the older. Spread: the logarithm of
    the window's standard deviation against the usual one. All in robust standard deviations.
    Hour and weekday: as points on a circle, after two days and two weeks. Where there is too
    little to say, 0.
    """

    season: SeasonProfile
    center: NDArray[np.float64]
    sigma: NDArray[np.float64]
    residual_sigma: NDArray[np.float64]
    units: NDArray[np.float64]
    """float64 ``[series, VALUES]``: the usual size of each feature."""
    calendar: NDArray[np.bool_]
    """Whether hours, and whether weekdays, were seen often enough to say anything."""

    @classmethod
    def fit(cls, values: FloatMatrix, times: Times, season: str) -> tuple[Self, FeatureArray]:
        """Learn the units from training values, and give their features, out of sample."""
        profile = SeasonProfile.fit(values, times, season)
        expected = profile.foreseen(values, times)
        center = median_of(values)
        size = np.abs(center)
        maker = cls(
            profile,
            center,
            sigma_of(values - center[:, np.newaxis], size),
            sigma_of(values - expected, size),
            np.ones((len(values), VALUES)),
            _calendar_known(times, season),
        )
        raw = maker._raw(values, expected)
        usual = [sigma_of(each - median_of(each)[:, np.newaxis]) for each in raw]
        maker.units = np.stack(usual, axis=1)
        return maker, maker._finish(raw, times)

    def make(self, values: FloatMatrix, times: Times) -> FeatureArray:
        """The features of other steps of the same series."""
        return self._finish(self._raw(values, self.season.expected(times)), times)

    def expected(self, at: Times) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the season says of the one step ``at``, and the unit of residuals, ``[series]``."""
        unit: NDArray[np.float64] = self.residual_sigma * self.units[:, RESIDUAL]
        return self.season.expected(at)[:, 0], unit

    def state(self) -> State:
        """The arrays, by name."""
        names = ("center", "sigma", "residual_sigma", "units", "calendar")
        return {
            **{name: getattr(self, name) for name in names},
            **prefixed("season", self.season.state()),
        }

    @classmethod
    def of_state(cls, state: State) -> Self:
        """What ``state`` gave."""
        return cls(
            SeasonProfile.of_state(under("season", state)),
            state["center"],
            state["sigma"],
            state["residual_sigma"],
            state["units"],
            state["calendar"],
        )

    def _raw(self, values: FloatMatrix, expected: FloatMatrix) -> list[FloatMatrix]:
        residual = standard(values, expected, self.residual_sigma)
        recent = trailing_mean(residual, WINDOW // 2)
        before = np.full_like(recent, np.nan)
        before[:, WINDOW // 2 :] = recent[:, : -(WINDOW // 2)]
        last = np.full_like(residual, np.nan)
        last[:, 1:] = residual[:, :-1]
        return [
            standard(values, self.center, self.sigma),
            residual,
            trailing_mean(residual, _SHORT),
            residual - last,
            recent - before,
            np.log1p(trailing_deviation(residual, WINDOW)),
        ]

    def _finish(self, raw: list[FloatMatrix], times: Times) -> FeatureArray:
        series, steps = raw[0].shape
        found = np.zeros((series, steps, len(NAMES)), dtype=np.float32)
        for i, each in enumerate(raw):
            scaled = each / self.units[:, i, np.newaxis]
            found[:, :, i] = np.nan_to_num(scaled, nan=0.0)
        found[:, :, VALUES:] = _calendar(times) * np.repeat(self.calendar, 2)
        return found


def _calendar_known(times: Times, season: str) -> NDArray[np.bool_]:
    span = len(times) * interval_of(times)
    return np.array([span >= 2 * DAY, span >= 2 * WEEK]) & (season != "none")


def _calendar(times: Times) -> NDArray[np.float64]:
    """Hour of the day and day of the week, ``[steps, 4]``, each on the circle of radius 1."""
    hour = 2 * np.pi * (times % DAY) / DAY
    weekday = 2 * np.pi * (times // DAY % 7) / 7
    return np.stack((np.sin(hour), np.cos(hour), np.sin(weekday), np.cos(weekday)), axis=1)
