"""From the text of a template to tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a token is."""

    ERROR = auto()
    EOF = auto()
    TEXT = auto()
    LEFT = auto()
    RIGHT = auto()
    SPACE = auto()
    CHAR = auto()
    ASSIGN = auto()
    DECLARE = auto()
    PIPE = auto()
    OPEN = auto()
    CLOSE = auto()
    BOOL = auto()
    STRING = auto()
    RUNE = auto()
    NUMBER = auto()
    IDENTIFIER = auto()
    KEYWORD = auto()
    DOT = auto()
    FIELD = auto()
    VARIABLE = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template; ``pos`` is its index in the text, ``line`` counts from 1."""

    kind: Kind
    pos: int
    text: str
    line: int

    def __str__(self) -> str:
        if self.kind is Kind.EOF:
            return "EOF"
        if self.kind is Kind.ERROR:
            return self.text
        if self.kind in (Kind.KEYWORD, Kind.DOT):
            return f"<{self.text}>"
        shown = self.text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{shown[:10]}"...' if len(self.text) > 10 else f'"{shown}"'


_KEYWORDS = frozenset(
    [
        "block",
        "break",
        "continue",
        "define",
        "else",
        "end",
        "if",
        "nil",
        "range",
        "template",
        "with",
    ]
)
_SPACES = " \t\r\n"
_MAY_END = frozenset("} \t\r\n")
_RIGHT = re.compile(r"[ \t\r\n]-\}\}[ \t\r\n]*|\}\}")
_TOKENS = re.compile(
    r"(?P<SPACE>[ \t\r\n]+?(?=[ \t\r\n]-\}\})|[ \t\r\n]+)"
    r"|(?P<DECLARE>:=)|(?P<ASSIGN>=)|(?P<PIPE>\|)"
    r'|(?P<STRING>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)'
    r"|(?P<RUNE>'(?:[^'\\\n]|\\[^\n])*')"
    r"|(?P<VARIABLE>\$\w*)|(?P<FIELD>\.(?!\d)\w+)|(?P<DOT>\.(?!\d))"
    r"|(?P<NUMBER>(?:[+-]|(?=\.?\d))(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?)"
    r"|(?P<IDENTIFIER>\w+)|(?P<OPEN>\()|(?P<CLOSE>\))|(?P<CHAR>[!-~])"
)
_NEEDS_END = {"IDENTIFIER", "VARIABLE", "FIELD", "DOT"}
_UNCLOSED = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
    ":": "expected :=",
}


class _Fault(Exception):
    pass


def tokens(text: str) -> list[Token]:
    """All tokens of a template; the last one is EOF, or an error with Go's message."""
    lexer = _Lexer(text)
    found: list[Token] = []
    try:
        found.extend(lexer.text_and_actions(found))
    except _Fault as fault:
        found.append(Token(Kind.ERROR, lexer.pos, str(fault), lexer.line))
    return found


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.line = 1

    def take(self, kind: Kind, end: int) -> Token:
        token = Token(kind, self.pos, self.text[self.pos : end], self.line)
        self.skip(end)
        return token

    def skip(self, end: int) -> None:
        self.line += self.text.count("\n", self.pos, end)
        self.pos = end

    def text_and_actions(self, found: list[Token]) -> Iterator[Token]:
        while (left := self.text.find("{{", self.pos)) >= 0:
            trims = self.text[left + 2 : left + 3] == "-" and self._space_at(left + 3)
            end = left
            if trims:
                end = self.pos + len(self.text[self.pos : left].rstrip(_SPACES))
            if end > self.pos:
                yield self.take(Kind.TEXT, end)
            self.skip(left)
            if self.text.startswith("/*", left + 2 + 2 * trims):
                self._comment(left + 2 + 2 * trims)
                continue
            yield self.take(Kind.LEFT, left + 2)
            self.skip(self.pos + 2 * trims)
            yield from self._action()
        if self.pos < len(self.text):
            yield self.take(Kind.TEXT, len(self.text))
        yield self.take(Kind.EOF, self.pos)

    def _space_at(self, index: int) -> bool:
        return self.text[index : index + 1] != "" and self.text[index] in _SPACES

    def _comment(self, start: int) -> None:
        self.skip(start)
        end = self.text.find("*/", start + 2)
        if end < 0:
            raise _Fault("unclosed comment")
        right = _RIGHT.match(self.text, end + 2)
        if not right:
            raise _Fault("comment ends before closing delimiter")
        self.skip(right.end())

    def _action(self) -> Iterator[Token]:
        depth = 0
        while True:
            near = self.text[self.pos : self.pos + 1] in _MAY_END
            if near and (right := _RIGHT.match(self.text, self.pos)):
                if depth:
                    raise _Fault("unclosed left paren")
                yield self._right(right.end())
                return
            token = self._token()
            if token.kind is Kind.OPEN:
                depth += 1
            elif token.kind is Kind.CLOSE:
                depth -= 1
                if depth < 0:
                    raise _Fault("unexpected right paren")
            yield token

    def _right(self, end: int) -> Token:
        if self.text[self.pos] != "}":
            self.skip(self.pos + 2)
        token = self.take(Kind.RIGHT, self.pos + 2)
        self.skip(end)
        return token

    def _token(self) -> Token:
        found = _TOKENS.match(self.text, self.pos)
        if self.pos >= len(self.text):
            raise _Fault("unclosed action")
        first = self.text[self.pos]
        if not found or (found.lastgroup == "CHAR" and first in _UNCLOSED):
            raise _Fault(
                _UNCLOSED.get(first) or f"unrecognized character in action: {_rune(first)}"
            )
        end, group = found.end(), found.lastgroup or ""
        if group in _NEEDS_END and not self._at_terminator(end):
            raise _Fault(f"bad character {_rune(self.text[end])}")
        if group == "NUMBER":
            self._check_number(end)
        return self.take(_kind(group, found.group()), end)

    def _at_terminator(self, index: int) -> bool:
        following = self.text[index : index + 1]
        return not following or following in " \t\r\n.,|:)(" or self.text.startswith("}}", index)

    def _check_number(self, end: int) -> None:
        following = self.text[end : end + 1]
        if following.isalnum() or following == "_":
            end += 1
        elif not following or following not in "+-":
            return
        raise _Fault(f'bad number syntax: "{self.text[self.pos : end]}"')


def _kind(group: str, text: str) -> Kind:
    if group == "IDENTIFIER":
        if text in _KEYWORDS:
            return Kind.KEYWORD
        if text in ("true", "false"):
            return Kind.BOOL
    return Kind[group]


def _rune(char: str) -> str:
    shown = f" '{char}'" if char.isprintable() and not char.isspace() else ""
    return f"U+{ord(char):04X}{shown}"
