"""Aggregations: many series to one for each group."""

from collections.abc import Callable
from operator import itemgetter

import numpy as np
import xxhash
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.contract import Matrix
from pynomaly.promql.folds import Rows, fold, group_sums, means, merge_moments
from pynomaly.promql.matrices import in_label_order, without_empty
from pynomaly.promql.over_time import quantiles_of_rows

Ids = NDArray[np.int64]
Pairs = tuple[tuple[str, str], ...]


class Groups:
    """The groups of a matrix's series, and its rows brought together group by group.

    ``labels``: the label set of each group, in order of first appearance. ``ids``: the group
    of each series.
    """

    def __init__(self, matrix: Matrix, grouping: tuple[str, ...], without: bool) -> None:
        self.labels, self.ids = group(matrix.labels, grouping, without)
        order = np.argsort(self.ids, kind="stable")
        sorted_already = bool((order == np.arange(len(order))).all())
        self.values = matrix.values if sorted_already else matrix.values[order]
        self.present = matrix.present if sorted_already else matrix.present[order]
        self.sizes = np.bincount(self.ids, minlength=len(self.labels))
        self.right: Rows = np.cumsum(self.sizes)
        self.left: Rows = self.right - self.sizes
        self.order = order

    @property
    def counts(self) -> ValueArray:
        """How many series each group has at each step, ``[groups, steps]``."""
        if self.present.all():
            return np.repeat(self.sizes[:, None], self.present.shape[1], axis=1).astype(float)
        return np.add.reduceat(self.present, self.left, axis=0, dtype=np.int64).astype(float)

    def filled(self, by: float) -> ValueArray:
        """The values, with something neutral where a series is absent."""
        return self.values if self.present.all() else np.where(self.present, self.values, by)


def group(
    labels: list[Labels], grouping: tuple[str, ...], without: bool
) -> tuple[list[Labels], Ids]:
    """The label sets of the groups, and the group of each series."""
    if not grouping and not without:
        return [Labels()], np.zeros(len(labels), dtype=np.int64)
    named = frozenset((*grouping, METRIC_NAME)) if without else frozenset(grouping)
    rows = [each.pairs for each in labels]
    keys = _keys_by_place(rows, named, without)
    if keys is None:
        keys = [tuple([p for p in pairs if (p[0] in named) is not without]) for pairs in rows]
    code = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    ids = np.fromiter(map(code.__getitem__, keys), np.int64, len(keys))
    return [Labels.from_sorted(key) for key in code], ids


def _keys_by_place(rows: list[Pairs], named: frozenset[str], without: bool) -> list[Pairs] | None:
    """The pairs that make the group of each label set, when all have the same names at the places
    that matter, as the series of a metric nearly always have; else None."""
    names = [name for name, _ in rows[0]] if rows else []
    if without and len(set(map(len, rows))) > 1:
        return None
    if not without and not named.issubset(names):
        return None
    columns = []
    for place, name in enumerate(names):
        if not without and name not in named:
            continue
        try:
            column = list(map(itemgetter(place), rows))
        except IndexError:
            return None
        if set(map(itemgetter(0), column)) != {name}:
            return None
        if (name in named) is not without:
            columns.append(column)
    return list(zip(*columns, strict=True)) if columns else None


def aggregate(
    op: str, matrix: Matrix, param: ValueArray, grouping: tuple[str, ...], without: bool
) -> Matrix:
    """One of ``sum avg min max count group stddev stdvar quantile``.

    ``param`` (``[steps]``) is the quantile. Kept to the last digits where terms cancel.
    """
    if not len(matrix):
        return matrix
    groups = Groups(matrix, grouping, without)
    counts = groups.counts
    values = _quantile(groups, param) if op == "quantile" else _REDUCTIONS[op](groups, counts)
    return without_empty(Matrix(groups.labels, matrix.timestamps, values, counts > 0))


def _sum(groups: Groups, counts: ValueArray) -> ValueArray:
    return group_sums(groups.filled(0.0), groups.left, groups.right)


def _avg(groups: Groups, counts: ValueArray) -> ValueArray:
    return means(groups.filled(0.0), groups.left, groups.right, counts, group_sums)


def _min(groups: Groups, counts: ValueArray) -> ValueArray:
    return np.fmin.reduceat(groups.filled(np.nan), groups.left, axis=0)


def _max(groups: Groups, counts: ValueArray) -> ValueArray:
    return np.fmax.reduceat(groups.filled(np.nan), groups.left, axis=0)


def _count(groups: Groups, counts: ValueArray) -> ValueArray:
    return counts


def _group(groups: Groups, counts: ValueArray) -> ValueArray:
    return np.ones(counts.shape)


def _stdvar(groups: Groups, counts: ValueArray) -> ValueArray:
    values = groups.filled(0.0)
    # Zero times the value makes NaN of an infinite one, as Prometheus does.
    start = (groups.present.astype(np.float64), values, values * 0)
    _, _, squares = fold(start, merge_moments, groups.left, groups.right)
    return np.abs(squares) / counts


def _stddev(groups: Groups, counts: ValueArray) -> ValueArray:
    return np.sqrt(_stdvar(groups, counts))


_REDUCTIONS: dict[str, Callable[[Groups, ValueArray], ValueArray]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": _count,
    "group": _group,
    "stdvar": _stdvar,
    "stddev": _stddev,
}


def _quantile(groups: Groups, q: ValueArray) -> ValueArray:
    result = np.empty((len(groups.labels), groups.values.shape[1]))
    for members, rows in same_size(groups):
        values, present = groups.values[rows], groups.present[rows]
        members_last = np.moveaxis(values, 1, 2).reshape(-1, rows.shape[1])
        inside = np.moveaxis(present, 1, 2).reshape(-1, rows.shape[1])
        each = np.tile(q, len(members))
        result[members] = quantiles_of_rows(members_last, inside, each).reshape(len(members), -1)
    return result


