"""Which labels the series of an expression can have, as far as the expression says."""

from dataclasses import dataclass

from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import MatchOp
from pynomaly.promql.leaves import KEEPS_NAME
from pynomaly.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Cardinality,
    MatrixSelector,
    Negation,
    Node,
    Subquery,
    Text,
    ValueType,
    VectorSelector,
)

_KEEP_SERIES = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_SETS = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, slots=True)
class Labelling:
    """What is known of the labels.

    ``closed``: the series have no labels but some of ``names``. Otherwise they may have any but
    ``names``.
    """

    closed: bool
    names: frozenset[str]

    def may_have(self, name: str) -> bool:
        """Whether a series can have this label."""
        return (name in self.names) is self.closed

    def without(self, names: frozenset[str]) -> "Labelling":
        """After these labels were dropped."""
        return Labelling(self.closed, self.names - names if self.closed else self.names | names)

    def only(self, names: frozenset[str]) -> "Labelling":
        """After all but these labels were dropped."""
        return Labelling(True, frozenset(name for name in names if self.may_have(name)))

    def with_(self, names: frozenset[str]) -> "Labelling":
        """After these labels may have been added."""
        return Labelling(self.closed, self.names | names if self.closed else self.names - names)

    def either(self, other: "Labelling") -> "Labelling":
        """Of series that are of one or the other kind."""
        if self.closed and other.closed:
            return Labelling(True, self.names | other.names)
        if not self.closed and not other.closed:
            return Labelling(False, self.names & other.names)
        opened, shut = (self, other) if other.closed else (other, self)
        return Labelling(False, opened.names - shut.names)


ANYTHING = Labelling(False, frozenset())
NOTHING = Labelling(True, frozenset())
_NAME = frozenset({METRIC_NAME})


def labelling(node: Node) -> Labelling:
    """The labels that the series of an expression can have."""
    match node:
        case VectorSelector():
            empty = (m for m in node.matchers if m.op is MatchOp.EQUAL and not m.value)
            return Labelling(False, frozenset(m.name for m in empty))
        case MatrixSelector():
            return labelling(node.vector)
        case Subquery():
            return labelling(node.expr)
        case Negation():
            return labelling(node.expr).without(_NAME)
        case Aggregation():
            return _aggregation(node)
        case Binary():
            return _binary(node)
        case Call():
            return _call(node)
    return NOTHING


def _aggregation(node: Aggregation) -> Labelling:
    inner = labelling(node.expr)
    if node.op in _KEEP_SERIES:
        return inner
    named = frozenset(node.grouping)
    result = inner.without(named | _NAME) if node.without else inner.only(named)
    if node.op == "count_values" and isinstance(node.param, Text):
        return result.with_(frozenset({node.param.value}))
    return result


def _binary(node: Binary) -> Labelling:
    lhs, rhs = labelling(node.lhs), labelling(node.rhs)
    keeps_name = node.op in _COMPARISONS and not node.returns_bool
    if node.lhs.type != ValueType.VECTOR:
        return rhs if keeps_name else rhs.without(_NAME)
    if node.rhs.type != ValueType.VECTOR:
        return lhs if keeps_name else lhs.without(_NAME)
    if node.op in _SETS:
        return lhs.either(rhs) if node.op == "or" else lhs
    return _matched(node, lhs, rhs) if keeps_name else _matched(node, lhs, rhs).without(_NAME)


def _matched(node: Binary, lhs: Labelling, rhs: Labelling) -> Labelling:
    matching = node.matching
    named = frozenset(matching.labels)
    if matching.cardinality == Cardinality.ONE_TO_ONE:
        return lhs.only(named) if matching.on else lhs.without(named)
    many, one = (lhs, rhs) if matching.cardinality == Cardinality.MANY_TO_ONE else (rhs, lhs)
    brought = frozenset(name for name in matching.include if one.may_have(name))
    return many.without(frozenset(matching.include) - brought).with_(brought)


def _call(node: Call) -> Labelling:
    function = node.function
    over = next((a for a in node.args if a.type in (ValueType.VECTOR, ValueType.MATRIX)), None)
    if over is None or function in ("absent", "absent_over_time"):
        return NOTHING if over is None else _absent(over)
    inner = labelling(over)
    if function in ("label_replace", "label_join"):
        target = node.args[1]
        return inner.with_(frozenset({target.value})) if isinstance(target, Text) else ANYTHING
    if function == "info":
        return ANYTHING
    if function in ("histogram_quantile", "histogram_fraction"):
        return inner.without(_NAME | {"le"})
    if function == "histogram_quantiles":
        return ANYTHING
    if function in KEEPS_NAME or function.startswith("sort"):
        return inner
    return inner.without(_NAME)


def _absent(node: Node) -> Labelling:
    selector = node.vector if isinstance(node, MatrixSelector) else node
    if not isinstance(selector, VectorSelector):
        return NOTHING
    equal = (m.name for m in selector.matchers if m.op is MatchOp.EQUAL and m.name != METRIC_NAME)
    return Labelling(True, frozenset(equal))
