"""The types that values have for a template: Go's, by name and kind.

Python's own types stand for Go's usual ones: ``bool``, ``int``, ``float`` (float64), ``str``,
``list`` and ``tuple`` ([]interface {}), dictionaries (map[string]interface {}), None (nil). A
class says otherwise by an attribute ``go_type``; fields and methods are reachable from a template
only when that type lists them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from pynomaly.gotemplate.errors import FunctionError
from pynomaly.gotemplate.literals import octets

if TYPE_CHECKING:
    from pynomaly.gotemplate.functions import Function


class Kind(Enum):
    """Go's kinds, as far as templates tell them apart."""

    ANY = "interface"
    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    STRING = "string"
    SLICE = "slice"
    MAP = "map"
    STRUCT = "struct"
    FUNC = "func"


@dataclass(frozen=True, eq=False)
class GoType:
    """A type. ``underlying`` is the unnamed type of a named one, to which it can be assigned.

    ``fields`` are what a struct shows, in order; ``methods`` take the value as first argument.
    ``string`` is the method String, which printing prefers; ``json`` gives the value to encode, and
    ``tags`` the names of fields in JSON.
    """

    name: str
    kind: Kind
    elem: "GoType | None" = None
    underlying: str = ""
    fields: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)
    methods: Mapping[str, "Function"] = field(default_factory=dict)
    string: Callable[[Any], str] | None = None
    json: Callable[[Any], object] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def pointer(self) -> bool:
        """Whether values are pointers to structs."""
        return self.name.startswith("*")


ANY = GoType("interface {}", Kind.ANY)
BOOL = GoType("bool", Kind.BOOL)
INT = GoType("int", Kind.INT)
UINT8 = GoType("uint8", Kind.UINT)
UINT64 = GoType("uint64", Kind.UINT)
FLOAT = GoType("float64", Kind.FLOAT)
STRING = GoType("string", Kind.STRING)
SLICE = GoType("[]interface {}", Kind.SLICE, ANY)
STRINGS = GoType("[]string", Kind.SLICE, STRING)
MAP = GoType("map[string]interface {}", Kind.MAP, ANY)
STRING_MAP = GoType("map[string]string", Kind.MAP, STRING)


class Uint(int):
    """An unsigned integer."""

    go_type: ClassVar[GoType] = UINT64


class Byte(int):
    """A byte of a string."""

    go_type: ClassVar[GoType] = UINT8


class Strings(list[str]):
    """A []string."""

    go_type: ClassVar[GoType] = STRINGS


class StringMap(dict[str, str]):
    """A map[string]string: a key that is not there gives the empty string, not "no value"."""

    go_type: ClassVar[GoType] = STRING_MAP


_BUILTIN: dict[type, GoType] = {
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STRING,
    list: SLICE,
    tuple: SLICE,
    dict: MAP,
}


def type_of(value: object) -> GoType | None:
    """The type of a value; None for nil.

    Raises:
        FunctionError: templates cannot handle values of this Python type.
    """
    if value is None:
        return None
    found = _KNOWN.get(type(value))
    if found is None:
        found = _KNOWN[type(value)] = _found(value)
    return found


_KNOWN: dict[type, GoType] = {}


def _found(value: object) -> GoType:
    declared = getattr(type(value), "go_type", None)
    if isinstance(declared, GoType):
        return declared
    for base in type(value).__mro__:
        if base in _BUILTIN:
            return _BUILTIN[base]
    raise FunctionError(f"can't handle a value of Python's {type(value).__name__}")


def kind_of(value: object) -> Kind | None:
    """The kind of a value; None for nil."""
    found = type_of(value)
    return found.kind if found else None


def name_of(value: object) -> str:
    """The name of a value's type, ``<nil>`` for nil."""
    found = type_of(value)
    return found.name if found else "<nil>"


def assignable(have: GoType, want: GoType) -> bool:
    """Whether a value of one type can be an argument of another; pointers are followed."""
    return (
        want.kind is Kind.ANY
        or have.name in (want.name, "*" + want.name)
        or bool(have.underlying and have.underlying in (want.name, want.underlying))
        or bool(want.underlying and want.underlying == have.name)
    )


def zero(wanted: GoType | None) -> object:
    """The zero value of a type; nil for what can be nil."""
    zeros = {Kind.BOOL: False, Kind.INT: 0, Kind.UINT: 0, Kind.FLOAT: 0.0, Kind.STRING: ""}
    return zeros.get(wanted.kind) if wanted else None


def is_true(value: object) -> bool:
    """Whether an ``if`` takes the value as true: it is not the zero of its type, nor empty."""
    found = type_of(value)
    if found is None:
        return False
    if found.kind in (Kind.STRUCT, Kind.FUNC):
        return True
    return bool(value)


def sequence(value: object) -> Sequence[object]:
    """A value of kind slice."""
    assert isinstance(value, Sequence)
    return value


def mapping(value: object) -> Mapping[Any, object]:
    """A value of kind map."""
    assert isinstance(value, Mapping)
    return value


def sorted_keys(value: Mapping[Any, object]) -> list[Any]:
    """The keys of a map in the order in which Go ranges and prints."""
    return sorted(value, key=lambda key: octets(str(key)))