def same_size(groups: Groups) -> list[tuple[Ids, Ids]]:
    """For each size of group: the groups of it, and their rows ``[groups, size]``."""
    found = []
    for size in np.unique(groups.sizes):
        members = np.flatnonzero(groups.sizes == size)
        found.append((members, groups.left[members][:, None] + np.arange(size)))
    return found


def rank(
    op: str, matrix: Matrix, k: ValueArray, grouping: tuple[str, ...], without: bool
) -> Matrix:
    """``topk`` or ``bottomk``: the series of each group with the ``k`` (``[steps]``) best values.

    NaN is the worst value; of equal ones the first series win. At a single step the result is
    ordered from best to worst within each group.
    """
    if not len(matrix):
        return matrix
    groups = Groups(matrix, grouping, without)
    place = np.empty(matrix.values.shape, dtype=np.int64)
    for _, rows in same_size(groups):
        place[groups.order[rows]] = _places(op, groups.values[rows], groups.present[rows])
    wanted = np.minimum(np.trunc(k), len(matrix))
    chosen = Matrix(
        matrix.labels, matrix.timestamps, matrix.values, matrix.present & (place < wanted)
    )
    if len(matrix.timestamps) == 1:
        best_first = np.lexsort((place[:, 0], groups.ids))
        chosen = Matrix(
            [matrix.labels[i] for i in best_first],
            matrix.timestamps,
            chosen.values[best_first],
            chosen.present[best_first],
        )
    return without_empty(chosen)


def _places(op: str, values: ValueArray, present: BoolArray) -> Ids:
    """The place of each series within its group at each step, ``[groups, size, steps]``."""
    key = -values if op == "topk" else values
    nan = np.isnan(key)
    kind = np.where(present, np.where(nan, 1, 0), 2)
    order = np.lexsort((np.where(nan, 0.0, key), kind), axis=1)
    places = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(places, order, np.arange(order.shape[1])[None, :, None], axis=1)
    return places


def limitk(matrix: Matrix, k: ValueArray, grouping: tuple[str, ...], without: bool) -> Matrix:
    """The first ``k`` (``[steps]``) series of each group, in the order of their labels."""
    if not len(matrix):
        return matrix
    ordered = in_label_order(matrix)
    groups = Groups(ordered, grouping, without)
    place = np.empty(ordered.values.shape, dtype=np.int64)
    for _, rows in same_size(groups):
        place[groups.order[rows]] = np.cumsum(groups.present[rows], axis=1) - 1
    present = ordered.present & (place < np.trunc(k))
    return without_empty(Matrix(ordered.labels, ordered.timestamps, ordered.values, present))


def limit_ratio(matrix: Matrix, ratio: ValueArray) -> Matrix:
    """About ``ratio`` (``[steps]``) of the series, the same ones as Prometheus picks.

    A negative ratio picks those that ``1 + ratio`` leaves out.
    """
    offsets = np.array([sampling_offset(labels) for labels in matrix.labels])[:, None]
    bounded = np.clip(ratio, -1.0, 1.0)
    chosen = np.where(bounded >= 0, offsets < bounded, offsets >= 1.0 + bounded)
    present = matrix.present & chosen
    return without_empty(Matrix(matrix.labels, matrix.timestamps, matrix.values, present))


def sampling_offset(labels: Labels) -> float:
    """Where in [0, 1) a series lies for ``limit_ratio``: Prometheus's hash of its labels.

    That is XXH64 over each name and value, each after its length: one byte, or 255 and three
    bytes, the lowest first.
    """
    parts = (text.encode() for pair in labels.pairs for text in pair)
    return xxhash.xxh64_intdigest(b"".join(_length(p) + p for p in parts)) / 2**64


def _length(text: bytes) -> bytes:
    size = len(text)
    return bytes([size]) if size < 255 else b"\xff" + size.to_bytes(3, "little")


def count_values(label: str, matrix: Matrix, grouping: tuple[str, ...], without: bool) -> Matrix:
    """How many series have each value; the value becomes a label."""
    kept = grouping if without else (*grouping, label)
    totals: dict[Labels, NDArray[np.int64]] = {}
    for labels, values, present in zip(matrix.labels, matrix.values, matrix.present, strict=True):
        # By their bits, since -0 is a value of its own here.
        bits, which = np.unique(values[present].view(np.uint64), return_inverse=True)
        steps = np.flatnonzero(present)
        for i, value in enumerate(bits.view(np.float64)):
            tagged = Labels({**dict(labels.pairs), label: format_value(float(value))})
            key = group([tagged], kept, without)[0][0]
            total = totals.setdefault(key, np.zeros(len(matrix.timestamps), dtype=np.int64))
            total[steps[which == i]] += 1
    if not totals:
        return Matrix.empty(matrix.timestamps)
    counts = np.array(list(totals.values()))
    return Matrix(list(totals), matrix.timestamps, counts.astype(np.float64), counts > 0)


def format_value(value: float) -> str:
    """A number as Go writes it with ``'f', -1``: shortest, without an exponent."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")


def format_openmetrics(value: float) -> str:
    """A number as OpenMetrics writes it in labels: a whole one with ``.0``, large ones with e."""
    if value in (1.0, 0.0, -1.0):
        return f"{value:.1f}"
    if np.isnan(value) or np.isinf(value):
        return format_value(value)
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    return f"{mantissa}e{int(exponent):+03d}"
