"""From a detector's own measure to the score with the one meaning: how rare it is.

The measure of the training data says how often a week it passes which height. Beyond the highest
the tail is taken to fall as a power, with an index by B. M. Hill's estimator ("A Simple General
Approach to Inference About the Tail of a Distribution", 1975) drawn towards a prior.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix, State

HALF = 0.5
"""The score of what is to be expected about once a week."""
PER_DECADE = 0.1
"""How much each tenfold rarity adds to the score."""

_WEEK = 604_800.0
_BLOCK = 24
"""Steps whose highest measure counts once, so that one long excursion is one."""
_KNOTS = 33
_RANK = 8
"""The tail begins at so many-th highest block."""
PRIOR_INDEX = 0.2
"""Of a measure's own unit, such as standard deviations."""
RARITY_INDEX = 1.0
"""Of a measure that ``rarity_of`` gave."""
_PRIOR_WEIGHT = 4.0
_LEAST_INDEX = 0.02
_LEAST = 1e-9
MIN_POINTS = 100
"""With fewer training values than this a series is not judged."""


@dataclass(slots=True)
class Calibration:
    """For each series: measures and the scores they have, and the tail beyond.

    ``measures``, ``scores``: ``[series, knots]``, rising. ``start``, ``start_score``, ``index``:
    ``[series]``, the tail; ``start`` is NaN for a series with too few values.
    """

    measures: NDArray[np.float64]
    scores: NDArray[np.float64]
    start: NDArray[np.float64]
    start_score: NDArray[np.float64]
    index: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        measured: FloatMatrix,
        interval: float,
        min_points: int = MIN_POINTS,
        prior: float = PRIOR_INDEX,
    ) -> Self:
        """Learn from the measures ``[series, steps]`` of training data, ``interval`` seconds apart.

        Measures are at least 0 and rise with what is unusual. They should be out of sample: a
        measure of data that the detector has learnt by heart says nothing of the next. ``prior``
        is the index of the tail that is assumed before there is data.
        """
        fitted = [_fit_one(row[np.isfinite(row)], interval, min_points, prior) for row in measured]
        if not fitted:
            empty = np.empty((0, _KNOTS))
            return cls(empty, empty, np.empty(0), np.empty(0), np.empty(0))
        return cls(*(np.array(column) for column in zip(*fitted, strict=True)))

    def score(self, measured: FloatMatrix) -> FloatMatrix:
        """Scores 0 to 1 of measures ``[series, steps]``; NaN where those are, or nothing known."""
        found = np.empty(measured.shape)
        for i, row in enumerate(measured):
            body = np.interp(row, self.measures[i], self.scores[i])
            with np.errstate(divide="ignore", invalid="ignore"):
                beyond = np.log10(np.maximum(row, self.start[i]) / self.start[i]) / self.index[i]
            tail = np.maximum(self.start_score[i] + PER_DECADE * beyond, body)
            found[i] = np.where(row > self.start[i], tail, body)
            found[i][np.isnan(row)] = np.nan
        found[np.isnan(self.start)] = np.nan
        return np.clip(found, 0.0, 1.0)

    def measure_at(self, score: float) -> NDArray[np.float64]:
        """The measure that has this score, ``[series]``; NaN where nothing is known."""
        found = np.empty(len(self.start))
        for i, start_score in enumerate(self.start_score.tolist()):
            if score > start_score:
                decades = (score - start_score) / PER_DECADE
                found[i] = self.start[i] * 10.0 ** (decades * self.index[i])
            else:
                found[i] = np.interp(score, self.scores[i], self.measures[i])
        return np.where(np.isnan(self.start), np.nan, found)

    def state(self) -> State:
        """The arrays, by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_state(cls, state: State) -> Self:
        """What ``state`` gave."""
        return cls(*(state[name] for name in cls.__slots__))


def score_of_rate(per_week: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score of what is to be expected so often a week."""
    return HALF - PER_DECADE * np.log10(per_week)


def rarity_of(scores: FloatMatrix) -> FloatMatrix:
    """Scores as a measure that can be calibrated again: ten times as much is ten times rarer."""
    rarity: FloatMatrix = 10.0 ** ((scores - HALF) / PER_DECADE)
    return rarity


_One = tuple[NDArray[np.float64], NDArray[np.float64], float, float, float]


def _fit_one(values: NDArray[np.float64], interval: float, min_points: int, prior: float) -> _One:
    if len(values) < max(min_points, 1):
        return np.zeros(_KNOTS), np.zeros(_KNOTS), np.nan, 0.0, 1.0
    weeks = len(values) * interval / _WEEK
    highest = _highest_of_blocks(values)
    rank = min(_RANK, max(1, len(highest) // 4))
    start = max(float(highest[-rank]), _LEAST)
    start_score = float(score_of_rate(np.array(rank / weeks)))
    measures, scores = _body(np.sort(values), highest, weeks, start, start_score)
    return measures, scores, start, start_score, _tail_index(highest[-rank:], start, prior)


def _highest_of_blocks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    starts = np.arange(0, len(values), _BLOCK)
    return np.sort(np.maximum.reduceat(values, starts))


def _body(
    values: NDArray[np.float64],
    highest: NDArray[np.float64],
    weeks: float,
    start: float,
    start_score: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measures up to where the tail starts: by rank among blocks, below their median by points."""
    middle = float(np.median(highest))
    middle_score = float(score_of_rate(np.array(max(len(highest) / 2, 1.0) / weeks)))
    low = np.linspace(0.0, 1.0, _KNOTS // 2)
    below = np.quantile(values[values <= middle], low) if (values <= middle).any() else low * middle
    share = np.linspace(0.5, 1.0, _KNOTS - len(low))
    above = np.quantile(highest, share)
    left = np.maximum((1.0 - share) * len(highest), 0.5)
    scores = np.concatenate((low * max(middle_score, 0.0), score_of_rate(left / weeks)))
    measures = np.concatenate((below, above))
    # Of equal measures the first counts: its rate is that of all of them together.
    measures, first = np.unique(measures, return_index=True)
    scores = np.clip(np.maximum.accumulate(scores), 0.0, max(start_score, 0.0))[first]
    known = int(np.count_nonzero(measures < start))
    padded = np.full(_KNOTS, start), np.full(_KNOTS, max(start_score, 0.0))
    padded[0][:known], padded[1][:known] = measures[:known], scores[:known]
    return padded


def _tail_index(top: NDArray[np.float64], start: float, prior: float) -> float:
    """Of a survival that falls as ``(measure / start) ** (-1 / index)``."""
    beyond = np.log(np.maximum(top, start) / start)
    hill = float(beyond.sum())
    index = (hill + _PRIOR_WEIGHT * prior) / (len(top) - 1 + _PRIOR_WEIGHT)
    return max(index, _LEAST_INDEX)
