"""Values of ``{name:Type}`` parameters, and of settings, in ClickHouse's text form."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from pynomaly.storage.engine.contract import Params, Settings

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}
)
_QUOTED_ESCAPES = {**_ESCAPES, ord("'"): "\\'"}


def render_params(params: Params | None) -> dict[str, str]:
    """Each value as the text that the engine parses for its declared type.

    Takes None, bool, numbers, strings, datetimes with a zone, NumPy arrays, and lists and
    mappings of these.

    Raises:
        TypeError: a value of another type.
    """
    return {name: _top(value) for name, value in (params or {}).items()}


def _top(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    return _inner(value).strip("'") if isinstance(value, dt.date) else _inner(value)


def _inner(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float() | np.number():
            return str(value)
        case str():
            return quoted(value)
        case dt.datetime():
            if value.tzinfo is None:
                raise TypeError("a datetime without a time zone is ambiguous")
            return f"'{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}'"
        case dt.date():
            return f"'{value.isoformat()}'"
        case np.ndarray():
            return f"[{','.join(map(_inner, value.tolist()))}]"
        case list() | tuple() | set() | frozenset():
            return f"[{','.join(map(_inner, value))}]"
        case Mapping():
            pairs = (f"{_inner(k)}:{_inner(v)}" for k, v in value.items())
            return "{" + ",".join(pairs) + "}"
    raise TypeError(f"a parameter cannot be a {type(value).__name__}")


def quoted(text: str) -> str:
    """A string literal."""
    return f"'{text.translate(_QUOTED_ESCAPES)}'"


def render_settings(settings: Settings) -> str:
    """``name = value, …`` for a SETTINGS clause or a SET statement."""
    return ", ".join(
        f"{name} = {quoted(value) if isinstance(value, str) else value}"
        for name, value in settings.items()
    )
