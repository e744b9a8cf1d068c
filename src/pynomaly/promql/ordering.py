"""The order in which series are shown."""

from pynomaly.promql import nodes
from pynomaly.promql.contract import Matrix
from pynomaly.promql.evaluator import ORDERING
from pynomaly.promql.matrices import in_label_order
from pynomaly.promql.nodes import Node


def in_order(node: Node, matrix: Matrix, *, instant: bool) -> Matrix:
    """By labels, unless an instant query asks for an order of its own."""
    return matrix if instant and _meant(node) else in_label_order(matrix)


def _meant(node: Node) -> bool:
    return any(
        getattr(each, "function", "") in ORDERING or getattr(each, "op", "") in ORDERING
        for each in nodes.walk(node)
    )
