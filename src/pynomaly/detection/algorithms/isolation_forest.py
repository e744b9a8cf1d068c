"""Isolation forest: what random cuts set apart soon is unusual.

F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest" (ICDM, 2008). scikit-learn grows the
trees; they are kept and walked as arrays, so that a model is no pickle, and judging with it needs
no scikit-learn.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.windows import Rows, WindowDetector, scikit_learn
from pynomaly.detection.contract import State

TREES = 64
"""Of a forest in use: half of them grown on each half of the training."""
SAMPLE = 128
"""Rows that each tree is grown from; the paper's 256 finds no more here and takes twice."""
_DRAWN_FROM = 4096
"""Rows, spread evenly, that the samples are drawn from: drawing from all takes longer than
growing."""
_BLOCK_ROWS = 512
_EULER = 0.5772156649


@dataclass(slots=True)
class Forest:
    """Trees as arrays ``[trees, nodes]``; a leaf is its own child. ``depth``: the deepest tree.

    ``feature`` int8, ``cut`` float32 (left if at most this), ``left``, ``right`` int16, ``length``
    float32: the path to a leaf with what its rows would still need, normalised to the usual path.
    """

    feature: NDArray[np.int8]
    cut: NDArray[np.float32]
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    length: NDArray[np.float32]
    depth: int

    @classmethod
    def blank(cls) -> "Forest":
        """One that finds nothing unusual."""
        shape = (1, 1)
        return cls(
            np.zeros(shape, dtype=np.int8),
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.int16),
            np.zeros(shape, dtype=np.int16),
            np.ones(shape, dtype=np.float32),
            0,
        )

    def score(self, rows: Rows) -> NDArray[np.float64]:
        """The paper's score, 2 to the power of minus the mean normalised path: 0 to 1."""
        found = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS]
            found[start : start + _BLOCK_ROWS] = self._score(block)
        return found

    def _score(self, rows: Rows) -> NDArray[np.float64]:
        trees, nodes = self.cut.shape
        root = np.arange(trees, dtype=np.intp) * nodes
        children = np.stack((self.right, self.left), axis=2).astype(np.intp)
        children = (children + root[:, np.newaxis, np.newaxis]).ravel()
        feature, cut = self.feature.astype(np.intp).ravel(), self.cut.ravel()
        flat = np.ascontiguousarray(rows).ravel()
        row = np.arange(len(rows), dtype=np.intp)[:, np.newaxis] * rows.shape[1]
        at = np.repeat(root[np.newaxis, :], len(rows), axis=0)
        # No index is out of range; "clip" spares the look, which halves the time.
        for _ in range(self.depth):
            value = np.take(flat, np.take(feature, at, mode="clip") + row, mode="clip")
            goes_left = value <= np.take(cut, at, mode="clip")
            at = np.take(children, 2 * at + goes_left, mode="clip")
        path = np.take(self.length, at, mode="clip").mean(axis=1, dtype=np.float64)
        score: NDArray[np.float64] = np.exp2(-path)
        return score


