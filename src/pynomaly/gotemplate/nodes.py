"""The tree of a template. ``str`` of a node is how Go shows it in its messages."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Tree:
    """A template: ``source`` is the name of the text that it was parsed from, for messages."""

    name: str
    source: str
    text: str
    root: "ListNode | None" = None


@dataclass(slots=True, eq=False)
class Node:
    """Part of a tree; ``pos`` is the index in the tree's text."""

    tree: Tree
    pos: int


@dataclass(slots=True, eq=False)
class TextNode(Node):
    """Text between actions."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class ListNode(Node):
    """What follows each other."""

    nodes: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return "".join(map(str, self.nodes))


@dataclass(slots=True, eq=False)
class BoolNode(Node):
    """``true`` or ``false``."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(slots=True, eq=False)
class StringNode(Node):
    """A string in any of Go's quotes."""

    quoted: str
    value: str

    def __str__(self) -> str:
        return self.quoted


@dataclass(slots=True, eq=False)
class NumberNode(Node):
    """A number: as an integer (None if it is not one), and as a float.

    ``ideal_float`` says that it is a float where nothing else tells its type.
    """

    text: str
    integer: int | None
    value: float
    ideal_float: bool

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class DotNode(Node):
    """The cursor."""

    def __str__(self) -> str:
        return "."


@dataclass(slots=True, eq=False)
class NilNode(Node):
    """The constant nil."""

    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True, eq=False)
class FieldNode(Node):
    """``.a.b``: fields of the cursor."""

    names: list[str]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(slots=True, eq=False)
class VariableNode(Node):
    """``$x.a.b``: a variable, the first of the names, and fields of it."""

    names: list[str]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(slots=True, eq=False)
class IdentifierNode(Node):
    """The name of a function."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False)
class ChainNode(Node):
    """``(pipeline).a.b``: fields of a term."""

    term: Node
    names: list[str]

    def __str__(self) -> str:
        return _operand(self.term) + "".join(f".{name}" for name in self.names)


@dataclass(slots=True, eq=False)
class CommandNode(Node):
    """A function or value and its arguments."""

    args: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(map(_operand, self.args))


@dataclass(slots=True, eq=False)
class PipeNode(Node):
    """Commands, each taking the value of the one before, and the variables that get the last."""

    variables: list[VariableNode] = field(default_factory=list)
    assigns: bool = False
    commands: list[CommandNode] = field(default_factory=list)

    def __str__(self) -> str:
        declared = ", ".join(map(str, self.variables))
        sign = (" = " if self.assigns else " := ") if declared else ""
        return declared + sign + " | ".join(map(str, self.commands))


@dataclass(slots=True, eq=False)
class ActionNode(Node):
    """A pipeline whose value is shown."""

    pipe: PipeNode

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@dataclass(slots=True, eq=False)
class BranchNode(Node):
    """``if``, ``with`` or ``range``, said by ``keyword``."""

    keyword: str
    pipe: PipeNode
    body: ListNode
    otherwise: ListNode | None

    def __str__(self) -> str:
        rest = f"{{{{else}}}}{self.otherwise}" if self.otherwise else ""
        return f"{{{{{self.keyword} {self.pipe}}}}}{self.body}{rest}{{{{end}}}}"


@dataclass(slots=True, eq=False)
class TemplateNode(Node):
    """The call of another template."""

    name: str
    pipe: PipeNode | None

    def __str__(self) -> str:
        argument = f" {self.pipe}" if self.pipe else ""
        return f'{{{{template "{self.name}"{argument}}}}}'


@dataclass(slots=True, eq=False)
class JumpNode(Node):
    """``break`` or ``continue``."""

    keyword: str

    def __str__(self) -> str:
        return f"{{{{{self.keyword}}}}}"


@dataclass(slots=True, eq=False)
class EndNode(Node):
    """Ends a list: ``end``, or ``else`` with the keyword that follows it in the same action."""

    keyword: str

    def __str__(self) -> str:
        return f"{{{{{self.keyword}}}}}"


def is_empty(node: Node | None) -> bool:
    """Whether a list is nothing but space; an empty definition does not replace another one."""
    if node is None:
        return True
    if isinstance(node, ListNode):
        return all(map(is_empty, node.nodes))
    return isinstance(node, TextNode | JumpNode) and not str(node).strip()


def _operand(node: Node) -> str:
    return f"({node})" if isinstance(node, PipeNode) else str(node)
