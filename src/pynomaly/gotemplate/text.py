"""Functions that the templates of Prometheus and of Alertmanager share."""

import math
import re
from functools import lru_cache
from typing import Any

import re2

from pynomaly.gotemplate.errors import FunctionError, LimitReached
from pynomaly.gotemplate.literals import clean, parse_float
from pynomaly.gotemplate.printf import sprintf
from pynomaly.gotemplate.show import MAX_TEXT
from pynomaly.gotemplate.times import SECOND, Duration
from pynomaly.gotemplate.types import name_of

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
_WORD = re.compile(r"\w+(?:['’.:·]\w+)*")
_LESS = ("m", "u", "n", "p", "f", "a", "z", "y")


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS = _quiet()


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(clean(pattern), _OPTIONS)
    except re2.error as error:
        raise FunctionError(f"error parsing regexp: {error}") from error


def matches(pattern: str, text: str) -> bool:
    """Whether an RE2 expression matches anywhere in the text."""
    return _compiled(pattern).search(clean(text)) is not None


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Replace every match; ``$1`` and ``${name}`` stand for groups, as in Go."""
    try:
        regex = _compiled(pattern)
    except FunctionError as error:
        raise FunctionError(f"regexp: Compile(`{pattern}`): {error}") from error
    text, pieces, at, size = clean(text), [], 0, 0
    last = -1
    for found in regex.finditer(text):
        if found.start() == found.end() == last:
            continue  # Go allows no empty match right behind another one
        piece = text[at : found.start()] + _expanded(replacement, found)
        size += len(piece)
        if size > MAX_TEXT:
            raise LimitReached(f"the text is longer than {MAX_TEXT} characters")
        pieces.append(piece)
        at = last = found.end()
    return "".join([*pieces, text[at:]])


def _expanded(replacement: str, found: Any) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        key = int(name) if name.isdigit() else name
        known = key <= found.re.groups if isinstance(key, int) else key in found.re.groupindex
        return (found.group(key) or "") if known else ""

    return _REFERENCE.sub(group, replacement)


def upper(text: str) -> str:
    """In capitals."""
    return text.upper()


def lower(text: str) -> str:
    """In small letters."""
    return text.lower()


def title(text: str) -> str:
    """Every word with a capital, the rest as it is."""
    return _WORD.sub(lambda word: word[0][0].title() + word[0][1:], text)


def title_lowered(text: str) -> str:
    """Every word with a capital, the rest in small letters."""
    return _WORD.sub(lambda word: word[0][0].title() + word[0][1:].lower(), text)


def to_float(value: object) -> float:
    """A number, also from text or a duration (in seconds). Raises FunctionError."""
    if isinstance(value, str):
        return parse_float(value)
    if isinstance(value, Duration):
        return value / SECOND
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise FunctionError(f"can't convert {name_of(value)} to float")


def humanize_duration(value: object) -> str:
    """Seconds in words of days, hours, minutes and seconds, or with a prefix below one second."""
    seconds = to_float(value)
    if not math.isfinite(seconds):
        return sprintf("%.4g", seconds)
    if seconds == 0:
        return sprintf("%.4gs", seconds)
    if abs(seconds) < 1:
        return below_one(seconds) + "s"
    sign, seconds = "-" if seconds < 0 else "", abs(seconds)
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    return f"{sign}{minutes}m {rest}s" if minutes else sign + sprintf("%.4gs", seconds)


def below_one(value: float) -> str:
    """A number below one with the prefix m, u, n, … and four digits."""
    prefix = ""
    for smaller in _LESS:
        if abs(value) >= 1:
            break
        prefix, value = smaller, value * 1000
    return sprintf("%.4g", value) + prefix
