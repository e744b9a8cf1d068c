"""Binary operators between scalars and vectors, matched step by step."""

import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.contract import Matrix, QueryError, Scalar
from pynomaly.promql.fill import filled
from pynomaly.promql.matching import (
    Ids,
    present_groups,
    result_labels,
    signature,
    signatures,
)
from pynomaly.promql.matrices import (
    has_duplicates,
    merged,
    nameless,
    stacked,
    without_empty,
)
from pynomaly.promql.nodes import Binary, Cardinality, Matching

_ARITHMETIC: dict[str, Callable[[ValueArray, ValueArray], ValueArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: dict[str, Callable[[ValueArray, ValueArray], BoolArray]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def scalars(node: Binary, lhs: Scalar, rhs: Scalar) -> Scalar:
    """An operator between two scalars; a comparison gives 0 or 1."""
    operation = _ARITHMETIC.get(node.op) or COMPARISONS[node.op]
    values = operation(lhs.values, rhs.values).astype(np.float64)
    return Scalar(lhs.timestamps, values)


def vector_scalar(node: Binary, vector: Matrix, scalar: Scalar, *, swapped: bool) -> Matrix:
    """An operator between a vector and a scalar; ``swapped`` when the scalar comes first."""
    lhs, rhs = vector.values, np.broadcast_to(scalar.values, vector.values.shape)
    if swapped:
        lhs, rhs = rhs, lhs
    if node.op in _ARITHMETIC:
        values = _ARITHMETIC[node.op](lhs, rhs)
        return nameless(Matrix(vector.labels, vector.timestamps, values, vector.present))
    holds = COMPARISONS[node.op](lhs, rhs)
    if node.returns_bool:
        values = holds.astype(np.float64)
        return nameless(Matrix(vector.labels, vector.timestamps, values, vector.present))
    present = vector.present & holds
    return without_empty(Matrix(vector.labels, vector.timestamps, vector.values, present))


def sets(node: Binary, lhs: Matrix, rhs: Matrix) -> Matrix:
    """``and``, ``or``, ``unless``: by the presence of match groups at each step."""
    ids = signatures(lhs.labels, rhs.labels, node.matching)
    if node.op == "or":
        taken = present_groups(ids.left, lhs.present, ids.count)
        more = rhs.present & ~taken[ids.right]
        both = [
            (lhs.labels, lhs.values, lhs.present),
            (rhs.labels, rhs.values, more),
        ]
        return merged(without_empty(stacked(both, lhs.timestamps)))
    found = present_groups(ids.right, rhs.present, ids.count)[ids.left]
    present = lhs.present & (found if node.op == "and" else ~found)
    return without_empty(Matrix(lhs.labels, lhs.timestamps, lhs.values, present))


def vectors(node: Binary, lhs: Matrix, rhs: Matrix) -> Matrix:
    """Arithmetic or comparison between two vectors.

    Raises:
        QueryError: the "one" side has several series for a match group at some step, or a
            result would not be unique.
    """
    swapped = node.matching.cardinality == Cardinality.ONE_TO_MANY
    many, one = (rhs, lhs) if swapped else (lhs, rhs)
    if node.matching.fills:
        many, one = filled(many, one, node.matching)
    ids = signatures(many.labels, one.labels, node.matching)
    _refuse_duplicates(node.matching, many, one, ids.right)
    of_many, of_one = _pairs(ids.left, ids.right, many.present, one.present)
    present = many.present[of_many] & one.present[of_one]
    left, right = many.values[of_many], one.values[of_one]
    if swapped:
        left, right = right, left
    drop_name = node.op in _ARITHMETIC or node.returns_bool
    labels = _labels_of(many, one, of_many, of_one, node.matching, drop_name)
    _refuse_many_matches(node.matching, labels, ids.left[of_many], present)
    if node.op in _ARITHMETIC:
        values = _ARITHMETIC[node.op](left, right)
    else:
        holds = COMPARISONS[node.op](left, right)
        values = holds.astype(np.float64) if node.returns_bool else left
        present = present if node.returns_bool else present & holds
    return without_empty(merged(Matrix(labels, lhs.timestamps, values, present)))


def _labels_of(
    many: Matrix, one: Matrix, of_many: Ids, of_one: Ids, matching: Matching, drop_name: bool
) -> list[Labels]:
    return [
        result_labels(many.labels[m], one.labels[o], matching, drop_name)
        for m, o in zip(of_many.tolist(), of_one.tolist(), strict=True)
    ]


def _pairs(many: Ids, one: Ids, many_present: BoolArray, one_present: BoolArray) -> tuple[Ids, Ids]:
    """The rows of all pairs of the same match group that meet at some step, in "many" order."""
    if not len(many) or not len(one):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.argsort(one, kind="stable")
    first = np.searchsorted(one[order], many, side="left")
    counts = np.searchsorted(one[order], many, side="right") - first
    of_many = np.repeat(np.arange(len(many)), counts)
    nth = np.arange(len(of_many)) - np.repeat(np.cumsum(counts) - counts, counts)
    of_one = order[np.repeat(first, counts) + nth]
    if counts.max() <= 1:
        return of_many, of_one
    meet = np.array(
        [
            (many_present[m] & one_present[o]).any()
            for m, o in zip(of_many.tolist(), of_one.tolist(), strict=True)
        ],
        dtype=np.bool_,
    )
    return of_many[meet], of_one[meet]


def _refuse_duplicates(matching: Matching, many: Matrix, one: Matrix, ids: Ids) -> None:
    """Raise if two series of the "one" side share a match group while the other side exists."""
    if len(np.unique(ids)) == len(ids) or not len(many):
        return
    relevant = one.present & many.present.any(axis=0)
    for group in np.flatnonzero(np.bincount(ids) > 1):
        rows = np.flatnonzero(ids == group)
        crowded = np.flatnonzero(relevant[rows].sum(axis=0) > 1)
        if len(crowded):
            two = rows[relevant[rows, crowded[0]]][:2]
            raise QueryError(_many_to_many(matching, [one.labels[i] for i in two]))


def _many_to_many(matching: Matching, series: list[Labels]) -> str:
    named = frozenset(matching.labels if matching.on else (*matching.labels, METRIC_NAME))
    compared = Labels.from_sorted(signature(series[0], named, matching.on))
    side = "left" if matching.cardinality == Cardinality.ONE_TO_MANY else "right"
    first, second = sorted(in_braces(labels) for labels in series)
    return (
        f"found duplicate series for the match group {in_braces(compared)} on the {side} "
        f"hand-side of the operation: [{first}, {second}];many-to-many matching not allowed: "
        "matching labels must be unique on one side"
    )


def in_braces(labels: Labels) -> str:
    """All labels in braces, as Prometheus prints them in errors; the name is one of them."""
    return f"{{{', '.join(f'{name}={json.dumps(value)}' for name, value in labels.pairs)}}}"


def _refuse_many_matches(
    matching: Matching, labels: list[Labels], groups: Ids, present: BoolArray
) -> None:
    if matching.cardinality == Cardinality.ONE_TO_ONE:
        message = "multiple matches for labels: many-to-one matching must be explicit "
        message += "(group_left/group_right)"
        _refuse_meeting(groups, present, message)
        return
    if has_duplicates(labels):
        found: dict[tuple[int, Labels], int] = {}
        keys = zip(groups.tolist(), labels, strict=True)
        same = np.array([found.setdefault(key, len(found)) for key in keys])
        message = "multiple matches for labels: grouping labels must ensure unique matches"
        _refuse_meeting(same, present, message)


def _refuse_meeting(groups: NDArray[np.int64], present: BoolArray, message: str) -> None:
    """Raise if two rows of one group are present at the same step."""
    if len(groups) < 2:
        return
    order = np.argsort(groups, kind="stable")
    distinct, starts = np.unique(groups[order], return_index=True)
    if len(distinct) == len(groups):
        return
    meeting = np.add.reduceat(present[order], starts, axis=0, dtype=np.int64)
    if (meeting > 1).any():
        raise QueryError(message)
