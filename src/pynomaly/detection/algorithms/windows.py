"""Detectors that learn from windows of features, series by series."""

import importlib
from abc import abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import (
    Choices,
    TrainedDetector,
    interval_of,
    prefixed,
    under,
)
from pynomaly.detection.algorithms.features import NAMES, RESIDUAL, VALUES, WINDOW, Features
from pynomaly.detection.algorithms.season import DAY
from pynomaly.detection.contract import FloatMatrix, State, Times, Usual
from pynomaly.model.errors import PynomalyError

Rows = NDArray[np.float32]
"""float32 ``[rows, features]``."""

Model = TypeVar("Model")


class NeedsScikitLearn(PynomalyError):
    """scikit-learn is not installed."""

    status = 501
    kind = "not_installed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} needs scikit-learn, which is not installed.",
            hint="pip install 'pynomaly-monitoring[ml]'",
        )


def scikit_learn(part: str, name: str) -> Any:
    """A part of scikit-learn, imported when it is needed first.

    Raises:
        NeedsScikitLearn: the algorithm of this name needs it, and it is not there.
    """
    try:
        return importlib.import_module(f"sklearn.{part}")
    except ImportError as error:
        raise NeedsScikitLearn(name) from error


class WindowDetector(TrainedDetector, Generic[Model]):
    """Learns a model of each series' features; calibrates it on the half it was not taught.

    Days are taught in turn to two models, each of which judges the days of the other; what judges
    later is taught all of them. A subclass gives ``_teach`` and ``_distance`` of one series.
    """

    def __init__(self, choices: Choices | None = None) -> None:
        super().__init__(choices)
        self.context = WINDOW + 1
        self._features: Features | None = None
        self._models: list[Model] = []
        self._low: NDArray[np.float32] = np.empty((0, VALUES), dtype=np.float32)
        self._high = self._low
        self._middle: NDArray[np.float32] = np.empty((0, len(NAMES)), dtype=np.float32)

    def _learn(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        self._prepare()
        self._features, made = Features.fit(values, times, self.choices.season)
        folds, seen = _folds(times), ~np.isnan(values)
        found = np.full(values.shape, np.nan)
        self._models = []
        self._low = np.zeros((len(values), VALUES), dtype=np.float32)
        self._high = self._low.copy()
        self._middle = np.zeros((len(values), len(NAMES)), dtype=np.float32)
        for i, rows in enumerate(made):
            halves = []
            for mine, other in ((folds, ~folds), (~folds, folds)):
                taught = rows[seen[i] & other]
                if len(taught):
                    halves.append(self._teach(taught))
                    found[i, mine] = self._judged(halves[-1], *_range(taught), rows[mine])
            self._models.append(self._together(halves, rows[seen[i]]))
            self._low[i], self._high[i] = _range(rows[seen[i]])
            if seen[i].any():
                self._middle[i] = np.median(rows[seen[i]], axis=0)
        return found

    def _measure(self, values: FloatMatrix, times: Times) -> FloatMatrix:
        assert self._features is not None
        made = self._features.make(values, times)
        found = np.empty(values.shape)
        for i, model in enumerate(self._models):
            found[i] = self._judged(model, self._low[i], self._high[i], made[i])
        return found

    def _usual(self, at: Times) -> Usual:
        """The season, and how far from it the training was."""
        assert self._features is not None
        expected, unit = self._features.expected(at)
        far = (self._low[:, RESIDUAL] * unit, self._high[:, RESIDUAL] * unit)
        return Usual(expected, expected + far[0], expected + far[1])

    def _reasons(self, values: FloatMatrix, times: Times) -> list[str]:
        """The feature without which the last step would be the least unusual."""
        assert self._features is not None
        newest = self._features.make(values, times)[:, -1]
        found = []
        for i, (model, row) in enumerate(zip(self._models, newest, strict=True)):
            without = np.repeat(row[np.newaxis], len(NAMES), axis=0)
            np.fill_diagonal(without, self._middle[i])
            left = self._judged(model, self._low[i], self._high[i], without)
            found.append(NAMES[int(left.argmin())])
        return found

    def _judged(self, model: Model, low: Rows, high: Rows, rows: Rows) -> NDArray[np.float64]:
        """The model's distance, times how far the values are beyond all that it was taught.

        A forest or a density cannot tell a little beyond from far beyond.
        """
        values = rows[:, :VALUES]
        width = np.maximum(high - low, np.float32(1e-3))
        beyond = np.maximum((low - values) / width, (values - high) / width).max(axis=1)
        found: NDArray[np.float64] = self._distance(model, rows) * (1.0 + np.maximum(beyond, 0.0))
        return found

    def _learnt(self) -> State:
        assert self._features is not None
        arrays = {
            **prefixed("features", self._features.state()),
            "low": self._low,
            "high": self._high,
            "middle": self._middle,
        }
        return {**arrays, **self._packed(self._models)}

    def _restore(self, state: State) -> None:
        self._features = Features.of_state(under("features", state))
        self._low, self._high, self._middle = state["low"], state["high"], state["middle"]
        self._models = self._unpacked(state)

    def _prepare(self) -> None:
        """Import what teaching needs.

        Raises:
            NeedsScikitLearn: it is not there.
        """

    @abstractmethod
    def _teach(self, rows: Rows) -> Model:
        """A model of the features of one series; there may be no row at all."""

    def _together(self, halves: list[Model], rows: Rows) -> Model:
        """What judges later: taught all the rows, or made of the models of their halves."""
        return self._teach(rows)

    @abstractmethod
    def _distance(self, model: Model, rows: Rows) -> NDArray[np.float64]:
        """How unlike what was taught each row is: above 0, the higher the less alike."""

    @abstractmethod
    def _packed(self, models: list[Model]) -> State: ...

    @abstractmethod
    def _unpacked(self, state: State) -> list[Model]: ...


def _folds(times: Times) -> NDArray[np.bool_]:
    """Which half each step belongs to: days in turn, or eighths of what is shorter."""
    per_day = max(1, round(DAY / interval_of(times)))
    block = max(1, min(per_day, len(times) // 8))
    odd: NDArray[np.bool_] = np.arange(len(times)) // block % 2 == 1
    return odd


def _range(rows: Rows) -> tuple[Rows, Rows]:
    if not len(rows):
        nothing = np.zeros(VALUES, dtype=np.float32)
        return nothing, nothing
    values = rows[:, :VALUES]
    return values.min(axis=0), values.max(axis=0)
