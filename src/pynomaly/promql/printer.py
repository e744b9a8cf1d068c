"""From expressions back to text: what the parser reads as the same expression."""

import math
import re
from collections.abc import Sequence

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

_WORD = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED = re.compile(
    r"(?i:and|or|unless|atan2|bool|by|without|on|ignoring|group_left|group_right|offset|inf|nan|sum"
    r"|avg|count|min|max|group|stddev|stdvar|topk|bottomk|quantile|count_values|limitk|limit_ratio)"
)
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


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
            right = to_text(node.rhs) if isinstance(node.rhs, Number) else _operand(node.rhs)
            return f"{_operand(node.lhs)} {node.op}{modifiers} {right}"


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
        word = rest[0].value
        bare = _METRIC.fullmatch(word) and not _RESERVED.fullmatch(word)
        name = rest.pop(0).value if bare else ""
    inner = ", ".join(map(_matcher, rest))
    return f"{name}{{{inner}}}" if inner or not name else name


def _matcher(matcher: Matcher) -> str:
    return f"{_label(matcher.name)}{matcher.op}{quoted(matcher.value)}"


def _labels(names: Sequence[str]) -> str:
    return ", ".join(map(_label, names))


def _label(name: str) -> str:
    """A label's name, in quotes where it is not a plain word."""
    return name if _WORD.fullmatch(name) else quoted(name)


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
        clause = f" {'without' if node.without else 'by'} ({_labels(node.grouping)}) "
    return f"{node.op}{clause}({', '.join(map(to_text, args))})"


def _matching(node: Binary) -> str:
    matching = node.matching
    text = ""
    if matching.on or matching.labels:
        text += f" {'on' if matching.on else 'ignoring'} ({_labels(matching.labels)})"
    side = {Cardinality.MANY_TO_ONE: "left", Cardinality.ONE_TO_MANY: "right"}
    if matching.cardinality in side:
        text += f" group_{side[matching.cardinality]} ({_labels(matching.include)})"
    return text + _fills(matching)


def _fills(matching: Matching) -> str:
    if matching.fill_left is not None and matching.fill_left == matching.fill_right:
        return f" fill({format_number(matching.fill_left)})"
    sides = (("left", matching.fill_left), ("right", matching.fill_right))
    return "".join(
        f" fill_{side}({format_number(value)})" for side, value in sides if value is not None
    )
