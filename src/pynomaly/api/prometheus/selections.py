"""``match[]``: which series a request is about."""

from collections.abc import Sequence

from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import Matcher
from pynomaly.promql.contract import ParseError
from pynomaly.promql.nodes import VectorSelector
from pynomaly.promql.parser import parse


def parse_selections(texts: Sequence[str]) -> list[list[Matcher]]:
    """The matchers of each metric selector, such as ``up{job="node"}``.

    Raises:
        ParseError: a text is not a metric selector.
        BadInput: a selector would match every series.
    """
    return [parse_selection(text) for text in texts]


def parse_selection(text: str) -> list[Matcher]:
    """The matchers of one metric selector; raises as ``parse_selections``."""
    node = parse(text)
    if not isinstance(node, VectorSelector) or node.offset_ms or node.at is not None:
        raise ParseError(f"parse error: {text} is not a metric selector")
    if all(matcher.matches("") for matcher in node.matchers):
        raise BadInput("match[] must contain at least one non-empty matcher")
    return list(node.matchers)
