"""From text to expressions: guarded, typed, and independent of the library that parses."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import TypeVar

import promql_parser as library

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.promql import nodes
from pynomaly.promql.contract import ParseError
from pynomaly.promql.nodes import Node, ValueType
from pynomaly.promql.parse_faults import explain, refuse_unsupported
from pynomaly.promql.scan import Scan, scan

_SHALLOW = 24
"""A weight that any thread's stack can take."""
_STACK_BYTES = 64 * 1024 * 1024
_MAX_DURATION_MS = 2**63 // 1_000_000  # Prometheus's durations are int64 nanoseconds: 292 years
_starting_deep_thread = threading.Lock()

Result = TypeVar("Result")


@lru_cache(maxsize=1024)
def parse(expr: str) -> Node:
    """Parse a PromQL expression.

    Raises:
        ParseError: it is not PromQL, it is larger than the limits of ``scan``, or it uses what
            is not supported, which the message names.
    """
    found = scan(expr)
    if found.weight <= _SHALLOW:
        return _parse(found)
    return _on_deep_stack(lambda: _parse(found))


def selectors(node: Node) -> list[tuple[Matcher, ...]]:
    """The matchers of every selector in an expression, in order of appearance."""
    return [n.matchers for n in nodes.walk(node) if isinstance(n, nodes.VectorSelector)]


def with_tree(expr: str, use: Callable[[library.Expr, Scan], Result]) -> Result:
    """Hand the library's own tree of a valid expression to ``use``, on a stack that bears it.

    Raises:
        ParseError: as ``parse``.
    """
    parse(expr)
    found = scan(expr)
    if found.weight <= _SHALLOW:
        return use(library.parse(found.text), found)
    return _on_deep_stack(lambda: use(library.parse(found.text), found))


