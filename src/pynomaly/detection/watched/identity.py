"""Which series of the store a watched query speaks of."""

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import MatchOp
from pynomaly.promql.nodes import Call, MatrixSelector, Node, VectorSelector
from pynomaly.promql.parser import parse

_OF_ONE_SERIES = frozenset(
    {
        "rate",
        "irate",
        "increase",
        "delta",
        "idelta",
        "avg_over_time",
        "last_over_time",
        "max_over_time",
        "median_over_time",
        "min_over_time",
        "sum_over_time",
    }
)
"""Functions that give one series for each one stored, without its name."""


def metric_of(expr: str) -> str:
    """The metric whose series the expression gives one by one, as they are or over a window.

    Empty where each series of the result is made of several.

    >>> metric_of('rate(http_requests_total{job="shop"}[5m])')
    'http_requests_total'
    >>> metric_of("sum(up)")
    ''

    Raises:
        ParseError: it is not PromQL.
    """
    node = parse(expr)
    if isinstance(node, Call) and node.function in _OF_ONE_SERIES and len(node.args) == 1:
        node = node.args[0]
    return _named(node)


def _named(node: Node) -> str:
    if isinstance(node, MatrixSelector):
        node = node.vector
    if not isinstance(node, VectorSelector):
        return ""
    names = (m.value for m in node.matchers if m.name == METRIC_NAME and m.op == MatchOp.EQUAL)
    return next(names, "")


def event_labels(labels: Labels, metric: str, query: str) -> Labels:
    """The labels of an anomaly: those of the stored series, else of the query's, by its name."""
    return Labels({**dict(labels.items()), METRIC_NAME: metric or query})
