"""What a series usually is at this hour, of the day or of the week."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import interval_of
from pynomaly.detection.algorithms.robust import median_of
from pynomaly.detection.contract import FloatMatrix, State, Times

DAY = 86_400
WEEK = 7 * DAY
_MONDAY = 4 * DAY  # the epoch was a Thursday
_SLOT = 300
"""The least width of a slot in seconds: a job of five minutes keeps its place."""
_LEAST_CYCLES = 2
_GAIN = 0.97
"""A season must foresee this much better than none, or it is not one."""


@dataclass(slots=True)
class SeasonProfile:
    """The median of each slot of a day and of a week, and which of them foresees each series.

    ``daily`` and ``weekly``: float32 ``[series, slots]``; NaN where nothing was seen. ``chosen``:
    int8 ``[series]``, 0 none, 1 daily, 2 weekly. ``level``: the median, ``[series]``. ``slot``:
    seconds of a slot.
    """

    daily: NDArray[np.float32]
    weekly: NDArray[np.float32]
    chosen: NDArray[np.int8]
    level: NDArray[np.float64]
    slot: int

    @classmethod
    def fit(cls, values: FloatMatrix, times: Times, season: str = "auto") -> Self:
        """Learn from training values ``[series, steps]``.

        ``auto`` takes for each series what foresees one half of the days best from the other
        half. A season of which fewer than two whole cycles were seen is not taken.
        """
        profile = cls.blank(values, times)
        span = len(times) * interval_of(times)
        if season in ("auto", "daily") and span >= _LEAST_CYCLES * DAY:
            profile.daily = profile.medians(values, times, DAY)
        if season in ("auto", "weekly") and span >= _LEAST_CYCLES * WEEK:
            profile.weekly = profile.medians(values, times, WEEK)
        if season == "auto":
            profile.chosen = profile._best(values, times)
        else:
            kinds = ((profile.weekly, 2), (profile.daily, 1))
            kind = next((number for slots, number in kinds if slots.shape[1]), 0)
            profile.chosen = np.full(len(values), kind, dtype=np.int8)
        return profile

    @classmethod
    def blank(cls, values: FloatMatrix, times: Times) -> Self:
        """No season, only the level."""
        none = np.empty((len(values), 0), dtype=np.float32)
        slot = max(_SLOT, round(interval_of(times)))
        chosen = np.zeros(len(values), dtype=np.int8)
        return cls(none, none, chosen, median_of(values), slot)

    def expected(self, times: Times) -> FloatMatrix:
        """What is usual at these times, ``[series, steps]``; the level where nothing was seen."""
        found = np.repeat(self.level[:, np.newaxis], len(times), axis=1)
        for number, profile, cycle in ((1, self.daily, DAY), (2, self.weekly, WEEK)):
            rows = np.flatnonzero(self.chosen == number)
            if len(rows) and profile.shape[1]:
                at = profile[rows][:, self._slots(times, cycle)]
                found[rows] = np.where(np.isnan(at), found[rows], at)
        return found

    def foreseen(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        """What the other half of the cycles says of each training value: out of sample."""
        found = np.repeat(self.level[:, np.newaxis], len(times), axis=1)
        for number, cycle in ((1, DAY), (2, WEEK)):
            rows = np.flatnonzero(self.chosen == number)
            if len(rows):
                said = self._across(values[rows], times, cycle)
                found[rows] = np.where(np.isnan(said), found[rows], said)
        return found

    def medians(self, values: FloatMatrix, times: Times, cycle: int) -> NDArray[np.float32]:
        """The median of each slot of the cycle, float32 ``[series, slots]``."""
        slots = self._slots(times, cycle)
        count = -(-cycle // self.slot)
        order = np.argsort(slots, kind="stable")
        inside = slots[order]
        place = np.arange(len(order)) - np.searchsorted(inside, inside)
        deepest = int(place.max(initial=-1)) + 1
        at = np.full((count, deepest), -1, dtype=np.int64)
        at[inside, place] = order
        found = np.empty((len(values), count), dtype=np.float32)
        for i, row in enumerate(values):  # one at a time: all slots of all would double the memory
            found[i] = median_of(np.append(row, np.nan)[at])
        return found

    def state(self) -> State:
        """The arrays, by name."""
        return {name: np.asarray(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def of_state(cls, state: State) -> Self:
        """What ``state`` gave."""
        slot = int(state["slot"])
        return cls(state["daily"], state["weekly"], state["chosen"], state["level"], slot)

    def _slots(self, times: Times, cycle: int) -> NDArray[np.int64]:
        return (times - _MONDAY) % cycle // self.slot

    def _across(self, values: FloatMatrix, times: Times, cycle: int) -> FloatMatrix:
        odd = (times - _MONDAY) // cycle % 2 == 1
        found = np.full(values.shape, np.nan)
        for mine, other in ((odd, ~odd), (~odd, odd)):
            profile = self.medians(values[:, other], times[other], cycle)
            found[:, mine] = profile[:, self._slots(times[mine], cycle)]
        return found

    def _best(self, values: FloatMatrix, times: Times) -> NDArray[np.int8]:
        errors = [_error(values, self.level[:, np.newaxis])]
        for profile, cycle in ((self.daily, DAY), (self.weekly, WEEK)):
            if profile.shape[1]:
                errors.append(_error(values, self._across(values, times, cycle)) / _GAIN)
            else:
                errors.append(np.full(len(values), np.inf))
        best: NDArray[np.int8] = np.argmin(np.array(errors), axis=0).astype(np.int8)
        return best


def _error(values: FloatMatrix, said: FloatMatrix) -> NDArray[np.float64]:
    away = np.abs(values - said)
    seen = ~np.isnan(away)
    total = np.where(seen, away, 0.0).sum(axis=1)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.inf)
