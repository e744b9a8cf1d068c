"""The functions that every Go template has."""

import re
from urllib.parse import quote_plus

from pynomaly.gotemplate import types
from pynomaly.gotemplate.errors import FunctionError
from pynomaly.gotemplate.functions import Function, functions
from pynomaly.gotemplate.literals import decoded, octets
from pynomaly.gotemplate.printf import sprintf
from pynomaly.gotemplate.show import sprint
from pynomaly.gotemplate.types import Byte, Kind, is_true, kind_of, mapping, name_of, type_of

_BASIC = (Kind.BOOL, Kind.INT, Kind.UINT, Kind.FLOAT, Kind.STRING)
_NUMERIC = (Kind.INT, Kind.UINT)


def index(item: object, *indexes: object) -> object:
    """``x[1][2]``: of slices, strings (a byte) and maps (the zero of its type if absent)."""
    if item is None:
        raise FunctionError("index of untyped nil")
    for key in indexes:
        kind = kind_of(item)
        if kind in (Kind.SLICE, Kind.STRING):
            item = _element(item, key)
        elif kind is Kind.MAP:
            item = _entry(item, key)
        elif item is None:
            raise FunctionError("index of nil pointer")
        else:
            raise FunctionError(f"can't index item of type {name_of(item)}")
    return item


def _element(item: object, key: object) -> object:
    if isinstance(item, str):
        data = octets(item)
        return Byte(data[_position(key, len(data) - 1)])
    elements = types.sequence(item)
    return elements[_position(key, len(elements) - 1)]


def _entry(item: object, key: object) -> object:
    if key is None:
        raise FunctionError("value is nil; should be of type string")
    if kind_of(key) is not Kind.STRING:
        raise FunctionError(f"value has type {name_of(key)}; should be string")
    entries = mapping(item)
    if key in entries:
        return entries[key]
    found = type_of(item)
    return types.zero(found.elem if found else None)


def _position(key: object, last: int) -> int:
    if key is None:
        raise FunctionError("cannot index slice/array with nil")
    if kind_of(key) not in _NUMERIC or not isinstance(key, int):
        raise FunctionError(f"cannot index slice/array with type {name_of(key)}")
    if not 0 <= key <= last:
        raise FunctionError(f"index out of range: {int(key)}")
    return int(key)


def slice_(item: object, *indexes: object) -> object:
    """``x[i:j]``: of slices and of strings (by bytes)."""
    if item is None:
        raise FunctionError("slice of untyped nil")
    if len(indexes) > 3:
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    text = isinstance(item, str)
    if text and len(indexes) == 3:
        raise FunctionError("cannot 3-index slice a string")
    if not text and kind_of(item) is not Kind.SLICE:
        raise FunctionError(f"can't slice item of type {name_of(item)}")
    whole = octets(item) if isinstance(item, str) else types.sequence(item)
    given = [_position(key, len(whole)) for key in indexes]
    start, end, *cap = given + [0, len(whole)][len(given) :] if len(given) < 2 else given
    if start > end:
        raise FunctionError(f"invalid slice index: {start} > {end}")
    if cap and end > cap[0]:
        raise FunctionError(f"invalid slice index: {end} > {cap[0]}")
    if isinstance(whole, bytes):
        return decoded(whole[start:end])
    part = whole[start:end]
    return type(item)(part) if isinstance(item, list) else list(part)


def length(item: object) -> int:
    """The number of bytes, elements or entries."""
    if isinstance(item, str):
        return len(octets(item))
    if kind_of(item) is Kind.SLICE:
        return len(types.sequence(item))
    if kind_of(item) is Kind.MAP:
        return len(mapping(item))
    raise FunctionError("len of nil pointer" if item is None else f"len of type {name_of(item)}")


def not_(value: object) -> bool:
    """Whether the value is false, empty or zero."""
    return not is_true(value)


def eq(first: object, *others: object) -> bool:
    """Whether the first equals any of the others; kinds must agree, signs of integers need not."""
    if not others:
        raise FunctionError("missing argument for comparison")
    return any(_equal(first, other) for other in others)