def _parse(found: Scan) -> Node:
    try:
        tree = library.parse(found.text)
        return _Translator(found).node(tree)
    except ParseError:
        raise
    except (ValueError, OverflowError) as error:
        raise explain(found, str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise found.error("a number or duration is out of range", 0) from error


def _on_deep_stack(work: Callable[[], Result]) -> Result:
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - handed on to the caller's thread
            failure.append(error)

    with _starting_deep_thread:
        before = threading.stack_size(_STACK_BYTES)
        try:
            thread = threading.Thread(target=run, name="promql-parse", daemon=True)
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


_VALUE_TYPES = {
    "Matrix": ValueType.MATRIX,
    "Scalar": ValueType.SCALAR,
    "String": ValueType.STRING,
    "Vector": ValueType.VECTOR,
}
_MATCH_OPS = {
    "Equal": MatchOp.EQUAL,
    "NotEqual": MatchOp.NOT_EQUAL,
    "Re": MatchOp.REGEX,
    "NotRe": MatchOp.NOT_REGEX,
}
_CARDINALITIES = {
    "OneToOne": nodes.Cardinality.ONE_TO_ONE,
    "ManyToOne": nodes.Cardinality.MANY_TO_ONE,
    "OneToMany": nodes.Cardinality.ONE_TO_MANY,
    "ManyToMany": nodes.Cardinality.MANY_TO_MANY,
}


def _word(member: object) -> str:
    return str(member).rpartition(".")[2]


class _Translator:
    """Turns the library's tree into ours."""

    def __init__(self, found: Scan) -> None:
        self._scan = found

    def node(self, tree: library.Expr) -> Node:
        """Translate a tree; chains of binary operators without recursion."""
        spine: list[library.BinaryExpr] = []
        while isinstance(tree, library.BinaryExpr):
            spine.append(tree)
            tree = tree.lhs
        result = self._leftmost(tree)
        while spine:
            result = self._binary(spine.pop(), result)
        return result

    def _leftmost(self, tree: library.Expr) -> Node:
        match tree:
            case library.NumberLiteral():
                return nodes.Number(tree.val)
            case library.StringLiteral():
                return nodes.Text(tree.val)
            case library.VectorSelector():
                return self._vector(tree)
            case library.MatrixSelector():
                return self._matrix(tree)
            case library.SubqueryExpr():
                return self._subquery(tree)
            case library.ParenExpr():
                return self.node(tree.expr)
            case library.UnaryExpr():
                return nodes.Negation(self.node(tree.expr))
            case library.Call():
                return self._call(tree)
            case library.AggregateExpr():
                return self._aggregation(tree)
        raise self._scan.error(f"{type(tree).__name__} is not supported", 0)

    def _vector(self, tree: library.VectorSelector) -> nodes.VectorSelector:
        if tree.matchers.or_matchers:
            raise self._scan.error("'or' between matchers is not supported", 0)
        matchers = [self._matcher(m) for m in tree.matchers.matchers]
        if tree.name:
            matchers.insert(0, Matcher(METRIC_NAME, MatchOp.EQUAL, tree.name))
        return nodes.VectorSelector(tuple(matchers), self._duration(tree.offset), self._at(tree.at))

    def _matcher(self, matcher: library.Matcher) -> Matcher:
        try:
            return Matcher(matcher.name, _MATCH_OPS[_word(matcher.op)], matcher.value)
        except BadInput as error:
            at = max(self._scan.expr.find(matcher.value), 0)
            raise self._scan.error(f"error parsing regexp: {error.message}", at) from error

    def _matrix(self, tree: object) -> nodes.MatrixSelector:
        # The library's stub leaves MatrixSelector without attributes.
        vector: library.VectorSelector = tree.vector_selector  # type: ignore[attr-defined]
        width: timedelta = tree.range  # type: ignore[attr-defined]
        return nodes.MatrixSelector(self._vector(vector), self._positive(width))

    def _subquery(self, tree: library.SubqueryExpr) -> nodes.Subquery:
        if tree.range is None:
            raise self._scan.error("a subquery needs a range", 0)
        step = 0 if tree.step is None else self._positive(tree.step)
        return nodes.Subquery(
            self.node(tree.expr),
            self._positive(tree.range),
            step,
            self._duration(tree.offset),
            self._at(tree.at),
        )

    def _call(self, tree: object) -> nodes.Call:
        # The library's stub leaves Call without attributes.
        function = tree.func  # type: ignore[attr-defined]
        args: list[library.Expr] = tree.args  # type: ignore[attr-defined]
        refuse_unsupported(self._scan, function.name)
        kind = _VALUE_TYPES[_word(function.return_type)]
        return nodes.Call(function.name, tuple(self.node(a) for a in args), kind)

    def _aggregation(self, tree: library.AggregateExpr) -> nodes.Aggregation:
        op = str(tree.op)
        refuse_unsupported(self._scan, op)
        modifier = tree.modifier
        return nodes.Aggregation(
            op,
            self.node(tree.expr),
            None if tree.param is None else self.node(tree.param),
            tuple(sorted(set(modifier.labels))) if modifier else (),
            modifier is not None and _word(modifier.type) == "Without",
        )

    def _binary(self, tree: library.BinaryExpr, lhs: Node) -> nodes.Binary:
        modifier = tree.modifier
        op = str(tree.op).lower()
        sets = op in ("and", "or", "unless")
        default = nodes.Cardinality.MANY_TO_MANY if sets else nodes.Cardinality.ONE_TO_ONE
        if modifier is None:
            return nodes.Binary(op, lhs, self.node(tree.rhs), False, nodes.Matching(default))
        fill = modifier.fill_values
        given = modifier.matching
        matching = nodes.Matching(
            _CARDINALITIES[_word(modifier.card)],
            given is not None and _word(given.type) == "Include",
            tuple(sorted(set(given.labels))) if given else (),
            tuple(modifier.group_labels or ()),
            fill.lhs,
            fill.rhs,
        )
        return nodes.Binary(op, lhs, self.node(tree.rhs), modifier.return_bool, matching)

    def _at(self, at: library.AtModifier | None) -> nodes.At | None:
        if at is None:
            return None
        match _word(at.type):
            case "Start":
                return "start"
            case "End":
                return "end"
        assert at.at is not None
        return self._scan.times[int(at.at.timestamp())]

    def _duration(self, duration: timedelta | None) -> int:
        if duration is None:
            return 0
        milliseconds = duration // timedelta(milliseconds=1)
        if abs(milliseconds) > _MAX_DURATION_MS:
            raise self._scan.error("duration out of range", 0)
        return milliseconds

    def _positive(self, duration: timedelta) -> int:
        milliseconds = self._duration(duration)
        if milliseconds <= 0:
            raise self._scan.error("duration must be greater than 0", 0)
        return milliseconds
