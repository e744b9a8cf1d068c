"""From expressions back to text: what the parser reads as the same expression."""

import math

from pynomaly.model.duration import format_duration
from pynomaly.model.labels import METRIC_NAME, quoted
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.promql.nodes import (
    Aggregation,
    At,
    Binary,
    Call,
    Cardinality,
    Matching,
    MatrixSelector,
    Negation,
    Node,
    Number,
    Subquery,
    Text,
    VectorSelector,
)


def to_text(node: Node) -> str:
    """PromQL that parses as ``node``. Operands that are operations stand in parentheses."""
    match node:
        case Number():
            return format_number(node.value)
        case Text():
            return quoted(node.value)
        case VectorSelector():
            return _selector(node.matchers) + _modifiers(node.offset_ms, node.at)
        case MatrixSelector():
            vector = node.vector
            width = _duration(node.range_ms)
            return f"{_selector(vector.matchers)}[{width}]{_modifiers(vector.offset_ms, vector.at)}"
        case Subquery():
            return _subquery(node)
        case Call():
            return f"{node.function}({', '.join(map(to_text, node.args))})"
        case Aggregation():
            return _aggregation(node)
        case Negation():
            return f"-{_operand(node.expr)}"
        case Binary():
            modifiers = (" bool" if node.returns_bool else "") + _matching(node)
            return f"{_operand(node.lhs)} {node.op}{modifiers} {_operand(node.rhs)}"


def format_number(value: float) -> str:
    """A number literal: the shortest that reads as the same float.

    >>> format_number(0.8), format_number(5.0), format_number(float("inf"))
    ('0.8', '5', '+Inf')
    """
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return repr(value).removesuffix(".0")


def _operand(node: Node) -> str:
    text = to_text(node)
    bare = not isinstance(node, Binary | Negation) and not text.startswith(("-", "+"))
    return text if bare else f"({text})"


def _duration(ms: int) -> str:
    return format_duration(ms / 1000)


def _selector(matchers: tuple[Matcher, ...]) -> str:
    name, rest = "", list(matchers)
    if rest and rest[0].name == METRIC_NAME and rest[0].op is MatchOp.EQUAL:
        plain = rest[0].value.replace(":", "_").replace("_", "a")
        if plain.isascii() and plain.isalnum() and not plain[0].isdigit():
            name = rest.pop(0).value
    inner = ", ".join(map(_matcher, rest))
    return f"{name}{{{inner}}}" if inner or not name else name


def _matcher(matcher: Matcher) -> str:
    return f"{matcher.name}{matcher.op}{quoted(matcher.value)}"


def _modifiers(offset_ms: int, at: At | None) -> str:
    text = ""
    if isinstance(at, int):
        text = f" @ {at / 1000:.3f}"
    elif at is not None:
        text = f" @ {at}()"
    if offset_ms:
        sign = "-" if offset_ms < 0 else ""
        text += f" offset {sign}{_duration(abs(offset_ms))}"
    return text


def _subquery(node: Subquery) -> str:
    step = _duration(node.step_ms) if node.step_ms else ""
    inner = _operand(node.expr)
    if isinstance(node.expr, VectorSelector):
        inner = f"({inner})"  # its own modifiers and those of the subquery must not meet
    return f"{inner}[{_duration(node.range_ms)}:{step}]{_modifiers(node.offset_ms, node.at)}"


def _aggregation(node: Aggregation) -> str:
    args = [node.expr] if node.param is None else [node.param, node.expr]
    clause = ""
    if node.grouping or node.without:
        clause = f" {'without' if node.without else 'by'} ({', '.join(node.grouping)})"
    return f"{node.op}{clause}({', '.join(map(to_text, args))})"


def _matching(node: Binary) -> str:
    matching = node.matching
    text = ""
    if matching.on or matching.labels:
        text += f" {'on' if matching.on else 'ignoring'} ({', '.join(matching.labels)})"
    side = {Cardinality.MANY_TO_ONE: "left", Cardinality.ONE_TO_MANY: "right"}
    if matching.cardinality in side:
        text += f" group_{side[matching.cardinality]} ({', '.join(matching.include)})"
    return text + _fills(matching)


def _fills(matching: Matching) -> str:
    if matching.fill_left is not None and matching.fill_left == matching.fill_right:
        return f" fill({format_number(matching.fill_left)})"
    sides = (("left", matching.fill_left), ("right", matching.fill_right))
    return "".join(
        f" fill_{side}({format_number(value)})" for side, value in sides if value is not None
    )
