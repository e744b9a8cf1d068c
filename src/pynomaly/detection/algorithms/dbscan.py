"""DBSCAN: what lies outside of all dense regions is unusual.

M. Ester, H.-P. Kriegel, J. Sander and X. Xu, "A Density-Based Algorithm for Discovering Clusters"
(KDD, 1996). The core points of a sample of the windows are kept; how far a new window is from the
nearest, in units of the radius, is the measure: beyond 1 it would be noise.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.features import NAMES
from pynomaly.detection.algorithms.robust import squared_distances
from pynomaly.detection.algorithms.windows import Rows, WindowDetector, scikit_learn
from pynomaly.detection.contract import State

SAMPLE = 1500
"""Windows that are clustered, spread evenly over the training: the work grows with the square."""
NEIGHBOURS = 10
_BLOCK_ROWS = 4096
_LEAST_RADIUS = 0.05


@dataclass(slots=True)
class Density:
    """The core points of one series, float32 ``[points, features]``, and the radius."""

    cores: Rows
    radius: float


class Dbscan(WindowDetector[Density]):
    """Distance to the nearest core point of the series' windows of features, by the radius.

    The radius is such that a ``contamination`` share of the sample has fewer than ten neighbours
    within it.
    """

    name: ClassVar[str] = "dbscan"

    def _prepare(self) -> None:
        scikit_learn("cluster", self.name)

    def _teach(self, rows: Rows) -> Density:
        if len(rows) <= NEIGHBOURS:
            return Density(np.empty((0, len(NAMES)), dtype=np.float32), 1.0)
        sample = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.int64)]
        radius = self._radius(sample)
        kind = scikit_learn("cluster", self.name).DBSCAN
        clusters = kind(eps=radius, min_samples=NEIGHBOURS).fit(sample)
        return Density(sample[clusters.core_sample_indices_], radius)

    def _radius(self, sample: Rows) -> float:
        """The distance to the tenth neighbour, itself included, that the share passes."""
        distances = squared_distances(sample, sample)
        tenth = np.partition(distances, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
        radius = float(np.sqrt(np.quantile(tenth, 1 - self.choices.contamination)))
        return max(radius, _LEAST_RADIUS)

    def _distance(self, model: Density, rows: Rows) -> NDArray[np.float64]:
        if not len(model.cores):
            return np.ones(len(rows))
        found = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            found[block] = np.sqrt(squared_distances(rows[block], model.cores).min(axis=1))
        return found / model.radius

    def _packed(self, models: list[Density]) -> State:
        none = np.empty((0, len(NAMES)), dtype=np.float32)
        return {
            "cores": np.concatenate([*(each.cores for each in models), none]),
            "counts": np.array([len(each.cores) for each in models], dtype=np.int64),
            "radius": np.array([each.radius for each in models], dtype=np.float64),
        }

    def _unpacked(self, state: State) -> list[Density]:
        ends = np.cumsum(state["counts"])
        cores = np.split(state["cores"], ends[:-1]) if len(ends) else []
        return [Density(c, float(r)) for c, r in zip(cores, state["radius"], strict=True)]
