"""The numbers that an expression compares with: finding them, and putting others in place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.binary import COMPARISONS
from pynomaly.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    MatrixSelector,
    Negation,
    Node,
    Number,
    Subquery,
    ValueType,
    VectorSelector,
    children,
)
from pynomaly.promql.printer import format_number, to_text
from pynomaly.rules.backtest.errors import BadBacktest

_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^"})
_SWAPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}

Path = tuple[int, ...]
"""The way from the root of an expression to a part of it: which child at each level."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that an outermost comparison compares with; ``of`` is the comparison's text."""

    value: float
    of: str
    path: Path


@dataclass(frozen=True, slots=True)
class Comparison:
    """``base op value`` at the root of an expression, with the number on the right."""

    base: Node
    op: str
    value: float

    def holds(self, values: ValueArray, value: float | None = None) -> BoolArray:
        """Where it is true, as PromQL compares; with another number if one is given."""
        return COMPARISONS[self.op](
            values, np.asarray(self.value if value is None else value, dtype=np.float64)
        )

    @property
    def wants_low(self) -> bool:
        """Whether small values are found."""
        return self.op in ("<", "<=")


def comparison_of(root: Node) -> Comparison | None:
    """The root as a filter of a vector by a number; None if it is anything else."""
    if not isinstance(root, Binary) or root.op not in COMPARISONS or root.returns_bool:
        return None
    left, right = _number(root.lhs), _number(root.rhs)
    if right is not None and root.lhs.type is ValueType.VECTOR:
        return Comparison(root.lhs, root.op, right)
    if left is not None and root.rhs.type is ValueType.VECTOR:
        return Comparison(root.rhs, _SWAPPED[root.op], left)
    return None


def thresholds(root: Node) -> list[Threshold]:
    """The numbers of the outermost comparisons, from left to right.

    Of a comparison without a number of its own, those that its sides are calculated with:
    the 0.9 of ``a > 0.9 * b``.
    """
    return list(_thresholds(root, ()))


def _thresholds(node: Node, path: Path) -> Iterator[Threshold]:
    if isinstance(node, Binary) and node.op in COMPARISONS:
        yield from _of_comparison(node, path)
        return
    for index, child in enumerate(children(node)):
        yield from _thresholds(child, (*path, index))


def _of_comparison(node: Binary, path: Path) -> Iterator[Threshold]:
    text = to_text(node)
    for index, side in ((1, node.rhs), (0, node.lhs)):
        value = _number(side)
        if value is not None:
            yield Threshold(value, text, (*path, index))
            return
    for index, side in ((1, node.rhs), (0, node.lhs)):
        found = [Threshold(v, text, p) for v, p in _calculated_with(side, (*path, index))]
        if found:
            yield from found
            return


def _calculated_with(node: Node, path: Path) -> Iterator[tuple[float, Path]]:
    value = _number(node)
    if value is not None:
        yield value, path
    elif isinstance(node, Binary) and node.op in _ARITHMETIC:
        yield from _calculated_with(node.lhs, (*path, 0))
        yield from _calculated_with(node.rhs, (*path, 1))


def _number(node: Node) -> float | None:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Negation) and isinstance(node.expr, Number):
        return -node.expr.value
    return None


def chosen(root: Node, position: int) -> Threshold:
    """The threshold to sweep: the only one (``position`` 0), or that at a position from 1.

    Raises:
        BadBacktest: there is none, there are several and none is named, or not so many.
    """
    found = thresholds(root)
    if not found:
        raise BadBacktest(
            f"{to_text(root)} compares with no number: there is no threshold to sweep.",
            hint="Compare with a number, as in `x > 0.8`.",
        )
    if position == 0 and len(found) > 1:
        raise BadBacktest(
            f"the rule has {len(found)} thresholds: {_listed(found)}.",
            hint=f"Say which by its position: threshold1={format_number(found[0].value)},…",
        )
    if position > len(found):
        raise BadBacktest(f"there is no threshold{position}; there are: {_listed(found)}")
    return found[max(position - 1, 0)]


def _listed(found: list[Threshold]) -> str:
    return ", ".join(
        f"threshold{n} = {format_number(each.value)} (of `{each.of}`)"
        for n, each in enumerate(found, 1)
    )


def with_number(root: Node, path: Path, value: float) -> Node:
    """The expression with another number at ``path``."""
    if not path:
        return Number(value)
    index, *rest = path
    return _with_child(root, index, with_number(children(root)[index], tuple(rest), value))


def _with_child(node: Node, index: int, child: Node) -> Node:
    match node:
        case Binary():
            return replace(node, lhs=child) if index == 0 else replace(node, rhs=child)
        case Call():
            return replace(node, args=(*node.args[:index], child, *node.args[index + 1 :]))
        case Aggregation() if node.param is not None and index == 0:
            return replace(node, param=child)
        case Aggregation() | Negation() | Subquery():
            return replace(node, expr=child)
        case MatrixSelector() if isinstance(child, VectorSelector):
            return replace(node, vector=child)
    raise AssertionError("a selector or literal has no parts")
