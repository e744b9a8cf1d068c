"""Evaluates expressions: one method for each kind of node."""

from collections.abc import Callable, Generator

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import MatchOp
from pynomaly.model.samples import SeriesSamples, ValueArray
from pynomaly.promql import aggregate, binary, info, leaves, nodes, piecewise, relabel
from pynomaly.promql.contract import Matrix, QueryError, Scalar, String
from pynomaly.promql.functions import DATES, MATH, clamp, go_max, go_min, rounded
from pynomaly.promql.histogram import histogram_fraction, histogram_quantile
from pynomaly.promql.leaves import KEEPS_NAME, RANGE_FUNCTIONS
from pynomaly.promql.matrices import (
    SAME_LABELSET,
    has_duplicates,
    merged,
    nameless,
    repeated,
    rows_of,
    stacked,
    with_labels,
    without_empty,
    without_name,
)
from pynomaly.promql.nodes import Node, ValueType
from pynomaly.promql.over_time import quantile_over_time
from pynomaly.promql.rates import Folded, predict_linear
from pynomaly.promql.smoothing import double_exponential_smoothing
from pynomaly.promql.state import Grid, QueryState
from pynomaly.promql.windows import Windows, flattened

Value = Matrix | Scalar | String

ORDERING = frozenset(
    {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "topk", "bottomk"}
)
"""What gives an instant vector an order that is meant."""


