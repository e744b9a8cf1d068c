"""What the trained detectors have in common: clean input, calibration, their state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.calibration import MIN_POINTS, PRIOR_INDEX, Calibration
from pynomaly.detection.contract import FloatMatrix, State, Times, Usual

MINUTE = 60
"""Seconds that steps are apart where nothing is said."""
_MOST = 1e15
_CLOCK_CHANGES = (0, 3600, -3600, 1800, -1800)
"""By how much local time leaps where daylight saving begins or ends."""
SEASONS = ("auto", "none", "daily", "weekly")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chooses of a detector.

    ``contamination``: the share of the training data that may be anomalous, above 0 and at most
    0.5. ``season``: one of ``SEASONS``. ``min_points``: with fewer values than this in training a
    series is not judged. ``seed``: of whatever is drawn at random.
    """

    contamination: float = 0.1
    season: str = "auto"
    min_points: int = MIN_POINTS
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            ValueError: which, and what is expected.
        """
        if not 0 < self.contamination <= 0.5:
            raise ValueError(f"contamination is {self.contamination}; above 0, at most 0.5")
        if self.season not in SEASONS:
            raise ValueError(f"season is {self.season!r}; one of {', '.join(SEASONS)}")


class TrainedDetector(ABC):
    """A ``Detector`` whose own measure of the unusual is calibrated by its training data.

    A subclass gives ``_learn`` and ``_measure``. The training needs not be without anomalies:
    medians and tails bear ``contamination`` of it.
    """

    name: ClassVar[str]
    prior_index: ClassVar[float] = PRIOR_INDEX
    """Of the tail of its measure."""
    context: int = 0

    def __init__(self, choices: Choices | None = None) -> None:
        self.choices = choices or Choices()
        self._calibration: Calibration | None = None

    def fit(self, matrix: FloatMatrix, times: Times | None = None) -> None:
        """Learn what is usual for each series of ``[series, steps]``.

        Raises:
            ValueError: the times do not fit the matrix, or do not rise evenly.
        """
        self.fit_score(matrix, times)

    def fit_score(self, matrix: FloatMatrix, times: Times | None = None) -> FloatMatrix:
        """Learn, and score the training data itself, as far as possible out of sample."""
        times = _checked(matrix, times)
        values = bounded(matrix)
        measured = np.where(np.isnan(values), np.nan, self._learn(values, times))
        self._calibration = Calibration.fit(
            measured, interval_of(times), self.choices.min_points, self.prior_index
        )
        return self._calibration.score(measured)

    def score(self, matrix: FloatMatrix, times: Times | None = None) -> FloatMatrix:
        """Score each value of ``[series, steps]``: 0 to 1, NaN where it cannot be said.

        Raises:
            ValueError: not fitted, other rows than those of ``fit``, or times that do not fit.
        """
        times = _checked(matrix, times)
        calibration = self._calibration_of(len(matrix))
        values = bounded(matrix)
        measured = np.where(np.isnan(values), np.nan, self._measure(values, times))
        return calibration.score(measured)

    def newest(self, matrix: FloatMatrix, times: Times) -> NDArray[np.float64]:
        """The score of the last step alone, ``[series]``: reads no more than its context.

        Raises:
            ValueError: as ``score``; or there is no step.
        """
        since = max(0, matrix.shape[1] - self.context - 1)
        return self.score(matrix[:, since:], times[since:])[:, -1]

    def usual(self, matrix: FloatMatrix, times: Times) -> Usual:
        """What was to be expected at the last step; read from the steps that ``newest`` reads.

        Raises:
            ValueError: as ``score``.
        """
        self._calibration_of(len(matrix))
        return self._usual(times[-1:])

    def reasons(self, matrix: FloatMatrix, times: Times) -> list[str]:
        """The feature by which the last step of each series is most unusual, in a word.

        Raises:
            ValueError: as ``score``; or there is no step.
        """
        self._calibration_of(len(matrix))
        since = max(0, matrix.shape[1] - self.context - 1)
        return self._reasons(bounded(matrix[:, since:]), times[since:])

    def state(self) -> State:
        """What was learnt.

        Raises:
            ValueError: nothing was.
        """
        if self._calibration is None:
            raise ValueError("the detector is not trained: call fit first")
        chosen = {key: np.array(value) for key, value in asdict(self.choices).items()}
        return {
            "name": np.array(self.name),
            "context": np.array(self.context),
            **prefixed("choices", chosen),
            **prefixed("calibration", self._calibration.state()),
            **prefixed("learnt", self._learnt()),
        }

    @classmethod
    def of_state(cls, state: State) -> Self:
        """The detector that gave ``state``.

        Raises:
            KeyError, ValueError: another version or another detector wrote it.
        """
        if str(state["name"]) != cls.name:
            raise ValueError(f"this is the state of {state['name']}, not of {cls.name}")
        chosen = {key: value.item() for key, value in under("choices", state).items()}
        detector = cls(Choices(**chosen))
        detector.context = int(state["context"])
        detector._calibration = Calibration.of_state(under("calibration", state))
        detector._restore(under("learnt", state))
        return detector

    def _calibration_of(self, series: int) -> Calibration:
        if self._calibration is None:
            raise ValueError("the detector is not trained: call fit first")
        known = len(self._calibration.start)
        if series != known:
            raise ValueError(f"{series} series; the detector is trained on {known}")
        return self._calibration

    @abstractmethod
    def _learn(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        """Learn, and give the measure of each training value; finite values and NaN only."""

    @abstractmethod
    def _measure(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        """The measure of each value: at least 0, higher where it is more unusual."""

    @abstractmethod
    def _usual(self, at: Times) -> Usual:
        """What is to be expected at the one step ``at``."""

    @abstractmethod
    def _reasons(self, values: FloatMatrix, times: Times) -> list[str]:
        """The feature that stands out at the last step of each series."""

    @abstractmethod
    def _learnt(self) -> State: ...

    @abstractmethod
    def _restore(self, state: State) -> None: ...


def bounded(matrix: FloatMatrix) -> FloatMatrix:
    """Values without infinities: those are taken as very large."""
    return np.clip(np.asarray(matrix, dtype=np.float64), -_MOST, _MOST)


def interval_of(times: Times) -> float:
    """Seconds between steps."""
    return float(np.median(np.diff(times))) if len(times) > 1 else float(MINUTE)


def _checked(matrix: FloatMatrix, times: Times | None) -> Times:
    if matrix.ndim != 2:
        raise ValueError(f"a matrix [series, steps] is expected, not {matrix.ndim} dimensions")
    steps = matrix.shape[1]
    if times is None:
        return np.arange(steps, dtype=np.int64) * MINUTE
    if times.shape != (steps,):
        raise ValueError(f"{steps} steps, but times of shape {times.shape}")
    interval = interval_of(times)
    if interval <= 0 or not np.isin(np.diff(times) - interval, _CLOCK_CHANGES).all():
        raise ValueError("the times are not evenly spaced and rising")
    return times.astype(np.int64)


def prefixed(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays with their names below another."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def under(prefix: str, arrays: State) -> dict[str, NDArray[Any]]:
    """The arrays whose names are below this one, without it."""
    start = f"{prefix}."
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}