def _equal(one: object, other: object) -> bool:
    kinds = kind_of(one), kind_of(other)
    if kinds[0] in _BASIC or kinds[1] in _BASIC:
        if kinds[0] is not kinds[1] and not all(k in _NUMERIC for k in kinds):
            if None in kinds:
                return False
            raise FunctionError(_incompatible(one, other))
        return one == other
    if one is None or other is None:
        return one is other
    if kinds[0] is not kinds[1]:
        raise FunctionError(
            f"non-comparable types {sprint((one,))}: {name_of(one)}, "
            f"{name_of(other)}: {sprint((other,))}"
        )
    if kinds[0] is not Kind.STRUCT:
        raise FunctionError(f"non-comparable type {sprint((other,))}: {name_of(other)}")
    return one is other or one == other


def _incompatible(one: object, other: object) -> str:
    return f"incompatible types for comparison: {name_of(one)} and {name_of(other)}"


def ne(one: object, other: object) -> bool:
    """The opposite of eq."""
    return not _equal(one, other)


def lt(one: object, other: object) -> bool:
    """Whether the first is less: numbers of one kind, or strings by bytes."""
    for value in (one, other):
        if kind_of(value) not in _BASIC:
            raise FunctionError("invalid type for comparison")
    kinds = kind_of(one), kind_of(other)
    if kinds[0] is not kinds[1] and not all(k in _NUMERIC for k in kinds):
        raise FunctionError(_incompatible(one, other))
    if kinds[0] is Kind.BOOL:
        raise FunctionError("invalid type for comparison")
    if isinstance(one, str) and isinstance(other, str):
        return octets(one) < octets(other)
    assert isinstance(one, int | float) and isinstance(other, int | float)
    return one < other


def le(one: object, other: object) -> bool:
    """Less or equal."""
    return lt(one, other) or _equal(one, other)


def gt(one: object, other: object) -> bool:
    """The opposite of le, so that anything is greater than NaN."""
    return not le(one, other)


def ge(one: object, other: object) -> bool:
    """The opposite of lt."""
    return not lt(one, other)


def print_(*values: object) -> str:
    """The values one after the other."""
    return sprint(values)


def println(*values: object) -> str:
    """The values with spaces between and a newline."""
    return sprint(values, line=True)


def printf(format: str, *values: object) -> str:
    """The values by a format."""
    return sprintf(format, *values)


_HTML = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS = {c: f"\\u{ord(c):04X}" for c in "<>&="} | {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_SPECIAL = re.compile("[\\\\'\"<>&=\x00-\x1f]")


def html_escaped(text: str) -> str:
    """Text for HTML, also within quotes."""
    return text.translate(_HTML)


def html(*values: object) -> str:
    """The values, escaped for HTML."""
    return html_escaped(_joined(values))


def js(*values: object) -> str:
    """The values, escaped for a JavaScript string."""
    text = _JS_SPECIAL.sub(lambda m: _JS.get(m[0]) or f"\\u{ord(m[0]):04X}", _joined(values))
    return "".join(c if ord(c) < 128 or c.isprintable() else f"\\u{ord(c):04X}" for c in text)


def query_escaped(text: str) -> str:
    """Text for a part of a URL's query, a space as ``+``."""
    return quote_plus(octets(text), safe="~")


def urlquery(*values: object) -> str:
    """The values, escaped for a URL's query."""
    return query_escaped(_joined(values))


def _joined(values: tuple[object, ...]) -> str:
    texts = tuple("<no value>" if v is None else v for v in values)
    return sprint(texts)


def call(function: object, *arguments: object) -> object:
    """Placeholder: the executor calls functions that are values."""
    raise FunctionError("call of nil")


def and_(first: object, *others: object) -> object:
    """Placeholder: the executor stops at the first that is false."""
    return first


BUILTINS = functions(
    call=call,
    html=html,
    index=index,
    js=js,
    len=length,
    print=print_,
    printf=printf,
    println=println,
    slice=slice_,
    urlquery=urlquery,
    eq=eq,
    ne=ne,
    lt=lt,
    le=le,
    gt=gt,
    ge=ge,
) | {
    "not": Function.of(not_),
    "and": Function.of(and_),
    "or": Function.of(and_),
}
