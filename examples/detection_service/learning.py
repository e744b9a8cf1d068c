"""The model: an isolation forest over readings, and how far the readings have moved since."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from detection_service.plant import BAD_SHARE, Readings

MODEL = "isolation_forest"
VERSION = "1"
"""Of the recipe below; training anew by the same recipe is no new version."""

_BINS = 10
_TREES = 30


@dataclass(frozen=True, slots=True)
class Model:
    """A trained forest, with the distribution of what it was trained on."""

    forest: Any
    edges: NDArray[np.float64]
    """``[features, bins - 1]``: the deciles of the training data."""

    def judge(self, rows: Readings) -> NDArray[np.bool_]:
        """Which of the readings are anomalous."""
        flags: NDArray[np.bool_] = self.forest.predict(rows) < 0
        return flags

    def drift(self, rows: Readings) -> float:
        """How far readings are from the training data; 0 is not at all, above 0.2 is a lot.

        The population stability index, ``Σ (p - q) · ln(p / q)`` over the deciles of the training
        data, of the feature where it is greatest. Source: N. Siddiqi, "Credit Risk Scorecards"
        (Wiley, 2006).
        """
        return max(_stability(rows[:, i], edges) for i, edges in enumerate(self.edges))


def train(rows: Readings) -> Model:
    """Train a model on readings of which a few, as ever, are of machines that are not well."""
    forest = IsolationForest(n_estimators=_TREES, contamination=BAD_SHARE, random_state=1)
    forest.fit(rows)
    deciles = np.linspace(0, 1, _BINS + 1)[1:-1]
    return Model(forest, np.quantile(rows, deciles, axis=0).T)


def _stability(values: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    counts = np.bincount(np.searchsorted(edges, values), minlength=_BINS)
    # Half a reading more in each bin, so that an empty one does not make the logarithm infinite.
    share = (counts + 0.5) / (len(values) + 0.5 * _BINS)
    return float(np.sum((share - 1 / _BINS) * np.log(share * _BINS)))


def as_rows(values: Sequence[Sequence[float]]) -> Readings:
    """Readings as a matrix."""
    return np.array(values, dtype=np.float64)
