"""JSON as Go's encoding/json writes it."""

import math
import re

from pynomaly.gotemplate.errors import FunctionError, LimitReached
from pynomaly.gotemplate.numerals import format_float
from pynomaly.gotemplate.show import Writer
from pynomaly.gotemplate.types import Kind, mapping, sequence, sorted_keys, type_of

_ESCAPED = re.compile('["\\\\\x00-\x1f<>&\u2028\u2029\udc80-\udcff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_MAX_DEPTH = 30


def to_json(value: object) -> str:
    """A value as JSON, keys of maps sorted, ``<``, ``>`` and ``&`` escaped.

    >>> to_json({"b": 1.5, "a": ["<x>", None]})
    '{"a":["\\\\u003cx\\\\u003e",null],"b":1.5}'

    Raises:
        FunctionError: the value has no form in JSON.
    """
    out = Writer()
    _write(out, value, 0)
    return str(out)


def _write(out: Writer, value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise LimitReached(f"the value is nested deeper than {_MAX_DEPTH}")
    found = type_of(value)
    if found is None:
        out.write("null")
    elif found.json:
        _write(out, found.json(value), depth + 1)
    elif found.kind is Kind.SLICE:
        _elements(out, "[]", [("", element) for element in sequence(value)], depth)
    elif found.kind is Kind.MAP:
        entries = mapping(value)
        keyed = [(_string(str(k)) + ":", entries[k]) for k in sorted_keys(entries)]
        _elements(out, "{}", keyed, depth)
    elif found.kind is Kind.STRUCT:
        tags = found.tags
        fields = [(_string(tags.get(n, n)) + ":", f(value)) for n, f in found.fields.items()]
        _elements(out, "{}", fields, depth)
    elif found.kind is Kind.FUNC:
        raise FunctionError(f"json: unsupported type: {found.name}")
    else:
        out.write(_scalar(value))


def _elements(out: Writer, ends: str, elements: list[tuple[str, object]], depth: int) -> None:
    out.write(ends[0])
    for index, (key, element) in enumerate(elements):
        out.write("," * bool(index) + key)
        _write(out, element, depth + 1)
    out.write(ends[1])


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(int(value))
    return _string(str(value))


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise FunctionError(f"json: unsupported value: {format_float(value)}")
    if value and not 1e-6 <= abs(value) < 1e21:
        text = format_float(value, "e")
        return re.sub(r"e-0(\d)$", r"e-\1", text)
    return format_float(value, "f")


def _string(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if "\udc80" <= char <= "\udcff":
        return "\\ufffd"
    return _SHORT.get(char) or f"\\u{ord(char):04x}"
