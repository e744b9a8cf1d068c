"""What the parser's refusals mean: Prometheus's wording, a position, and the name of a feature."""

import re
from itertools import pairwise

from pynomaly.promql.contract import ParseError
from pynomaly.promql.scan import Scan, Token

_UNSUPPORTED = frozenset({"start_timestamp"})
_DURATION_OPERATORS = frozenset("+*/%^(")
_MODIFIERS = {
    "anchored": "extended range selectors (anchored)",
    "smoothed": "extended range selectors (smoothed)",
}


def refuse_unsupported(found: Scan, name: str) -> None:
    """Raise when a function, an aggregation or a modifier is one that we do not have."""
    reason = _why_not(name)
    if reason:
        raise found.error(reason, _place(found, name))


def _why_not(name: str) -> str:
    if name in _UNSUPPORTED:
        return f'"{name}" is experimental in Prometheus and not supported here'
    if name in _MODIFIERS:
        return f"{_MODIFIERS[name]} are experimental in Prometheus and not supported here"
    return ""


def explain(found: Scan, message: str) -> ParseError:
    """The error for what the library says of an expression."""
    if named := re.fullmatch(r"unknown function with name '(.*)'", message):
        refuse_unsupported(found, named[1])
        text = f'unknown function with name "{named[1]}"'
        return found.error(text, _place(found, named[1]))
    if inside := _duration_arithmetic(found):
        text = "duration expressions are experimental in Prometheus and not supported here"
        return found.error(text, inside.start)
    trims = next((t for t in found.tokens if t.text in ("</", ">/")), None)
    if trims:
        text = f'"{trims.text}" trims native histograms, which are not supported here'
        return found.error(text, trims.start)
    for token, following in pairwise([*found.tokens, Token("end", "", len(found.expr))]):
        if token.kind == "word" and (token.text in _MODIFIERS or following.text == "("):
            refuse_unsupported(found, token.text)
    if named := re.search(r"in call to (?:function )?'(\w+)'", message):
        return found.error(message.replace("'", '"'), _place(found, named[1]))
    if lonely := _clause_without_aggregation(found):
        return lonely
    if message == "invalid promql query":
        return found.error("the expression is not PromQL", _suspect(found))
    return found.error(message, _mentioned(found, message))


def _place(found: Scan, name: str) -> int:
    places = (t.start for t in found.tokens if t.kind == "word" and t.text == name)
    return next(places, 0)


def _mentioned(found: Scan, message: str) -> int:
    quoted = re.search(r"'([^']+)'", message)
    return max(found.expr.find(quoted[1]), 0) if quoted else 0


def _duration_arithmetic(found: Scan) -> Token | None:
    """The first operator in a range, or call of ``step()`` and the like where it cannot be."""
    in_range = False
    before = Token("start", "", 0)
    for token in found.tokens:
        if token.text in ("[", "]"):
            in_range = token.text == "["
        elif (in_range and token.text in _DURATION_OPERATORS) or (
            before.text.lower() == "offset" and token.text == "("
        ):
            return token
        elif token.text == "(" and before.text.lower() in ("step", "range", "min_of", "max_of"):
            return before
        before = token
    return None


_AGGREGATIONS = frozenset(
    {
        *("avg", "bottomk", "count", "count_values", "group", "limit_ratio", "limitk"),
        *("max", "min", "quantile", "stddev", "stdvar", "sum", "topk"),
    }
)


def _clause_without_aggregation(found: Scan) -> ParseError | None:
    """The error for ``rate(x[1m]) by (ip)``, with what was probably meant."""
    tokens = found.tokens
    for index, token in enumerate(tokens):
        if token.text.lower() not in ("by", "without") or index == 0:
            continue
        first = _begin_of_operand(tokens, index - 1)
        labels = _end_of_brackets(tokens, index + 1)
        if first is None or labels is None or tokens[first].text.lower() in _AGGREGATIONS:
            continue
        operand = found.expr[tokens[first].start : token.start].strip()
        clause = found.expr[token.start : tokens[labels].start + 1]
        meant = f"sum {clause} ({operand})"
        whole = found.expr[: tokens[first].start] + meant + found.expr[tokens[labels].start + 1 :]
        text = f'"{token.text}" belongs to an aggregation; did you mean {whole.strip()}'
        return found.error(text, token.start)
    return None


def _begin_of_operand(tokens: list[Token], last: int) -> int | None:
    """The function or metric that an operand ending at ``last`` begins with."""
    depth, index = 0, last
    while index >= 0:
        depth += tokens[index].text in (")", "]", "}")
        depth -= tokens[index].text in ("(", "[", "{")
        if depth == 0 and tokens[index].kind == "word":
            return index
        index -= 1
    return None


def _end_of_brackets(tokens: list[Token], opening: int) -> int | None:
    if opening >= len(tokens) or tokens[opening].text != "(":
        return None
    closing = (i for i in range(opening, len(tokens)) if tokens[i].text == ")")
    return next(closing, None)


def _suspect(found: Scan) -> int:
    """Where a syntax error most likely is: two operands without an operator between them."""
    before: Token | None = None
    for token in found.tokens:
        if before and _ends_operand(before) and _starts_operand(token):
            return token.start
        before = token
    return found.tokens[-1].start if found.tokens else 0


_KEYWORDS = frozenset(
    {
        "and",
        "atan2",
        "bool",
        "by",
        "group_left",
        "group_right",
        "ignoring",
        "offset",
        "on",
        "or",
        "unless",
        "without",
    }
)


def _ends_operand(token: Token) -> bool:
    if token.kind == "word":
        return token.text.lower() not in _KEYWORDS
    return token.kind in ("number", "string") or token.text == "}"


def _starts_operand(token: Token) -> bool:
    if token.kind == "word":
        return token.text.lower() not in _KEYWORDS
    return token.kind in ("number", "string")