class IsolationForest(WindowDetector[Forest]):
    """An isolation forest of each series' windows of features.

    ``contamination`` is not needed to grow it: trees are grown from samples of 128 rows, of which
    a share of anomalies does not hide anomalies.
    """

    name: ClassVar[str] = "isolation_forest"

    def _prepare(self) -> None:
        scikit_learn("ensemble", self.name)

    def _teach(self, rows: Rows) -> Forest:
        if len(rows) < 2:
            return Forest.blank()
        drawn = np.linspace(0, len(rows) - 1, min(len(rows), _DRAWN_FROM)).astype(np.int64)
        grown = scikit_learn("ensemble", self.name).IsolationForest(
            n_estimators=TREES // 2,
            max_samples=min(SAMPLE, len(rows)),
            random_state=self.choices.seed,
        )
        return _arrays(grown.fit(rows[drawn]), min(SAMPLE, len(rows)))

    def _together(self, halves: list[Forest], rows: Rows) -> Forest:
        """The trees of both halves; each of them has seen its own half of the days."""
        grown = [each for each in halves if each.depth]
        if len(grown) < 2:
            return self._teach(rows)
        arrays = {
            name: np.concatenate(_padded([getattr(each, name) for each in grown]))
            for name in _ARRAYS
        }
        return Forest(depth=max(each.depth for each in grown), **arrays)

    def _distance(self, model: Forest, rows: Rows) -> NDArray[np.float64]:
        return model.score(rows)

    def _packed(self, models: list[Forest]) -> State:
        trees = max((len(each.cut) for each in models), default=1)
        return {
            "depth": np.array([each.depth for each in models], dtype=np.int16),
            **{name: _stacked(models, name, trees) for name in _ARRAYS},
        }

    def _unpacked(self, state: State) -> list[Forest]:
        feature, cut, left, right, length = (state[name] for name in _ARRAYS)
        return [
            Forest(feature[i], cut[i], left[i], right[i], length[i], depth)
            for i, depth in enumerate(state["depth"].tolist())
        ]


_ARRAYS = ("feature", "cut", "left", "right", "length")


def _padded(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """``[trees, nodes]`` each, with as many nodes as the largest has."""
    nodes = max(array.shape[1] for array in arrays)
    return [np.pad(array, ((0, 0), (0, nodes - array.shape[1]))) for array in arrays]


def _stacked(models: list[Forest], name: str, trees: int) -> NDArray[Any]:
    """``[series, trees, nodes]``; a series without a forest of its own has the blank one often."""
    arrays = [getattr(each, name) for each in models]
    nodes = max((array.shape[1] for array in arrays), default=1)
    kind = getattr(Forest.blank(), name).dtype
    found = np.zeros((len(arrays), trees, nodes), dtype=kind)
    for i, array in enumerate(arrays):
        found[i, :, : array.shape[1]] = array  # a blank one has one tree, which stands for all
    return found


def _arrays(grown: Any, sample: int) -> Forest:
    count = max(each.tree_.node_count for each in grown.estimators_)
    shape = (len(grown.estimators_), count)
    forest = Forest(
        np.zeros(shape, dtype=np.int8),
        np.zeros(shape, dtype=np.float32),
        np.zeros(shape, dtype=np.int16),
        np.zeros(shape, dtype=np.int16),
        np.zeros(shape, dtype=np.float32),
        max(each.tree_.max_depth for each in grown.estimators_),
    )
    usual = max(float(_usual_path(np.array([sample]))[0]), 1e-9)
    for i, each in enumerate(grown.estimators_):
        tree = each.tree_
        nodes = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        forest.left[i, : len(nodes)] = np.where(leaf, nodes, tree.children_left)
        forest.right[i, : len(nodes)] = np.where(leaf, nodes, tree.children_right)
        forest.feature[i, : len(nodes)] = np.where(leaf, 0, tree.feature)
        forest.cut[i, : len(nodes)] = tree.threshold
        length = _depths(tree) + _usual_path(tree.n_node_samples)
        forest.length[i, : len(nodes)] = length / usual
    return forest


def _depths(tree: Any) -> NDArray[np.int64]:
    """How deep each node lies; children come after their parents."""
    depths = np.zeros(tree.node_count, dtype=np.int64)
    for node in range(tree.node_count):
        if tree.children_left[node] >= 0:
            depths[tree.children_left[node]] = depths[tree.children_right[node]] = depths[node] + 1
    return depths


def _usual_path(rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean path of an unsuccessful search in a tree of so many rows: c(n) of the paper."""
    n = rows.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        path = 2.0 * (np.log(n - 1.0) + _EULER) - 2.0 * (n - 1.0) / n
    return np.where(rows > 2, path, np.where(rows == 2, 1.0, 0.0))
