"""Several measures of one series as one: each by its own rarity, then the rarest of them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import prefixed, under
from pynomaly.detection.algorithms.calibration import Calibration, rarity_of
from pynomaly.detection.contract import FloatMatrix, State


@dataclass(slots=True)
class Rarest:
    """Calibrates each measure by itself, so that their units do not matter, and takes the highest.

    The result is a measure itself, to be calibrated again: of several, one is high more often.
    """

    parts: list[Calibration]

    @classmethod
    def fit(
        cls, measures: list[FloatMatrix], interval: float, min_points: int
    ) -> tuple[Self, FloatMatrix]:
        """Learn from training measures, each ``[series, steps]``; also gives them combined."""
        rarest = cls([Calibration.fit(each, interval, min_points) for each in measures])
        return rarest, rarest.of(measures)

    def of(self, measures: list[FloatMatrix]) -> FloatMatrix:
        """The rarity of the rarest measure, ``[series, steps]``, NaN where none has one."""
        return rarity_of(combined(self._scores(measures)))

    def rarest(self, measures: list[FloatMatrix]) -> NDArray[np.int64]:
        """Which measure is the rarest at the last step, ``[series]``."""
        newest = np.array([score[:, -1] for score in self._scores(measures)])
        found: NDArray[np.int64] = np.nan_to_num(newest, nan=-1.0).argmax(axis=0)
        return found

    def _scores(self, measures: list[FloatMatrix]) -> list[FloatMatrix]:
        return [part.score(each) for part, each in zip(self.parts, measures, strict=True)]

    def state(self) -> State:
        """The arrays, by name."""
        named = (prefixed(str(i), part.state()) for i, part in enumerate(self.parts))
        return {name: array for arrays in named for name, array in arrays.items()}

    @classmethod
    def of_state(cls, state: State) -> Self:
        """What ``state`` gave."""
        numbers = sorted({int(name.partition(".")[0]) for name in state})
        return cls([Calibration.of_state(under(str(i), state)) for i in numbers])


def combined(scores: list[FloatMatrix]) -> FloatMatrix:
    """The highest of several scores where any is known, else NaN."""
    highest: FloatMatrix = np.fmax.reduce(scores)
    return highest
