"""Go's literals: numbers and quoted strings, and numbers in text as strconv reads them."""

import math
import re

from pynomaly.gotemplate.errors import FunctionError

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|[0-9](?:_?[0-9])*)"
)
_FLOAT = re.compile(r"[+-]?(?:\d+(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d+)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?=[0-9a-fA-F.])[0-9a-fA-F_]*\.?[0-9a-fA-F_]*[pP][+-]?\d+")
_SPECIAL = re.compile(r"[+-]?(?:inf|infinity)|nan", re.IGNORECASE)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)"
)
_SIMPLE = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))


def octets(text: str) -> bytes:
    """The bytes of a string as Go has it; a byte that is no UTF-8 is a lone surrogate here."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def decoded(data: bytes) -> str:
    """The opposite of octets."""
    return data.decode(errors="surrogateescape")


def clean(text: str) -> str:
    """Text that can be encoded: what is no UTF-8 becomes the replacement character."""
    return text if _encodes(text) else octets(text).decode(errors="replace")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


MAX_INT = 2**63 - 1
MAX_UINT = 2**64 - 1


def integer(text: str) -> int | None:
    """An integer literal in any base of Go's; None if it is none, or does not fit 64 bits.

    >>> integer("0x1F"), integer("1_000"), integer("010"), integer("1.5")
    (31, 1000, 8, None)
    """
    if not _INTEGER.fullmatch(text) or len(text) > 80:
        return None
    digits = text.lstrip("+-").replace("_", "")
    if re.fullmatch(r"0\d+", digits):
        digits = "0o" + digits[1:]
    try:
        value = int(digits, 0)
    except ValueError:  # 08 and 09
        return None
    value = -value if text[0] == "-" else value
    return value if -MAX_INT - 1 <= value <= MAX_UINT else None


def real(text: str) -> float | None:
    """A float as ``strconv.ParseFloat`` reads it, or None; what is too great is infinite.

    >>> real("1e3"), real("0x1p-2"), real("one")
    (1000.0, 0.25, None)
    """
    if _SPECIAL.fullmatch(text):
        return float(text)
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except (OverflowError, ValueError):
            return None
    return float(text.replace("_", "")) if _FLOAT.fullmatch(text) else None


def parse_float(text: str) -> float:
    """The number in a text, as a function of a template takes it.

    Raises:
        FunctionError: in Go's words, when it is none or out of range.
    """
    value = real(text)
    if value is None or "_" in text:
        raise FunctionError(f"strconv.ParseFloat: parsing {quoted(text)}: invalid syntax")
    if math.isinf(value) and not _SPECIAL.fullmatch(text):
        raise FunctionError(f"strconv.ParseFloat: parsing {quoted(text)}: value out of range")
    return value


def rune(text: str) -> int | None:
    """The code of a character constant with its quotes; None if it is not one character."""
    value = None if text == "'\"'" else _unescaped(text[1:-1])
    if text == "'\"'":
        return 34
    return ord(value) if value is not None and len(value) == 1 else None


def unquote(text: str) -> str | None:
    r"""The value of a string literal with its quotes; None when an escape is none of Go's.

    >>> unquote(r'"a\tb"'), unquote("`a\\tb`")
    ('a\tb', 'a\\tb')
    """
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    return None if "\\'" in text.replace("\\\\", "") else _unescaped(text[1:-1])


def _unescaped(body: str) -> str | None:
    if "\\" not in body:
        return body
    parts: list[bytes] = []
    at = 0
    for found in _ESCAPE.finditer(body):
        piece = _escape(found)
        if piece is None:
            return None
        parts += [octets(body[at : found.start()]), piece]
        at = found.end()
    parts.append(octets(body[at:]))
    return decoded(b"".join(parts))


def _escape(found: re.Match[str]) -> bytes | None:
    simple, octal, two, four, eight = found.groups()
    if simple:
        return _SIMPLE[simple].encode()
    if octal or two:
        code = int(octal, 8) if octal else int(two, 16)
        return bytes([code]) if code < 256 else None
    if not (four or eight):
        return None
    code = int(four or eight, 16)
    return chr(code).encode() if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else None


_SHOWN = {v: f"\\{k}" for k, v in _SIMPLE.items() if k != "'"}


def quoted(text: str, quote: str = '"', *, ascii_only: bool = False) -> str:
    r"""A string as Go's ``%q`` shows it.

    >>> quoted('a"b\n')
    '"a\\"b\\n"'
    """
    return quote + "".join(_shown(char, quote, ascii_only) for char in text) + quote


def _shown(char: str, quote: str, ascii_only: bool) -> str:
    code = ord(char)
    if char in ('"', "'"):
        return "\\" + char if char == quote else char
    if char in _SHOWN:
        return _SHOWN[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char == " " or (char.isprintable() and (code < 128 or not ascii_only)):
        return char
    if code < 32 or code == 127:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
