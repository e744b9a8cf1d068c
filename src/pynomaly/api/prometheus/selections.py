"""``match[]``: which series a request is about."""

from collections.abc import Sequence
from contextlib import suppress

from pynomaly.model.errors import BadInput, PynomalyError
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


def parse_any_selection(text: str) -> list[Matcher]:
    """The matchers of one metric selector, which may also match every series, as ``{}`` does.

    Raises:
        ParseError: the text is not a metric selector.
    """
    try:
        return parse_selection(text)
    except PynomalyError as error:
        inside, brace, rest = text.strip().rpartition("}")
        comma = "" if inside.rstrip().endswith(("{", ",")) else ","
        if brace and not rest:
            # The grammar wants a matcher that an empty value does not satisfy: it gets one.
            with suppress(PynomalyError):
                return parse_selection(f'{inside}{comma}__name__!=""}}')[:-1]
        raise error
