"""What Prometheus has behind a feature flag, and we behind a setting."""

from collections.abc import Iterator

from pynomaly.promql import nodes
from pynomaly.promql.contract import ParseError
from pynomaly.promql.nodes import Node
from pynomaly.promql.scan import parse_error

_NAMES = frozenset(
    {
        "double_exponential_smoothing",
        "end",
        "first_over_time",
        "histogram_quantiles",
        "info",
        "limit_ratio",
        "limitk",
        "mad_over_time",
        "max_of",
        "min_of",
        "range",
        "sort_by_label",
        "sort_by_label_desc",
        "start",
        "step",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    }
)


def refuse_experimental(expr: str, root: Node) -> ParseError | None:
    """The error for the first experimental part of an expression, if it has one."""
    name = next(_used(root), None)
    if name is None:
        return None
    error = parse_error(expr, f"{name} is experimental and switched off", max(expr.find(name), 0))
    error.hint = "Set query.experimental_functions to true to use it."
    return error


def _used(root: Node) -> Iterator[str]:
    for node in nodes.walk(root):
        name = getattr(node, "function", "") or getattr(node, "op", "")
        if name in _NAMES:
            yield name
        if isinstance(node, nodes.Binary) and node.matching.fills:
            yield "fill"
