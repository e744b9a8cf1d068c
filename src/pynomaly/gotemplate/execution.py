"""An execution of templates: what it may use, where it is, and how it fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol

from pynomaly.gotemplate.errors import LimitReached, TemplateError
from pynomaly.gotemplate.functions import Function
from pynomaly.gotemplate.literals import octets, quoted
from pynomaly.gotemplate.nodes import Node, Tree
from pynomaly.gotemplate.show import MAX_TEXT


@dataclass(frozen=True, slots=True)
class Limits:
    """What an execution may use, so that no template can take the process down.

    ``steps``: nodes evaluated, a text handled counting by its length. ``output``: characters.
    ``depth``: templates within templates and lists within lists.
    """

    steps: int = 500_000
    output: int = MAX_TEXT
    depth: int = 100


class Output(Protocol):
    """Takes what a template writes."""

    def text(self, text: str) -> None:
        """Text of the template itself."""
        ...

    def value(self, value: object) -> None:
        """The value of an action."""
        ...


_LONGEST_CONTEXT = 500


@dataclass(slots=True)
class Execution:
    """One execution of a template among others that it may call."""

    trees: Mapping[str, Tree]
    functions: Mapping[str, Function]
    missing_key: str
    context: object
    output: Output
    limits: Limits
    tree: Tree
    node: Node | None = None
    steps: int = 0
    depth: int = 0

    def fail(self, message: str) -> NoReturn:
        """Raise the error at the node that is being evaluated."""
        node, name = self.node, self.tree.name
        if node is None:
            raise TemplateError(f"template: {name}: {message}", name)
        before = node.tree.text[: node.pos]
        line = 1 + before.count("\n")
        column = len(octets(before[before.rfind("\n") + 1 :]))
        place = f"{node.tree.source}:{line}:{column}"
        shown = str(node)
        if len(shown) > _LONGEST_CONTEXT:
            shown = shown[:_LONGEST_CONTEXT] + "..."
        text = f"template: {place}: executing {quoted(name)} at <{shown}>: {message}"
        raise TemplateError(text, node.tree.source, line, column)

    def charge(self, steps: int = 1) -> None:
        """Count work. Raises LimitReached."""
        self.steps += steps
        if self.steps > self.limits.steps:
            raise LimitReached(f"exceeded maximum of {self.limits.steps} steps")

    def at(self, node: Node) -> None:
        """Say where the evaluation is, for messages."""
        self.node = node
        self.charge()
