"""What every step of an evaluation does with matrices: names, duplicates, empty rows, order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import BoolArray, TimeArray, ValueArray
from pynomaly.promql.contract import Matrix, QueryError

METADATA = frozenset({METRIC_NAME, "__type__", "__unit__"})
"""The labels that say what a series is; they no longer hold after a function (Prometheus 3)."""

SAME_LABELSET = "vector cannot contain metrics with the same labelset"


def without_name(labels: Labels) -> Labels:
    """The labels without the metric's name, type and unit."""
    pairs = labels.pairs
    # Nearly always the name comes first, and no other such label follows.
    if pairs and pairs[0][0] == METRIC_NAME and (len(pairs) == 1 or pairs[1][0] > "__unit__"):
        return Labels.from_sorted(pairs[1:])
    kept = tuple([p for p in pairs if p[0] not in METADATA])
    return labels if len(kept) == len(pairs) else Labels.from_sorted(kept)


def nameless(matrix: Matrix) -> Matrix:
    """The same values under labels without the name; series that become equal are merged."""
    return merged(with_labels(matrix, [without_name(labels) for labels in matrix.labels]))


def with_labels(matrix: Matrix, labels: list[Labels]) -> Matrix:
    """The same values under other labels."""
    return Matrix(labels, matrix.timestamps, matrix.values, matrix.present)


def has_duplicates(labels: Sequence[Labels]) -> bool:
    """Whether two label sets are equal."""
    return len(set(labels)) < len(labels)


def merged(matrix: Matrix) -> Matrix:
    """One row for each label set, from rows that are present at different steps.

    Raises:
        QueryError: two series of the same label set at the same step.
    """
    if not has_duplicates(matrix.labels):
        return matrix
    row_of: dict[Labels, int] = {}
    rows = np.array([row_of.setdefault(labels, len(row_of)) for labels in matrix.labels])
    present = np.zeros((len(row_of), len(matrix.timestamps)), dtype=np.bool_)
    values = np.zeros(present.shape)
    for source, row in enumerate(rows):
        here = matrix.present[source]
        if (present[row] & here).any():
            raise QueryError(SAME_LABELSET)
        present[row] |= here
        values[row, here] = matrix.values[source, here]
    return Matrix(list(row_of), matrix.timestamps, values, present)


def without_empty(matrix: Matrix) -> Matrix:
    """Only the series that are present at some step."""
    some = matrix.present.any(axis=1)
    return matrix if some.all() else rows_of(matrix, np.flatnonzero(some))


def rows_of(matrix: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """Some series, in the order given."""
    labels = [matrix.labels[i] for i in rows]
    return Matrix(labels, matrix.timestamps, matrix.values[rows], matrix.present[rows])


def in_label_order(matrix: Matrix) -> Matrix:
    """The series sorted by their labels."""
    labels = matrix.labels
    order = sorted(range(len(labels)), key=lambda i: labels[i].pairs)
    if order == list(range(len(labels))):
        return matrix
    return rows_of(matrix, np.array(order, dtype=np.int64))


def stacked(
    parts: Sequence[tuple[list[Labels], ValueArray, BoolArray]], times: TimeArray
) -> Matrix:
    """Pieces on the same steps, one below the other."""
    if not parts:
        return Matrix.empty(times)
    labels = [each for part, _, _ in parts for each in part]
    if len(parts) == 1:
        return Matrix(labels, times, parts[0][1], parts[0][2])
    values = np.concatenate([part[1] for part in parts])
    return Matrix(labels, times, values, np.concatenate([part[2] for part in parts]))


def repeated(matrix: Matrix, times: TimeArray) -> Matrix:
    """A matrix of one step at every one of ``times``."""
    shape = (len(matrix), len(times))
    return Matrix(
        matrix.labels,
        times,
        np.broadcast_to(matrix.values, shape),
        np.broadcast_to(matrix.present, shape),
    )
