"""How Python functions become functions and methods of templates."""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pynomaly.gotemplate import types
from pynomaly.gotemplate.types import GoType, Kind

_GO: dict[object, GoType] = {
    bool: types.BOOL,
    int: types.INT,
    float: types.FLOAT,
    str: types.STRING,
    object: types.ANY,
    Any: types.ANY,
    list[str]: types.STRINGS,
    list[object]: types.SLICE,
    dict[str, str]: types.STRING_MAP,
    dict[str, object]: types.MAP,
}


@dataclass(frozen=True, eq=False)
class Function:
    """A function with Go types. ``rest`` is the type of any number of further arguments.

    ``contextual``: its first Python argument is the context that the template is executed with.
    """

    call: Callable[..., object]
    params: tuple[GoType, ...]
    rest: GoType | None = None
    contextual: bool = False

    go_type: ClassVar[GoType] = GoType("func", Kind.FUNC)

    @classmethod
    def of(cls, call: Callable[..., object], *, method: bool = False) -> "Function":
        """From annotations: bool, int, float, str, object, list[str], or a class with go_type.

        A first parameter named ``context`` gets the context of the execution. ``method`` leaves
        out the first parameter, the receiver.
        """
        hints = typing.get_type_hints(call)
        names = list(inspect.signature(call).parameters.values())
        contextual = bool(names) and names[0].name == "context"
        fixed: list[GoType] = []
        rest: GoType | None = None
        for parameter in names[contextual or method :]:
            wanted = _go_type(hints.get(parameter.name, object))
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                rest = wanted
            else:
                fixed.append(wanted)
        return cls(call, tuple(fixed), rest, contextual)

    def param(self, index: int) -> GoType:
        """The type of an argument."""
        if index < len(self.params):
            return self.params[index]
        return self.rest or types.ANY


def functions(**calls: Callable[..., object]) -> dict[str, Function]:
    """Functions by the names that templates call them."""
    return {name: Function.of(call) for name, call in calls.items()}


def methods(**calls: Callable[..., object]) -> dict[str, Function]:
    """Methods by their names; the first parameter of each is the receiver."""
    return {name: Function.of(call, method=True) for name, call in calls.items()}


def _go_type(annotation: object) -> GoType:
    if annotation in _GO:
        return _GO[annotation]
    declared = getattr(annotation, "go_type", None)
    return declared if isinstance(declared, GoType) else types.ANY
