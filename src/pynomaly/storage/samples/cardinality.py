"""Where series come from: counts by metric, label and value, from the columns of the index.

The figures and their names are those of Prometheus's ``/api/v1/status/tsdb``
(prometheus/prometheus, tsdb/index/postings.go, MemPostings.Stats).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME
from pynomaly.storage.samples.types import CodeArray

_LONG = 255
"""Prometheus writes the length of a text in one byte below this, and in four from it on."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """One label name: its distinct values, and the codes of all series, in parts.

    ``values[0]`` stands for "absent".
    """

    name: str
    values: Sequence[str]
    codes: Sequence[CodeArray]


@dataclass(frozen=True, slots=True)
class Stat:
    """A name and a number."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Cardinality:
    """The greatest of each kind, the greatest first, equal ones by name.

    ``label_pairs`` counts distinct pairs of label name and value. ``memory`` is what the names
    and values of a label take in the label sets of all series, as Prometheus holds them.
    """

    series: int
    label_pairs: int
    by_metric: list[Stat]
    values_by_label: list[Stat]
    memory_by_label: list[Stat]
    by_pair: list[Stat]


def cardinality(labels: Sequence[LabelColumns], series: int, limit: int) -> Cardinality:
    """Count; ``labels`` has one entry for each label name, ``__name__`` among them."""
    by_metric: list[Stat] = []
    values_by_label: list[Stat] = []
    memory_by_label: list[Stat] = []
    by_pair: list[Stat] = []
    for label in labels:
        counts = _counts(label)
        used = np.flatnonzero(counts)
        if not len(used):
            continue
        greatest = _greatest(label.values, counts, used, limit)
        if label.name == METRIC_NAME:
            by_metric = greatest
        by_pair += [Stat(f"{label.name}={each.name}", each.value) for each in greatest]
        values_by_label.append(Stat(label.name, len(used)))
        memory_by_label.append(Stat(label.name, _bytes(label, counts, used)))
    return Cardinality(
        series=series,
        label_pairs=sum(each.value for each in values_by_label),
        by_metric=by_metric,
        values_by_label=_top(values_by_label, limit),
        memory_by_label=_top(memory_by_label, limit),
        by_pair=_top(by_pair, limit),
    )


def _counts(label: LabelColumns) -> Counts:
    """How many series have each value; int64 ``[values]``, 0 for "absent"."""
    codes = np.concatenate([np.empty(0, dtype=np.int32), *label.codes])
    counts: Counts = np.bincount(codes, minlength=len(label.values)).astype(np.int64)
    counts[0] = 0
    return counts


def _greatest(values: Sequence[str], counts: Counts, used: Counts, limit: int) -> list[Stat]:
    least = 0
    if len(used) > limit:
        least = int(np.partition(counts[used], len(used) - limit)[len(used) - limit])
    above = [Stat(values[c], int(counts[c])) for c in used[counts[used] > least].tolist()]
    # Of a label with a value of its own for each series all are equal: they are not sorted.
    equal = (values[c] for c in used[counts[used] == least].tolist())
    return [*_top(above, limit), *(Stat(v, least) for v in nsmallest(limit - len(above), equal))]


def _bytes(label: LabelColumns, counts: Counts, used: Counts) -> int:
    lengths = np.array([len(label.values[code].encode()) for code in used.tolist()])
    lengths += np.where(lengths < _LONG, 1, 4)
    name = len(label.name.encode())
    return int((counts[used] * (lengths + name + (1 if name < _LONG else 4))).sum())


def _top(stats: list[Stat], limit: int) -> list[Stat]:
    return sorted(stats, key=lambda each: (-each.value, each.name))[:limit]
