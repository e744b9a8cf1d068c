"""How Go's fmt shows a value: verbs, flags, width and precision."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pynomaly.gotemplate.errors import LimitReached
from pynomaly.gotemplate.literals import octets, quoted
from pynomaly.gotemplate.numerals import format_float, format_integer
from pynomaly.gotemplate.types import (
    Kind,
    kind_of,
    mapping,
    name_of,
    sequence,
    sorted_keys,
    type_of,
)

MAX_TEXT = 1 << 20
"""Characters that a value may have when shown, and a template's output."""
_MAX_DEPTH = 30


@dataclass(slots=True)
class Writer:
    """Text that grows up to a limit."""

    limit: int = MAX_TEXT
    parts: list[str] = field(default_factory=list)
    size: int = 0

    def write(self, text: str) -> None:
        """Append; raises LimitReached."""
        self.size += len(text)
        if self.size > self.limit:
            raise LimitReached(f"the text is longer than {self.limit} characters")
        self.parts.append(text)

    def __str__(self) -> str:
        return "".join(self.parts)


@dataclass(slots=True)
class Flags:
    """What stands between the percent sign and the verb."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None


class Shower:
    """Shows values into a writer, by the flags set at the time."""

    def __init__(self, out: Writer) -> None:
        self.out = out
        self.flags = Flags()
        self._fault = False

    def show(self, value: object, verb: str, depth: int = 0) -> None:
        """Show a value by a verb; one that does not fit gives Go's ``%!verb(type=value)``."""
        if depth > _MAX_DEPTH:
            raise LimitReached(f"the value is nested deeper than {_MAX_DEPTH}")
        found = type_of(value)
        if found is None:
            self._nil(verb, depth)
        elif verb == "T":
            self._text(found.name, "s")
        elif found.string and not self.flags.sharp_v and not self._fault and verb in "vsxXq":
            self._text(found.string(value), verb)
        else:
            _SHOWERS[found.kind](self, value, verb, depth)

    def _nil(self, verb: str, depth: int) -> None:
        if verb in "Tv" or depth:
            self.pad("<nil>")
        else:
            self.bad(None, verb)

    def bad(self, value: object, verb: str) -> None:
        """The form of a verb that the value does not have."""
        self.out.write(f"%!{verb}(")
        if value is None:
            self.out.write("<nil>")
        else:
            before, self._fault = self._fault, True
            self.out.write(name_of(value) + "=")
            self.show(value, "v")
            self._fault = before
        self.out.write(")")

    def pad(self, text: str) -> None:
        """Write in the width; zeros pad at the left only."""
        missing = (self.flags.width or 0) - len(text)
        if missing <= 0:
            self.out.write(text)
        elif self.flags.minus:
            self.out.write(text + " " * missing)
        else:
            self.out.write(("0" if self.flags.zero else " ") * missing + text)

    def boolean(self, value: object, verb: str, depth: int) -> None:
        """Kind bool: v and t."""
        if verb in "tv":
            self.pad("true" if value else "false")
        else:
            self.bad(value, verb)

    def integer(self, value: object, verb: str, depth: int) -> None:
        """Kinds int and uint."""
        assert isinstance(value, int)
        if verb in "vdbOoxX":
            if verb == "v" and self.flags.sharp_v and kind_of(value) is Kind.UINT:
                self.out.write(f"{value:#x}")
            else:
                self._digits(value, "d" if verb == "v" else verb)
        elif verb == "c":
            self.pad(_char(value))
        elif verb == "q":
            self.pad(quoted(_char(value), "'", ascii_only=self.flags.plus))
        elif verb == "U":
            shown = _char(value)
            tail = f" '{shown}'" if self.flags.sharp and shown.isprintable() else ""
            self.pad(f"U+{value % 2**64:0{max(4, self.flags.precision or 0)}X}{tail}")
        else:
            self.bad(value, verb)

    def _digits(self, value: int, verb: str) -> None:
        flags = self.flags
        if flags.precision == 0 and value == 0:
            self._padded_with_spaces("")
            return
        sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
        least = flags.precision or 0
        if flags.precision is None and flags.zero and not flags.minus and flags.width:
            least = flags.width - len(sign)
        digits = format_integer(value, verb).rjust(least, "0")
        prefix = "0o" if verb == "O" else ""
        if flags.sharp:
            prefix = {"b": "0b", "x": "0x", "X": "0X"}.get(verb, prefix)
            if verb == "o" and not digits.startswith("0"):
                prefix = "0"
        self._padded_with_spaces(sign + prefix + digits)

    def _padded_with_spaces(self, text: str) -> None:
        before, self.flags.zero = self.flags.zero, False
        self.pad(text)
        self.flags.zero = before

    def real(self, value: object, verb: str, depth: int) -> None:
        """Kind float64."""
        assert isinstance(value, float)
        if verb not in "veEfFgGxX":
            self.bad(value, verb)
            return
        flags = self.flags
        default = 6 if verb in "eEfF" else -1
        precision = default if flags.precision is None else flags.precision
        text = format_float(value, {"v": "g", "F": "f"}.get(verb, verb), precision)
        if flags.sharp and text[-1] not in "fN":
            text = _with_point(text, verb, precision)
        sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
        if digits[0] in "IN":
            self._not_a_number(sign, digits)
            return
        shown = sign if sign == "-" or flags.plus else " " if flags.space else ""
        if shown and flags.zero and not flags.minus and flags.width:
            digits = digits.rjust(flags.width - 1, "0")
        self.pad(shown + digits)

    def _not_a_number(self, sign: str, digits: str) -> None:
        flags = self.flags
        if flags.space and not flags.plus and sign == "+":
            sign = " "
        if digits[0] == "N" and not (flags.space or flags.plus):
            sign = ""
        self._padded_with_spaces(sign + digits)

    def text(self, value: object, verb: str, depth: int) -> None:
        """Kind string."""
        assert isinstance(value, str)
        if verb in "vsxXq":
            self._text(value, verb)
        else:
            self.bad(value, verb)

    def _text(self, value: str, verb: str) -> None:
        flags = self.flags
        if verb in "xX":
            self._hexadecimal(octets(value), verb)
            return
        if flags.precision is not None:
            value = value[: flags.precision]
        if verb == "q" or (verb == "v" and flags.sharp_v):
            if flags.sharp and "`" not in value and all(c == "\t" or c >= " " for c in value):
                self.pad(f"`{value}`")
            else:
                self.pad(quoted(value, ascii_only=flags.plus))
        else:
            self.pad(value)

    def _hexadecimal(self, value: bytes, verb: str) -> None:
        flags = self.flags
        if flags.precision is not None:
            value = value[: flags.precision]
        pieces = [f"{byte:02{verb}}" for byte in value]
        mark = "0" + verb if flags.sharp and value else ""
        self.pad(" ".join(mark + p for p in pieces) if flags.space else mark + "".join(pieces))

    def slice(self, value: object, verb: str, depth: int) -> None:
        """Kind slice: every element by the same verb."""
        self.out.write(name_of(value) + "{" if self.flags.sharp_v else "[")
        separator = ", " if self.flags.sharp_v else " "
        for index, element in enumerate(sequence(value)):
            if index:
                self.out.write(separator)
            self.show(element, verb, depth + 1)
        self.out.write("}" if self.flags.sharp_v else "]")

    def map(self, value: object, verb: str, depth: int) -> None:
        """Kind map: by the order of the keys."""
        self.out.write(name_of(value) + "{" if self.flags.sharp_v else "map[")
        separator = ", " if self.flags.sharp_v else " "
        entries = mapping(value)
        for index, key in enumerate(sorted_keys(entries)):
            if index:
                self.out.write(separator)
            self.show(key, verb, depth + 1)
            self.out.write(":")
            self.show(entries[key], verb, depth + 1)
        self.out.write("}" if self.flags.sharp_v else "]")

    def struct(self, value: object, verb: str, depth: int) -> None:
        """Kind struct: its fields, with names by ``%+v``; a pointer at the top gets its ``&``."""
        found = type_of(value)
        assert found is not None
        flags = self.flags
        if found.pointer:
            self.out.write("&")
        self.out.write(found.name.lstrip("*") + "{" if flags.sharp_v else "{")
        for index, (name, read) in enumerate(found.fields.items()):
            if index:
                self.out.write(", " if flags.sharp_v else " ")
            if flags.plus_v or flags.sharp_v:
                self.out.write(name + ":")
            self.show(read(value), verb, depth + 1)
        self.out.write("}")

    def function(self, value: object, verb: str, depth: int) -> None:
        """Kind func, which Go shows by its address: only the type is said here."""
        self.pad(name_of(value))


