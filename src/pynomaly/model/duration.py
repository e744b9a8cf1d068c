"""Durations as Prometheus writes them: ``5m``, ``1h30m``, ``0``."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000}
_UNITS |= {"m": 60_000, "s": 1000, "ms": 1}
_FORM = re.compile("".join(rf"(?:(?P<{unit}>\d+){unit})?" for unit in _UNITS))


def parse_duration(text: str) -> float:
    """Seconds of a duration: units in descending order, each at most once.

    >>> parse_duration("1h30m"), parse_duration("250ms"), parse_duration("0")
    (5400.0, 0.25, 0.0)

    Raises:
        ValueError: it is not a duration.
    """
    if text == "0":
        return 0.0
    found = _FORM.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    return sum(int(n) * _UNITS[unit] for unit, n in found.groupdict().items() if n) / 1000


def format_duration(seconds: float) -> str:
    """The shortest text that ``parse_duration`` reads as these seconds.

    >>> format_duration(5400), format_duration(0), format_duration(0.25)
    ('1h30m', '0s', '250ms')
    """
    left, parts = round(seconds * 1000), []
    for unit, size in _UNITS.items():
        # As Prometheus does: years and weeks only when nothing smaller is left.
        if unit in ("y", "w") and left % size:
            continue
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if value == 0 and not isinstance(value, bool):
        return 0.0
    raise ValueError("a duration such as 30s, 5m or 1h30m is expected, with its unit")


Duration = Annotated[float, BeforeValidator(_seconds)]
"""A field of a section: written as ``5m``, held as seconds."""
