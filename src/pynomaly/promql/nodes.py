"""PromQL expressions as data: what the parser gives and the evaluator walks.

Every node knows its ``type`` and whether it is ``fixed``: its value is the same at every step
(Prometheus's step invariance), so that it needs to be computed once only.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pynomaly.model.matcher import Matcher


class ValueType(StrEnum):
    """The type of an expression."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"


At = int | Literal["start", "end"]
"""The ``@`` modifier: milliseconds since the epoch, or a border of the whole query."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number literal."""

    value: float
    type: ValueType = field(init=False, default=ValueType.SCALAR)
    fixed: bool = field(init=False, default=True)


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str
    type: ValueType = field(init=False, default=ValueType.STRING)
    fixed: bool = field(init=False, default=True)


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """The latest sample of each series that satisfies every matcher (the name is a matcher)."""

    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At | None = None
    type: ValueType = field(init=False, default=ValueType.VECTOR)

    @property
    def fixed(self) -> bool:
        """Whether ``@`` ties it to one time."""
        return self.at is not None


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """The samples of each series in a window that ends at each step."""

    vector: VectorSelector
    range_ms: int
    type: ValueType = field(init=False, default=ValueType.MATRIX)

    @property
    def fixed(self) -> bool:
        """Whether ``@`` ties it to one time."""
        return self.vector.fixed


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression evaluated on a grid of its own; ``step_ms`` 0 is the default resolution."""

    expr: "Node"
    range_ms: int
    step_ms: int
    offset_ms: int = 0
    at: At | None = None
    type: ValueType = field(init=False, default=ValueType.MATRIX)

    @property
    def fixed(self) -> bool:
        """Whether ``@`` ties it to one time."""
        return self.at is not None


VARYING_FUNCTIONS = frozenset(
    {
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "days_in_month",
        "hour",
        "minute",
        "month",
        "predict_linear",
        "time",
        "timestamp",
        "year",
    }
)
"""Functions that read the evaluation time: not fixed even if their arguments are."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    function: str
    args: tuple["Node", ...]
    type: ValueType
    fixed: bool = field(init=False)

    def __post_init__(self) -> None:
        fixed = all(arg.fixed for arg in self.args)
        if self.function == "timestamp":
            fixed = fixed and isinstance(self.args[0], VectorSelector)
        elif self.function in VARYING_FUNCTIONS:
            fixed = False
        object.__setattr__(self, "fixed", fixed)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """``op by (grouping) (param, expr)``, or ``without``."""

    op: str
    expr: "Node"
    param: "Node | None"
    grouping: tuple[str, ...]
    without: bool
    type: ValueType = field(init=False, default=ValueType.VECTOR)
    fixed: bool = field(init=False)

    def __post_init__(self) -> None:
        fixed = self.expr.fixed and (self.param is None or self.param.fixed)
        object.__setattr__(self, "fixed", fixed)


@dataclass(frozen=True, slots=True)
class Negation:
    """Unary minus."""

    expr: "Node"

    @property
    def type(self) -> ValueType:
        """The type of what is negated."""
        return self.expr.type

    @property
    def fixed(self) -> bool:
        """Whether what is negated is."""
        return self.expr.fixed


class Cardinality(StrEnum):
    """Which side of a vector match may have many series for one of the other."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of two vectors find each other."""

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None

    @property
    def fills(self) -> bool:
        """Whether a series without a partner is matched with a number."""
        return self.fill_left is not None or self.fill_right is not None


@dataclass(frozen=True, slots=True)
class Binary:
    """``lhs op rhs``. Long chains lean to the left: walk them without recursion."""

    op: str
    lhs: "Node"
    rhs: "Node"
    returns_bool: bool
    matching: Matching
    type: ValueType = field(init=False)
    fixed: bool = field(init=False)

    def __post_init__(self) -> None:
        scalars = self.lhs.type == self.rhs.type == ValueType.SCALAR
        object.__setattr__(self, "type", ValueType.SCALAR if scalars else ValueType.VECTOR)
        object.__setattr__(self, "fixed", self.lhs.fixed and self.rhs.fixed)


Node = (
    Number
    | Text
    | VectorSelector
    | MatrixSelector
    | Subquery
    | Call
    | Aggregation
    | Negation
    | Binary
)


def children(node: Node) -> tuple[Node, ...]:
    """The expressions directly inside an expression."""
    match node:
        case Number() | Text() | VectorSelector():
            return ()
        case MatrixSelector():
            return (node.vector,)
        case Subquery() | Negation():
            return (node.expr,)
        case Call():
            return node.args
        case Aggregation():
            return (node.expr,) if node.param is None else (node.param, node.expr)
        case Binary():
            return (node.lhs, node.rhs)


def walk(root: Node) -> list[Node]:
    """Every node of an expression, parents before children, left to right."""
    found: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(reversed(children(node)))
    return found
