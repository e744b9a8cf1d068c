"""``fill``, ``fill_left``, ``fill_right``: a number in place of a partner that is not there."""

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.promql.contract import Matrix
from pynomaly.promql.matching import Ids, present_groups, signature, signatures
from pynomaly.promql.matrices import stacked
from pynomaly.promql.nodes import Matching


def filled(many: Matrix, one: Matrix, matching: Matching) -> tuple[Matrix, Matrix]:
    """Both sides of a match, with a series of the fill value for each missing partner.

    Such a series has the labels that are compared, and is present at the steps at which its
    match group has series on the other side only.
    """
    ids = signatures(many.labels, one.labels, matching)
    of_many = present_groups(ids.left, many.present, ids.count)
    of_one = present_groups(ids.right, one.present, ids.count)
    # Also with group_right "left" is the side of many, as in Prometheus.
    more_many = _partners(one, ids.right, of_one & ~of_many, matching.fill_left, matching)
    more_one = _partners(many, ids.left, of_many & ~of_one, matching.fill_right, matching)
    return _with(many, more_many), _with(one, more_one)


def _partners(
    side: Matrix, ids: Ids, alone: "np.typing.NDArray[np.bool_]", by: float | None, how: Matching
) -> Matrix:
    """A series of ``by`` for each match group of ``side`` that is ``alone`` at some step."""
    if by is None:
        return Matrix.empty(side.timestamps)
    groups = np.flatnonzero(alone.any(axis=1))
    first = {int(group): row for row, group in reversed(list(enumerate(ids.tolist())))}
    named = frozenset(how.labels if how.on else (*how.labels, METRIC_NAME))
    labels = [
        Labels.from_sorted(signature(side.labels[first[group]], named, how.on))
        for group in groups.tolist()
    ]
    values = np.full((len(groups), len(side.timestamps)), by)
    return Matrix(labels, side.timestamps, values, alone[groups])


def _with(side: Matrix, more: Matrix) -> Matrix:
    if not len(more):
        return side
    pieces = [(m.labels, m.values, m.present) for m in (side, more) if len(m)]
    return stacked(pieces, side.timestamps)
