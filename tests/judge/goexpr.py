"""Just enough of Go's syntax to read the tables of a Go test with their types."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""(?:\s|//[^\n]*)*(?:(?P<raw>`[^`]*`)|(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<number>0x[0-9a-fA-F]+|\.?[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<mark>.))"""
)


@dataclass
class Composite:
    """``Type{…}``: elements by position or by key; without a type in a list of structs."""

    type: str
    items: list[Any] = field(default_factory=list)
    keyed: dict[Any, Any] = field(default_factory=dict)


@dataclass
class Name:
    """An identifier, also a qualified one."""

    name: str


@dataclass
class Call:
    """``function(arguments)``; a method is a call of a Member."""

    function: Any
    args: list[Any]


@dataclass
class Member:
    """``value.name`` of what is not a name."""

    value: Any
    name: str


@dataclass
class Binary:
    """Two values and an operator."""

    op: str
    left: Any
    right: Any


@dataclass
class Func:
    """A function literal: the values that it returns."""

    returned: list[Any]


def table(source: str, function: str | None, opening: str) -> list[Composite]:
    """The elements of the composite literal that ``opening`` begins in a function, or anywhere.

    ``opening`` is the text before the literal, such as ``range []struct``, whose own braces are
    skipped, or ``[]scenario``.
    """
    body = source[source.index(f"func {function}(") :] if function else source
    reader = _Reader(body, body.index(opening) + len(opening))
    if opening.endswith("struct"):
        reader.skip_braces()
    return reader.composite("").items


def element(source: str, at: int) -> Any:
    """The expression that begins at a place of the source."""
    return _Reader(source, at).element()


class _Reader:
    def __init__(self, source: str, at: int) -> None:
        self.source = source
        self.at = at

    def peek(self) -> str:
        before = self.at
        token = self.next()
        self.at = before
        return token

    def next(self) -> str:
        found = _TOKEN.match(self.source, self.at)
        assert found and found.lastgroup
        self.at = found.end()
        return found[found.lastgroup]

    def accept(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.next()
        return True

    def expect(self, token: str) -> None:
        got = self.next()
        assert got == token, f"{token!r} expected, {got!r} at {self.source[self.at - 40 : self.at]}"

    def skip_braces(self) -> None:
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self.next(), 0)
            if depth == 0:
                return

    def composite(self, type_name: str) -> Composite:
        self.expect("{")
        found = Composite(type_name)
        while not self.accept("}"):
            value = self.element()
            if self.accept(":"):
                key = value.name if isinstance(value, Name) else value
                found.keyed[key] = self.element()
            else:
                found.items.append(value)
            self.accept(",")
        return found

    def element(self) -> Any:
        return self.composite("") if self.peek() == "{" else self.sum()

    def sum(self) -> Any:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = Binary(self.next(), value, self.product())
        return value

    def product(self) -> Any:
        value = self.unary()
        while self.peek() == "*":
            value = Binary(self.next(), value, self.unary())
        return value

    def unary(self) -> Any:
        if self.accept("-"):
            return Binary("-", 0, self.unary())
        self.accept("&")
        return self.postfix(self.primary())

    def postfix(self, value: Any) -> Any:
        while True:
            if self.accept("("):
                args = []
                while not self.accept(")"):
                    args.append(self.element())
                    self.accept(",")
                value = Call(value, args)
            elif self.accept("."):
                name = self.next()
                value = Name(f"{value.name}.{name}") if _is_name(value) else Member(value, name)
            elif _is_name(value) and self.peek() == "{":
                value = self.composite(value.name)
            else:
                return value

    def primary(self) -> Any:
        token = self.next()
        if token == "(":
            value = self.sum()
            self.expect(")")
            return value
        if token[0] == "`":
            return token[1:-1]
        if token[0] == '"':
            return ast.literal_eval(token)
        if token[0].isdigit() or token[0] == ".":
            return int(token, 0) if token.isdigit() else float(token)
        if token in ("[", "*"):
            return self.type_name(token)
        if token == "map":
            return self.type_name(token)
        if token == "func":
            return self.function()
        return Name(token)

    def type_name(self, begun: str) -> Name:
        """The rest of a type: ``[]T``, ``map[K]V``, ``*T``, ``pkg.T``."""
        text = begun
        if begun in ("[", "map"):
            text += "" if begun == "[" else self.next()
            while not text.endswith("]"):
                text += self.next()
        if begun in ("[", "map", "*"):
            return Name(text + self.type_name(self.next()).name)
        while self.accept("."):
            text += "." + self.next()
        return Name(text)

    def function(self) -> Func:
        while self.peek() != "{":
            self.next()
        self.expect("{")
        self.expect("return")
        returned = [self.sum()]
        while self.accept(","):
            returned.append(self.sum())
        self.expect("}")
        return Func(returned)


def _is_name(value: Any) -> bool:
    return isinstance(value, Name)