class Evaluator:
    """Evaluates one query. Recursion follows the nesting that the parser allows."""

    def __init__(self, state: QueryState) -> None:
        self.state = state

    def evaluate(self, node: Node, grid: Grid) -> Value:
        """The value of an expression at every step of a grid."""
        self.state.check()
        if grid.count == 0:
            return self._nothing(node, grid)
        if node.fixed and grid.count > 1 and not isinstance(node, nodes.Number | nodes.Text):
            return self._once(node, grid)
        held = self.state.held
        self.state.charge(grid.count)
        return self._settled(held, self._dispatch(node, grid))

    def _settled(self, held: int, result: Value) -> Value:
        """Count the result in place of everything that went into it."""
        self.state.release(held)
        if not isinstance(result, String):
            self.state.charge(result.values.size)
        return result

    def _nothing(self, node: Node, grid: Grid) -> Value:
        if node.type == ValueType.SCALAR:
            return Scalar(grid.times, np.empty(0))
        return Matrix.empty(grid.times)

    def _once(self, node: Node, grid: Grid) -> Value:
        """The value of what is the same at every step."""
        result = self.evaluate(node, grid.first())
        match result:
            case Matrix():
                self.state.charge(len(result) * (grid.count - 1))
                return repeated(result, grid.times)
            case Scalar():
                return Scalar(grid.times, np.repeat(result.values, grid.count))
            case String():
                return result

    def _dispatch(self, node: Node, grid: Grid) -> Value:
        match node:
            case nodes.Number():
                return Scalar(grid.times, np.full(grid.count, node.value))
            case nodes.Text():
                return String(grid.start, node.value)
            case nodes.VectorSelector():
                return leaves.instant(self.state, node, grid)
            case nodes.Call():
                return self._call(node, grid)
            case nodes.Aggregation():
                return self._aggregation(node, grid)
            case nodes.Negation():
                return self._negation(node, grid)
            case nodes.Binary():
                return self._binary(node, grid)
            case nodes.MatrixSelector() | nodes.Subquery():
                raise QueryError("a range vector can only be an argument of a function")

    def matrix(self, node: Node, grid: Grid) -> Matrix:
        """Evaluate an instant vector."""
        result = self.evaluate(node, grid)
        assert isinstance(result, Matrix), "the parser has checked types"
        return result

    def _scalar(self, node: Node, grid: Grid) -> ValueArray:
        result = self.evaluate(node, grid)
        assert isinstance(result, Scalar), "the parser has checked types"
        return result.values

    def _negation(self, node: nodes.Negation, grid: Grid) -> Value:
        result = self.evaluate(node.expr, grid)
        if isinstance(result, Scalar):
            return Scalar(grid.times, -result.values)
        assert isinstance(result, Matrix)
        return nameless(Matrix(result.labels, grid.times, -result.values, result.present))

    def _binary(self, node: nodes.Binary, grid: Grid) -> Value:
        """A chain of operators, from its leftmost operand on without recursion."""
        spine = [node]
        while isinstance(spine[-1].lhs, nodes.Binary) and not spine[-1].lhs.fixed:
            spine.append(spine[-1].lhs)
        held = self.state.held
        result = self.evaluate(spine[-1].lhs, grid)
        for each in reversed(spine):
            result = self._operate(each, result, self.evaluate(each.rhs, grid))
            self._settled(held, result)
        return result

    def _operate(self, node: nodes.Binary, lhs: Value, rhs: Value) -> Value:
        self.state.check()
        if isinstance(lhs, Matrix) and isinstance(rhs, Matrix):
            if node.op in ("and", "or", "unless"):
                return binary.sets(node, lhs, rhs)
            return binary.vectors(node, lhs, rhs)
        if isinstance(lhs, Matrix) and isinstance(rhs, Scalar):
            return binary.vector_scalar(node, lhs, rhs, swapped=False)
        if isinstance(lhs, Scalar) and isinstance(rhs, Matrix):
            return binary.vector_scalar(node, rhs, lhs, swapped=True)
        assert isinstance(lhs, Scalar), "the parser has checked types"
        assert isinstance(rhs, Scalar), "the parser has checked types"
        return binary.scalars(node, lhs, rhs)

    def in_pieces(self, node: nodes.Aggregation, grid: Grid) -> Matrix | None:
        """An aggregation of what is read directly; None where its operand must be evaluated."""
        return piecewise.aggregated(self.state, node, grid)

    def _aggregation(self, node: nodes.Aggregation, grid: Grid) -> Matrix:
        if (found := self.in_pieces(node, grid)) is not None:
            return found
        grouping, without = node.grouping, node.without
        if node.op == "count_values":
            assert isinstance(node.param, nodes.Text)
            label = node.param.value
            if not label:
                raise QueryError(f'invalid label name "{label}"')
            vector = self.matrix(node.expr, grid)
            return aggregate.count_values(label, vector, grouping, without)
        param = np.empty(0) if node.param is None else self._scalar(node.param, grid)
        vector = self.matrix(node.expr, grid)
        if node.op in ("topk", "bottomk", "limitk"):
            return self._rank(node, vector, param)
        if node.op == "limit_ratio":
            return self._limit_ratio(vector, param)
        if node.op == "quantile":
            self._check_quantile(param)
        return aggregate.aggregate(node.op, vector, param, grouping, without)

    def _rank(self, node: nodes.Aggregation, vector: Matrix, k: ValueArray) -> Matrix:
        if not np.isnan(k).all() and np.nanmax(k) < 1:
            return Matrix.empty(vector.timestamps)
        if np.isnan(k).any():
            raise QueryError("Parameter value is NaN")
        if k.min() <= -(2.0**63):
            raise QueryError(f"Scalar value {k.min():g} underflows int64")
        if k.max() >= 2.0**63:
            raise QueryError(f"Scalar value {k.max():g} overflows int64")
        if node.op == "limitk":
            return aggregate.limitk(vector, k, node.grouping, node.without)
        return aggregate.rank(node.op, vector, k, node.grouping, node.without)

    def _limit_ratio(self, vector: Matrix, ratio: ValueArray) -> Matrix:
        if np.isnan(ratio).any():
            raise QueryError("Ratio value is NaN")
        beyond = ratio[np.abs(ratio) > 1]
        if len(beyond):
            bound = "1" if beyond[0] > 0 else "-1"
            self.state.warn(
                f"ratio value should be between -1 and 1, got {beyond[0]:g}, capping to {bound}"
            )
        return aggregate.limit_ratio(vector, ratio)

    def _check_quantile(self, q: ValueArray) -> None:
        wrong = q[~((q >= 0) & (q <= 1))]
        if len(wrong):
            self.state.warn_of_quantile(float(wrong[0]))

    def _call(self, node: nodes.Call, grid: Grid) -> Value:
        if any(arg.type == ValueType.MATRIX for arg in node.args):
            return self._range_call(node, grid)
        handler = _CALLS.get(node.function)
        if handler is not None:
            return handler(self, node, grid)
        if node.function in MATH:
            return self._elementwise(node.args[0], grid, MATH[node.function])
        if node.function in DATES:
            return self._date(node, grid)
        raise QueryError(f'function "{node.function}" is not supported')

    def _elementwise(
        self, node: Node, grid: Grid, function: Callable[[ValueArray], ValueArray]
    ) -> Matrix:
        vector = self.matrix(node, grid)
        values = function(vector.values)
        return nameless(Matrix(vector.labels, grid.times, values, vector.present))

    def _date(self, node: nodes.Call, grid: Grid) -> Matrix:
        if node.args:
            return self._elementwise(node.args[0], grid, DATES[node.function])
        return _one_series(grid, DATES[node.function](grid.times / 1000))

    def _range_call(self, node: nodes.Call, grid: Grid) -> Matrix:
        over = next(arg for arg in node.args if arg.type == ValueType.MATRIX)
        params = [self._scalar(arg, grid) for arg in node.args if arg is not over]
        function = node.function
        if function == "absent_over_time":
            found = self._over(over, grid, RANGE_FUNCTIONS["present_over_time"])
            return _absent(grid, found, _matched(over))
        if function == "quantile_over_time":
            self._check_quantile(params[0])
            return _renamed(self._over(over, grid, lambda w: quantile_over_time(w, params[0])))
        if function == "predict_linear":
            at = grid.times / 1000
            return _renamed(self._over(over, grid, lambda w: predict_linear(w, at, params[0])))
        if function == "double_exponential_smoothing":
            return _renamed(
                self._over(over, grid, lambda w: double_exponential_smoothing(w, *params))
            )
        if function not in RANGE_FUNCTIONS:
            raise QueryError(f'function "{function}" is not supported')
        result = self._over(over, grid, RANGE_FUNCTIONS[function])
        if function in leaves.COUNTER_FUNCTIONS:
            leaves.doubt_counters(self.state, {labels.name for labels in result.labels})
        return result if function in KEEPS_NAME else _renamed(result)

    def _over(self, over: Node, grid: Grid, compute: Callable[[Windows], Folded]) -> Matrix:
        """A function of windows, under the names of the series."""
        assert isinstance(over, nodes.MatrixSelector | nodes.Subquery)
        if isinstance(over, nodes.Subquery):
            ends = leaves.reference(self.state, grid, over.offset_ms, over.at)
            chunks = self._subquery_chunks(over, ends)
        else:
            chunks, ends = leaves.window_samples(self.state, over, grid)
        return leaves.over_windows(self.state, chunks, ends, grid, over.range_ms, compute)

    def _subquery_chunks(
        self, node: nodes.Subquery, ends: Grid
    ) -> Generator[SeriesSamples, None, None]:
        yield self.subquery(node, ends)

    def subquery(self, node: nodes.Subquery, ends: Grid) -> SeriesSamples:
        """A subquery's own evaluation, at multiples of its step since the epoch."""
        step = node.step_ms or round(self.state.settings.default_subquery_step * 1000)
        start = ((ends.start - node.range_ms) // step + 1) * step
        grid = Grid.between(start, ends.end, step)
        inner = self.matrix(node.expr, grid)
        return flattened(inner.labels, grid.times, inner.values, inner.present)

    # The functions of _CALLS.

    def time(self, node: nodes.Call, grid: Grid) -> Value:
        """``time()``: seconds since the epoch."""
        return Scalar(grid.times, grid.times / 1000)

    def pi(self, node: nodes.Call, grid: Grid) -> Value:
        """``pi()``."""
        return Scalar(grid.times, np.full(grid.count, np.pi))

    def scalar(self, node: nodes.Call, grid: Grid) -> Value:
        """``scalar(v)``: the value of the only series, NaN where there is not just one."""
        vector = self.matrix(node.args[0], grid)
        alone = vector.present.sum(axis=0) == 1
        total = np.where(vector.present, vector.values, 0.0).sum(axis=0)
        return Scalar(grid.times, np.where(alone, total, np.nan))

    def vector(self, node: nodes.Call, grid: Grid) -> Value:
        """``vector(s)``: a series without labels."""
        return _one_series(grid, self._scalar(node.args[0], grid))

    def timestamp(self, node: nodes.Call, grid: Grid) -> Value:
        """``timestamp(v)``: the time of each sample, of a computed one the evaluation time."""
        inner = node.args[0]
        if isinstance(inner, nodes.VectorSelector):
            return nameless(leaves.instant(self.state, inner, grid, timestamps=True))
        times = grid.times / 1000
        return self._elementwise(inner, grid, lambda v: np.broadcast_to(times, v.shape))

    def absent(self, node: nodes.Call, grid: Grid) -> Value:
        """``absent(v)``: 1 where no series is."""
        inner = node.args[0]
        return _absent(grid, self.matrix(inner, grid), _matched(inner))

    def sort(self, node: nodes.Call, grid: Grid) -> Value:
        """``sort(v)``, ``sort_desc(v)``: by value, NaN last; only at a single step."""
        vector = self.matrix(node.args[0], grid)
        if grid.count > 1:
            self.state.warn(
                "sort is ineffective for range queries since results are always ordered by labels"
            )
            return vector
        values = vector.values[:, 0]
        key = -values if node.function == "sort_desc" else values
        return rows_of(vector, np.lexsort((key, np.isnan(values))))

    def clamp(self, node: nodes.Call, grid: Grid) -> Value:
        """``clamp(v, min, max)``: nothing where ``max < min``."""
        low, high = (self._scalar(arg, grid) for arg in node.args[1:])
        result = self._elementwise(node.args[0], grid, lambda v: clamp(v, low, high))
        present = result.present & ~(high < low)
        return without_empty(Matrix(result.labels, grid.times, result.values, present))

    def clamp_max(self, node: nodes.Call, grid: Grid) -> Value:
        """``clamp_max(v, max)``."""
        high = self._scalar(node.args[1], grid)
        low = np.full(grid.count, -np.inf)
        return self._elementwise(node.args[0], grid, lambda v: clamp(v, low, high))

    def clamp_min(self, node: nodes.Call, grid: Grid) -> Value:
        """``clamp_min(v, min)``."""
        low = self._scalar(node.args[1], grid)
        high = np.full(grid.count, np.inf)
        return self._elementwise(node.args[0], grid, lambda v: clamp(v, low, high))

    def round(self, node: nodes.Call, grid: Grid) -> Value:
        """``round(v, to)``."""
        to = self._scalar(node.args[1], grid) if len(node.args) > 1 else np.ones(grid.count)
        return self._elementwise(node.args[0], grid, lambda v: rounded(v, to))

    def histogram_quantile(self, node: nodes.Call, grid: Grid) -> Value:
        """``histogram_quantile(q, buckets)``."""
        q = self._scalar(node.args[0], grid)
        return histogram_quantile(self.state, q, self.matrix(node.args[1], grid))

    def histogram_fraction(self, node: nodes.Call, grid: Grid) -> Value:
        """``histogram_fraction(lower, upper, buckets)``."""
        lower, upper = (self._scalar(arg, grid) for arg in node.args[:2])
        return histogram_fraction(self.state, lower, upper, self.matrix(node.args[2], grid))

    def histogram_quantiles(self, node: nodes.Call, grid: Grid) -> Value:
        """``histogram_quantiles(buckets, label, q…)``: the quantile becomes a label."""
        buckets = self.matrix(node.args[0], grid)
        (label,) = _texts(node.args[1:2])
        parts = []
        for arg in node.args[2:]:
            q = self._scalar(arg, grid)
            found = histogram_quantile(self.state, q, buckets)
            named = {label: aggregate.format_openmetrics(float(q[0]))}
            parts.append(([Labels({**each, **named}) for each in found.labels], found))
        pieces = [(labels, found.values, found.present) for labels, found in parts if labels]
        return merged(stacked(pieces, grid.times))

    def none(self, node: nodes.Call, grid: Grid) -> Value:
        """Functions of native histograms, which no stored sample is: they ignore floats."""
        self.matrix(node.args[0], grid)
        return Matrix.empty(grid.times)

    def query_range(self, node: nodes.Call, grid: Grid) -> Value:
        """``start()``, ``end()``, ``step()``, ``range()`` of the whole query, in seconds."""
        state = self.state
        several = state.end > state.grid.start
        value = {
            "start": state.grid.start,
            "end": state.end,
            "range": state.end - state.grid.start,
            "step": state.grid.step if several else 0,
        }[node.function]
        return Scalar(grid.times, np.full(grid.count, value / 1000))

    def greater(self, node: nodes.Call, grid: Grid) -> Value:
        """``max_of(s, s)``."""
        return Scalar(grid.times, go_max(*(self._scalar(arg, grid) for arg in node.args)))

    def lesser(self, node: nodes.Call, grid: Grid) -> Value:
        """``min_of(s, s)``."""
        return Scalar(grid.times, go_min(*(self._scalar(arg, grid) for arg in node.args)))

    def sort_by_label(self, node: nodes.Call, grid: Grid) -> Value:
        """``sort_by_label(v, label…)``, ``…_desc``: in natural order; only at a single step."""
        vector = self.matrix(node.args[0], grid)
        if grid.count > 1:
            self.state.warn(
                "sort is ineffective for range queries since results are always ordered by labels"
            )
            return vector
        names = _texts(node.args[1:])
        descending = node.function.endswith("_desc")
        order = relabel.natural_order(vector.labels, names, descending=descending)
        return rows_of(vector, np.array(order, dtype=np.int64))

    def info(self, node: nodes.Call, grid: Grid) -> Value:
        """``info(v, {data labels})``: labels of ``target_info`` and its like."""
        return info.enriched(self, node, grid)

    def label_replace(self, node: nodes.Call, grid: Grid) -> Value:
        """``label_replace(v, target, replacement, source, regex)``."""
        vector = self.matrix(node.args[0], grid)
        target, replacement, source, pattern = _texts(node.args[1:])
        return relabel.label_replace(vector, target, replacement, source, pattern)

    def label_join(self, node: nodes.Call, grid: Grid) -> Value:
        """``label_join(v, target, separator, source…)``."""
        vector = self.matrix(node.args[0], grid)
        target, separator, *sources = _texts(node.args[1:])
        return relabel.label_join(vector, target, separator, sources)


_CALLS: dict[str, Callable[[Evaluator, nodes.Call, Grid], Value]] = {
    "absent": Evaluator.absent,
    "clamp": Evaluator.clamp,
    "clamp_max": Evaluator.clamp_max,
    "clamp_min": Evaluator.clamp_min,
    "histogram_fraction": Evaluator.histogram_fraction,
    "histogram_quantile": Evaluator.histogram_quantile,
    "end": Evaluator.query_range,
    "histogram_avg": Evaluator.none,
    "histogram_count": Evaluator.none,
    "histogram_quantiles": Evaluator.histogram_quantiles,
    "histogram_stddev": Evaluator.none,
    "histogram_stdvar": Evaluator.none,
    "histogram_sum": Evaluator.none,
    "info": Evaluator.info,
    "label_join": Evaluator.label_join,
    "label_replace": Evaluator.label_replace,
    "max_of": Evaluator.greater,
    "min_of": Evaluator.lesser,
    "pi": Evaluator.pi,
    "range": Evaluator.query_range,
    "round": Evaluator.round,
    "scalar": Evaluator.scalar,
    "sort": Evaluator.sort,
    "sort_by_label": Evaluator.sort_by_label,
    "sort_by_label_desc": Evaluator.sort_by_label,
    "sort_desc": Evaluator.sort,
    "start": Evaluator.query_range,
    "step": Evaluator.query_range,
    "time": Evaluator.time,
    "timestamp": Evaluator.timestamp,
    "vector": Evaluator.vector,
}


def _renamed(matrix: Matrix) -> Matrix:
    """Without the names: what the series are now called must differ, whatever the step."""
    labels = [without_name(each) for each in matrix.labels]
    if has_duplicates(labels):
        raise QueryError(SAME_LABELSET)
    return with_labels(matrix, labels)


def _one_series(grid: Grid, values: ValueArray) -> Matrix:
    present = np.ones((1, grid.count), dtype=np.bool_)
    return Matrix([Labels()], grid.times, values.reshape(1, -1), present)


def _absent(grid: Grid, found: Matrix, labels: Labels) -> Matrix:
    missing = ~found.present.any(axis=0)
    if not missing.any():
        return Matrix.empty(grid.times)
    return Matrix([labels], grid.times, np.ones((1, grid.count)), missing.reshape(1, -1))


def _matched(node: Node) -> Labels:
    """The labels that a selector names with ``=``, each once."""
    if isinstance(node, nodes.MatrixSelector):
        node = node.vector
    if not isinstance(node, nodes.VectorSelector):
        return Labels()
    named: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in node.matchers:
        if matcher.name == METRIC_NAME:
            continue
        once = matcher.op == MatchOp.EQUAL and matcher.name not in seen
        named[matcher.name] = matcher.value if once else ""
        if once:
            seen.add(matcher.name)
    return Labels(named)


def _texts(args: tuple[Node, ...]) -> list[str]:
    assert all(isinstance(arg, nodes.Text) for arg in args), "the parser has checked types"
    return [arg.value for arg in args if isinstance(arg, nodes.Text)]
