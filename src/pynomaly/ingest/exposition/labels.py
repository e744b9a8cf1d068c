"""The label block ``{name="value",…}`` of both text formats."""

import re
from dataclasses import dataclass

from pynomaly.ingest.exposition.samples import Series
from pynomaly.model.labels import METRIC_NAME

# Possessive quantifiers: a hostile line cannot make them backtrack.
QUOTED = rb'"(?:[^"\\\n]++|\\.)*+"'
BLOCK = rb'\{(?:[^"}\n]++|' + QUOTED + rb")*+\}"
METRIC = rb"[a-zA-Z_:][a-zA-Z0-9_:]*"

_NAME = re.compile(rb"[a-zA-Z_][a-zA-Z0-9_]*")
_QUOTED = re.compile(QUOTED)
_BLANKS = re.compile(rb"[ \t]*")
_NO_BLANKS = re.compile(rb"")
_METRIC = re.compile(METRIC)
# The block as nearly everybody writes it, which both formats allow.
_PAIR = rb'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\\n]*)"'
_PAIRS = re.compile(_PAIR)
_PLAIN_BLOCK = re.compile(rb"\{" + _PAIR + rb"(?:," + _PAIR + rb")*+\}")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b'"': b'"', b"n": b"\n"}


class Fault(ValueError):
    """What is wrong with a part of a line; whoever knows the line makes it a ParseError."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the two formats differ inside braces."""

    blanks: bool
    trailing_comma: bool
    known_escapes_only: bool


def parse_series(raw: bytes, dialect: Dialect) -> Series:
    r"""Read ``name{label="value"}``, ``name`` or ``{"quoted name",label="value"}``.

    Raises:
        Fault: names what is wrong.
    """
    found = _METRIC.match(raw)
    name = found.group().decode() if found else ""
    rest = raw[found.end() :].strip(b" \t") if found else raw
    if not rest:
        if not name:
            raise Fault("invalid metric name")
        return Series(name, {})
    if name and _PLAIN_BLOCK.fullmatch(rest) and (labels := _plain_labels(rest)) is not None:
        return Series(name, labels)
    return _Block(rest, name, dialect).read()


def _plain_labels(block: bytes) -> dict[str, str] | None:
    """The labels of a plain block; None when something is wrong with it."""
    pairs = _PAIRS.findall(block)
    try:
        labels = {name.decode(): value.decode() for name, value in pairs}
    except UnicodeDecodeError:
        return None
    return labels if len(labels) == len(pairs) and METRIC_NAME not in labels else None


class _Block:
    """One pass over a label block."""

    def __init__(self, block: bytes, name: str, dialect: Dialect) -> None:
        self.block = block
        self.name = name
        self.named_outside = bool(name)
        self.dialect = dialect
        self.blank = _BLANKS if dialect.blanks else _NO_BLANKS
        self.labels: dict[str, str] = {}

    def read(self) -> Series:
        block = self.block
        if block[:1] != b"{":
            raise Fault(f"invalid metric name at {_shown(self.name.encode() + block)}")
        at = self._skip(1)
        while block[at : at + 1] != b"}":
            at = self._skip(self._item(at))
            following = block[at : at + 1]
            if following == b",":
                at = self._skip(at + 1)
                if block[at : at + 1] == b"}" and not self.dialect.trailing_comma:
                    raise Fault("a comma before '}'")
            elif following != b"}":
                raise Fault(f"expected ',' or '}}' after a label, found {_shown(block[at:])}")
        if at + 1 != len(block):
            raise Fault(f"unexpected {_shown(block[at + 1 :])} after '}}'")
        if not self.name:
            raise Fault("invalid metric name: there is none")
        return Series(self.name, self.labels)

    def _skip(self, at: int) -> int:
        found = self.blank.match(self.block, at)
        return found.end() if found else at

    def _item(self, at: int) -> int:
        """Read a label, or the metric's name in quotes; return where it ends."""
        name, quoted, end = self._label_name(at)
        after = self._skip(end)
        if self.block[after : after + 1] != b"=":
            if not quoted:
                raise Fault(f"expected '=' after label name {name!r}")
            if self.named_outside or self.name:
                raise Fault(f"multiple metric names: {self.name!r} and {name!r}")
            if not name:
                raise Fault("invalid metric name: it is empty")
            self.name = name
            return end
        value, end = self._value(self._skip(after + 1), name)
        if name == METRIC_NAME:
            raise Fault(f"label name {METRIC_NAME!r} is reserved")
        if name in self.labels:
            raise Fault(f"duplicate label {name!r}")
        self.labels[name] = value
        return end

    def _label_name(self, at: int) -> tuple[str, bool, int]:
        if found := _NAME.match(self.block, at):
            return found.group().decode(), False, found.end()
        if found := _QUOTED.match(self.block, at):
            return self._unquote(found.group(), "name"), True, found.end()
        raise Fault(f"invalid label name at {_shown(self.block[at:])}")

    def _value(self, at: int, name: str) -> tuple[str, int]:
        if found := _QUOTED.match(self.block, at):
            return self._unquote(found.group(), f"value of label {name!r}"), found.end()
        raise Fault(f"expected '\"' at the start of the value of label {name!r}")

    def _unquote(self, quoted: bytes, what: str) -> str:
        text = unescape(quoted[1:-1], known_only=self.dialect.known_escapes_only)
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise Fault(f"invalid {what}: {text!r} is not UTF-8") from error


def unescape(text: bytes, *, known_only: bool) -> bytes:
    r"""Resolve ``\\``, ``\"`` and ``\n``; another escape stays, or is a fault."""
    if b"\\" not in text:
        return text

    def resolve(found: "re.Match[bytes]") -> bytes:
        known = _ESCAPED.get(found.group(1))
        if known is None and known_only:
            raise Fault(f"invalid escape sequence {found.group().decode(errors='replace')!r}")
        return known or found.group()

    return _ESCAPE.sub(resolve, text)


def _shown(rest: bytes) -> str:
    return repr(rest[:20].decode(errors="replace"))
