"""Just enough of Go's syntax to read the tables of a Go test: composite literals as values."""

import ast
import math
import re
from typing import Any

_TOKEN = re.compile(
    r"""\s+|//[^\n]*|(?P<raw>`[^`]*`)|(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<number>0x[0-9a-fA-F]+|\.?[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)|(?P<mark>[\[\]{}(),:&*+-])"""
)


def table(source: str, function: str, variable: str = "scenarios") -> list[Any]:
    """The value of ``variable := []struct{…}{…}`` in a function: structs as dicts."""
    body = source[source.index(f"func {function}(") :]
    reader = _Reader(body[body.index(f"{variable} := []struct") :])
    while reader.next() != "struct":
        pass
    reader.skip_braces()
    value = reader.composite()
    assert isinstance(value, list)
    return value


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def peek(self) -> str:
        before = self.at
        token = self.next()
        self.at = before
        return token

    def next(self) -> str:
        while True:
            found = _TOKEN.match(self.source, self.at)
            if not found:
                self.at += 1  # an operator that no literal has
                return self.source[self.at - 1]
            self.at = found.end()
            if found.lastgroup:
                return found.group()

    def skip_braces(self) -> None:
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self.next(), 0)
            if depth == 0:
                return

    def composite(self) -> Any:
        """From ``{`` to ``}``: a list of values, or a dict when they have keys."""
        assert self.next() == "{"
        items: list[Any] = []
        fields: dict[str, Any] = {}
        while self.peek() != "}":
            value = self.value()
            if self.peek() == ":":
                self.next()
                fields[str(value)] = self.value()
            else:
                items.append(value)
            if self.peek() == ",":
                self.next()
        self.next()
        return fields or items

    def value(self) -> Any:
        token = self.peek()
        if token == "{":
            return self.composite()
        self.next()
        if token in "[]*&":
            return self.value()
        if token in "+-":
            value = self.value()
            return -value if token == "-" else value
        if token[0] == "`":
            return token[1:-1]
        if token[0] == '"':
            return (
                ast.literal_eval("b" + token).decode(errors="surrogateescape")
                if (token.isascii())
                else ast.literal_eval(token)
            )
        if token[0].isdigit() or token[0] == ".":
            return int(token, 0) if token.isdigit() and token == str(int(token)) else float(token)
        return self._named(token)

    def _named(self, name: str) -> Any:
        if self.peek() == "{":
            return self.composite()
        if self.peek() != "(":
            return name
        self.next()
        arguments = []
        while self.peek() != ")":
            arguments.append(self.value())
            if self.peek() == ",":
                self.next()
        self.next()
        if name == "math.NaN":
            return math.nan
        if name == "math.Inf":
            return math.inf * arguments[0]
        return arguments[0] if arguments else name
