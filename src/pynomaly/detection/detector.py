"""The detectors for data that one has at hand: ``AnomalyDetector``."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import Choices, interval_of
from pynomaly.detection.algorithms.calibration import (
    MIN_POINTS,
    RARITY_INDEX,
    Calibration,
    rarity_of,
)
from pynomaly.detection.algorithms.registry import detector
from pynomaly.detection.contract import FloatMatrix
from pynomaly.detection.tabular import Even, Table, even, table_of


class AnomalyDetector:
    """Finds what is unusual in data, after it was shown usual data.

    Data is a list or array ``[rows]`` or ``[rows, columns]``, or a Series or DataFrame of pandas or
    polars; rows are in the order of time. With times - pandas' index of dates, or a column of
    them - hours and weekdays count, in local time. A row is as unusual as the most unusual of its
    columns, and judged by itself and the rows before it alone.

    >>> import numpy as np
    >>> usual = np.random.default_rng(1).normal(50.0, 5.0, 2000)
    >>> detector = AnomalyDetector(contamination=0.01, algorithm="statistical").fit(usual)
    >>> detector.detect_anomalies([49.0, 95.0, 52.0]).tolist()
    [False, True, False]

    Args:
        contamination: The share of the training rows that is taken to be anomalous: that decides
            what ``detect_anomalies`` finds. Above 0, at most 0.5.
        algorithm: ``isolation_forest``, ``dbscan``, ``statistical``, ``seasonal``,
            ``matrix_profile`` or ``ensemble``. The first two and the last need scikit-learn.
        season: ``auto``, ``none``, ``daily`` or ``weekly``; without times there is none.
        seed: Of what is drawn at random.

    Raises:
        ValueError: a parameter has no meaning.
        BadInput: there is no such algorithm.
    """

    def __init__(
        self,
        contamination: float = 0.1,
        *,
        algorithm: str = "ensemble",
        season: str = "auto",
        seed: int = 0,
    ) -> None:
        self.contamination = contamination
        self.algorithm = algorithm
        self._choices = Choices(contamination=contamination, season=season, seed=seed)
        self._detector = detector(algorithm, self._choices)
        self._calibration: Calibration | None = None
        self._training: Table | None = None
        self._interval = 0
        self._end = 0

    @property
    def threshold(self) -> float:
        """The score that the ``contamination`` share of the training rows passes.

        Raises:
            ValueError: not fitted.
        """
        if self._training is None:
            raise ValueError("the detector is not trained: call fit first")
        return self._threshold

    def fit(self, historical_data: Any) -> Self:
        """Learn what is usual; forgets what was learnt before.

        Raises:
            ValueError: fewer than 100 rows, no numbers, or times that do not rise.
            NeedsScikitLearn: the algorithm needs it, and it is not installed.
        """
        table = table_of(historical_data)
        rows = table.values.shape[1]
        if rows < MIN_POINTS:
            raise ValueError(f"there are {rows} rows; at least {MIN_POINTS} are needed to train")
        season = self._choices.season if table.times is not None else "none"
        chosen = Choices(self.contamination, season, seed=self._choices.seed)
        self._detector = detector(self.algorithm, chosen)
        grid = even(table)
        self._interval = round(interval_of(grid.times))
        self._end = int(grid.times[-1])
        highest = _highest(self._detector.fit_score(grid.matrix, grid.local))
        # Of several columns one scores high more often than one alone does.
        self._calibration = (
            Calibration.fit(rarity_of(highest), self._interval, MIN_POINTS, RARITY_INDEX)
            if len(grid.matrix) > 1
            else None
        )
        scores = self._calibrated(highest)
        known = scores[~np.isnan(scores)]
        if not len(known):
            raise ValueError(f"a column has fewer than {MIN_POINTS} values to train on")
        self._threshold = float(np.quantile(known, 1 - self.contamination))
        self._training = table
        return self

    def get_anomaly_scores(self, new_data: Any) -> NDArray[np.float64]:
        """How unusual each row is, ``[rows]``: 0 to 1, NaN where it cannot be said.

        0.5 is passed about once a week by data like the training, and each further 0.1 is ten
        times rarer. Rows without times are taken to follow on the training, a minute apart.

        Raises:
            ValueError: not fitted, other columns than in the training, or times that do not fit.
        """
        if self._training is None:
            raise ValueError("the detector is not trained: call fit first")
        table = table_of(new_data)
        if len(table.values) != len(self._training.values):
            raise ValueError(
                f"{len(table.values)} columns of numbers; trained on {len(self._training.values)}"
            )
        grid = even(table, interval=self._interval, origin=self._end + self._interval)
        before = self._before(table, grid)
        matrix = np.concatenate((before, grid.matrix), axis=1)
        since = np.arange(-before.shape[1], 0) * self._interval
        times = np.concatenate((since + (grid.local[0] if len(grid.local) else 0), grid.local))
        scores = self._detector.score(matrix, times)[:, before.shape[1] :]
        return self._calibrated(_highest(scores))[grid.at]

    def detect_anomalies(self, new_data: Any) -> NDArray[np.bool_]:
        """Which rows are anomalies: those that score above ``threshold``, ``[rows]``.

        Raises:
            ValueError: as ``get_anomaly_scores``.
        """
        found: NDArray[np.bool_] = self.get_anomaly_scores(new_data) > self.threshold
        return found

    def _calibrated(self, highest: FloatMatrix) -> NDArray[np.float64]:
        if self._calibration is not None:
            highest = self._calibration.score(rarity_of(highest))
        scores: NDArray[np.float64] = highest[0]
        return scores

    def _before(self, table: Table, grid: Even) -> FloatMatrix:
        """The end of the training, where the rows follow on it; the context of the first ones."""
        training = self._training
        nothing = np.empty((len(table.values), 0))
        if training is None or not len(grid.times):
            return nothing
        if (table.times is None) != (training.times is None):
            return nothing
        if table.times is None and np.array_equal(table.values, training.values, equal_nan=True):
            return nothing
        gap = (int(grid.times[0]) - self._end) // self._interval - 1
        context = self._detector.context
        if not 0 <= gap < context:
            return nothing
        tail = even(training).matrix[:, -(context - gap) :]
        return np.concatenate((tail, np.full((len(tail), gap), np.nan)), axis=1)


def _highest(scores: FloatMatrix) -> FloatMatrix:
    """The highest score of the columns, ``[1, rows]``."""
    highest: FloatMatrix = np.fmax.reduce(scores, axis=0, keepdims=True)
    return highest
