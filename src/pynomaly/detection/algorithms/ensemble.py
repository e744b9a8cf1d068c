"""Several detectors as one."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import Choices, TrainedDetector, prefixed, under
from pynomaly.detection.algorithms.calibration import RARITY_INDEX, rarity_of
from pynomaly.detection.algorithms.combination import combined
from pynomaly.detection.algorithms.isolation_forest import IsolationForest
from pynomaly.detection.algorithms.matrix_profile import MatrixProfile
from pynomaly.detection.algorithms.seasonal import Seasonal
from pynomaly.detection.algorithms.statistical import Statistical
from pynomaly.detection.contract import FloatMatrix, State, Times, Usual

MEMBERS: tuple[type[TrainedDetector], ...] = (
    Seasonal,
    Statistical,
    MatrixProfile,
    IsolationForest,
)


class Ensemble(TrainedDetector):
    """The mean of the highest score and of the mean score of its members, calibrated again.

    What one finds alone counts; what several agree on counts more.
    """

    name: ClassVar[str] = "ensemble"
    prior_index: ClassVar[float] = RARITY_INDEX

    def __init__(
        self,
        choices: Choices | None = None,
        members: Sequence[type[TrainedDetector]] = MEMBERS,
    ) -> None:
        super().__init__(choices)
        self.members = [member(self.choices) for member in members]

    def newest(self, matrix: FloatMatrix, times: Times) -> NDArray[np.float64]:
        """As its members: each reads its own context alone."""
        calibration = self._calibration_of(len(matrix))
        scores = [member.newest(matrix, times)[:, np.newaxis] for member in self.members]
        measured = np.where(np.isnan(matrix[:, -1:]), np.nan, _agreed(scores))
        return calibration.score(measured)[:, 0]

    def _usual(self, at: Times) -> Usual:
        """As its first member, which knows the season."""
        return self.members[0]._usual(at)

    def _reasons(self, values: FloatMatrix, times: Times) -> list[str]:
        """The member that finds it most unusual, and its feature."""
        newest = np.array([member.newest(values, times) for member in self.members])
        found = np.nan_to_num(newest, nan=-1.0).argmax(axis=0).tolist()
        of = {which: self.members[which].reasons(values, times) for which in set(found)}
        return [f"{self.members[which].name}/{of[which][i]}" for i, which in enumerate(found)]

    def _learn(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        scores = [member.fit_score(values, times) for member in self.members]
        self.context = max((member.context for member in self.members), default=0)
        return _agreed(scores)

    def _measure(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        return _agreed([member.score(values, times) for member in self.members])

    def _learnt(self) -> State:
        named = (prefixed(member.name, member.state()) for member in self.members)
        return {name: array for arrays in named for name, array in arrays.items()}

    def _restore(self, state: State) -> None:
        known = {name.partition(".")[0] for name in state}
        kinds = [kind for kind in MEMBERS if kind.name in known]
        self.members = [kind.of_state(under(kind.name, state)) for kind in kinds]


def _agreed(scores: list[FloatMatrix]) -> FloatMatrix:
    stacked = np.array(scores)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean = total / np.maximum(known.sum(axis=0), 1)
    return rarity_of(0.5 * (combined(scores) + mean))
