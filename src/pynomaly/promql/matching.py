"""How the series of two vectors find each other: signatures, and what a match is called."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import BoolArray
from pynomaly.promql.matrices import without_name
from pynomaly.promql.nodes import Cardinality, Matching

Ids = NDArray[np.int64]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """The match group of each series of two vectors, counted from 0."""

    left: Ids
    right: Ids
    count: int


def signatures(left: list[Labels], right: list[Labels], matching: Matching) -> Signatures:
    """Number the match groups by the labels that ``matching`` compares."""
    named = frozenset(matching.labels if matching.on else (*matching.labels, METRIC_NAME))
    found: dict[Pairs, int] = {}
    ids = [
        np.array(
            [found.setdefault(signature(each, named, matching.on), len(found)) for each in side],
            dtype=np.int64,
        )
        for side in (left, right)
    ]
    return Signatures(ids[0], ids[1], len(found))


def signature(labels: Labels, named: frozenset[str], on: bool) -> Pairs:
    """The labels that are ``named``, or all others."""
    return tuple([p for p in labels.pairs if (p[0] in named) is on])


def present_groups(ids: Ids, present: BoolArray, count: int) -> BoolArray:
    """Whether any series of each match group is present at each step, ``[groups, steps]``."""
    result = np.zeros((count, present.shape[1]), dtype=np.bool_)
    if len(ids):
        order = np.argsort(ids, kind="stable")
        groups, starts = np.unique(ids[order], return_index=True)
        result[groups] = np.logical_or.reduceat(present[order], starts, axis=0)
    return result


def result_labels(many: Labels, one: Labels, matching: Matching, drop_name: bool) -> Labels:
    """What the result of two matched series is called."""
    labels = without_name(many) if drop_name else many
    if matching.cardinality == Cardinality.ONE_TO_ONE:
        if matching.on:
            return labels.keep(matching.labels)
        return labels.without(*matching.labels) if matching.labels else labels
    if not matching.include:
        return labels
    included = {name: one.get(name, "") for name in matching.include}
    return Labels({**dict(labels.pairs), **included})