_SHOWERS: dict[Kind, Callable[[Shower, object, str, int], None]] = {
    Kind.BOOL: Shower.boolean,
    Kind.INT: Shower.integer,
    Kind.UINT: Shower.integer,
    Kind.FLOAT: Shower.real,
    Kind.STRING: Shower.text,
    Kind.SLICE: Shower.slice,
    Kind.MAP: Shower.map,
    Kind.STRUCT: Shower.struct,
    Kind.FUNC: Shower.function,
}


def _char(code: int) -> str:
    return chr(code) if 0 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else "�"


def _with_point(text: str, verb: str, precision: int) -> str:
    """What ``#`` does: a point always, and by %g the zeros that fill the precision."""
    at = min((i for c in "ep" if (i := text.lower().find(c)) > 0), default=len(text))
    mantissa, tail = text[:at], text[at:]
    if "." not in mantissa:
        mantissa += "."
    if verb in "vgG":
        digits = sum(c.isdigit() for c in mantissa.lstrip("+-0."))
        digits = digits or 1
        mantissa += "0" * max(0, (6 if precision < 0 else precision) - digits)
    return mantissa + tail


def sprint(values: tuple[object, ...], *, line: bool = False) -> str:
    """``fmt.Sprint``: a space between two values neither of which is text; with ``line`` always.

    >>> sprint(("a", 1, 2, "b", None, True))
    'a1 2b<nil> true'
    """
    out = Writer()
    shower = Shower(out)
    for index, value in enumerate(values):
        plain = type_of(value) is not None and kind_of(value) is Kind.STRING
        if index and (line or not (plain or kind_of(values[index - 1]) is Kind.STRING)):
            out.write(" ")
        shower.show(value, "v")
    if line:
        out.write("\n")
    return str(out)


def shown(value: object) -> str:
    """How an action shows a value: nil is ``<no value>``, and a pointer is what it points to."""
    found = type_of(value)
    if found is None:
        return "<no value>"
    text = sprint((value,))
    return text[1:] if found.pointer and text.startswith("&") else text
