"""Aggregations of selectors and range functions, piece by piece as samples are read.

The matrix of all series that such an aggregation is about is never held: what it takes is a piece
of some series and one row for each group.
"""

from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import BoolArray, TimeArray, ValueArray
from pynomaly.promql import leaves
from pynomaly.promql.aggregate import Groups, Ids
from pynomaly.promql.contract import Matrix
from pynomaly.promql.folds import CANCELLED, group_sums
from pynomaly.promql.leaves import COUNTER_FUNCTIONS, KEEPS_NAME, RANGE_FUNCTIONS, Part
from pynomaly.promql.matrices import METADATA, without_empty, without_name
from pynomaly.promql.nodes import Aggregation, Call, MatrixSelector, Node, VectorSelector
from pynomaly.promql.state import Grid, QueryState

Number = TypeVar("Number", bound=np.generic)

_SUMS = frozenset({"sum", "avg"})
_EXTREMES = {"min": np.fmin, "max": np.fmax}
_OPERATORS = frozenset({*_SUMS, *_EXTREMES, "count", "group"})


def aggregated(state: QueryState, node: Aggregation, grid: Grid) -> Matrix | None:
    """The value of an aggregation on a grid; None if it cannot be had piece by piece.

    That is the case for other operands and operators, for sums whose terms cancel so far that
    digits are lost, and for means whose sum overflows.
    """
    if node.op not in _OPERATORS or (node.expr.fixed and grid.count > 1):
        return None
    found = _parts(state, node.expr, grid)
    if found is None:
        return None
    parts, drops_name = found
    renames = drops_name and (node.without or not METADATA.isdisjoint(node.grouping))
    result = _Partial(node, grid.times)
    held = state.held
    with closing(parts):
        for labels, values, present in parts:
            if renames:
                labels = [without_name(each) for each in labels]
            result.add(labels, values, present)
            state.release(held)
            state.charge(result.size)
    state.release(held)
    return result.matrix()


def _parts(
    state: QueryState, node: Node, grid: Grid
) -> tuple[Generator[Part, None, None], bool] | None:
    """The pieces of an operand, and whether its series have names that do not count."""
    match node:
        case VectorSelector():
            return leaves.instant_parts(state, node, grid), False
        case Call(function=function, args=(MatrixSelector() as over,)):
            if function not in RANGE_FUNCTIONS:
                return None
            name = _exact_name(over.vector.matchers)
            if not name and function not in KEEPS_NAME:
                return None  # series may become equal, which is an error
            parts = leaves.range_parts(state, over, grid, RANGE_FUNCTIONS[function])
            if function in COUNTER_FUNCTIONS:
                parts = _doubting(state, parts, name)
            return parts, function not in KEEPS_NAME
    return None


def _exact_name(matchers: tuple[Matcher, ...]) -> str:
    return next((m.value for m in matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL), "")


def _doubting(
    state: QueryState, parts: Generator[Part, None, None], name: str
) -> Generator[Part, None, None]:
    with closing(parts):
        for part in parts:
            if part[0]:
                leaves.doubt_counters(state, {name})
            yield part


class _Partial:
    """What is known of each group after some pieces."""

    def __init__(self, node: Aggregation, times: TimeArray) -> None:
        self._node = node
        self._times = times
        self._rows: dict[Labels, int] = {}
        # Of each group at each step, with room for more groups.
        self._counts = np.empty((0, len(times)), dtype=np.int32)
        self._values = np.empty((0, len(times)))
        # What went into a sum without its signs; the same as the sum until something is negative.
        self._magnitudes: ValueArray | None = None

    @property
    def size(self) -> int:
        """How many points it holds."""
        return self._values.size

    def add(self, labels: list[Labels], values: ValueArray, present: BoolArray) -> None:
        """Take up the rows of some series."""
        if not labels:
            return
        node = self._node
        groups = Groups(Matrix(labels, self._times, values, present), node.grouping, node.without)
        rows = self._rows_of(groups.labels)
        self._counts[rows] += groups.counts.astype(np.int32)
        if node.op in _EXTREMES:
            better = _EXTREMES[node.op]
            found = better.reduceat(groups.filled(np.nan), groups.left, axis=0)
            self._values[rows] = better(self._values[rows], found)
        elif node.op in _SUMS:
            self._add_sums(groups, rows)

    def _add_sums(self, groups: Groups, rows: Ids) -> None:
        values = groups.filled(0.0)
        negative = bool(np.fmin.reduce(values, axis=None) < 0)
        if negative and self._magnitudes is None:
            self._magnitudes = self._values.copy()
        found = group_sums(values, groups.left, groups.right)
        self._values[rows] += found
        if self._magnitudes is not None:
            if negative:
                found = np.add.reduceat(np.abs(values), groups.left, axis=0)
            self._magnitudes[rows] += found

    def matrix(self) -> Matrix | None:
        """The aggregation; None if it is not exact enough."""
        op, groups = self._node.op, len(self._rows)
        counts, values = self._counts[:groups], self._values[:groups]
        if self._magnitudes is not None:
            sure = np.abs(values) >= self._magnitudes[:groups] * CANCELLED
            if not (sure | ~np.isfinite(values)).all():
                return None
        if op == "avg":
            if not np.isfinite(values).all():
                return None
            values = values / counts
        elif op == "count":
            values = counts.astype(np.float64)
        elif op == "group":
            values = np.ones(counts.shape)
        return without_empty(Matrix(list(self._rows), self._times, values, counts > 0))

    def _rows_of(self, labels: list[Labels]) -> Ids:
        rows = [self._rows.setdefault(each, len(self._rows)) for each in labels]
        more = len(self._rows) - len(self._counts)
        if more > 0:
            more = max(more, len(self._counts) // 2)
            neutral = np.nan if self._node.op in _EXTREMES else 0.0
            self._counts = _grown(self._counts, more, 0)
            self._values = _grown(self._values, more, neutral)
            if self._magnitudes is not None:
                self._magnitudes = _grown(self._magnitudes, more, 0.0)
        return np.array(rows)


def _grown(rows: NDArray[Number], more: int, by: float) -> NDArray[Number]:
    return np.concatenate([rows, np.full((more, rows.shape[1]), by, dtype=rows.dtype)])
