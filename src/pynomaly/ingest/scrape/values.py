"""Scalars as ``prometheus.yml`` writes them: sizes and texts."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_SIZE = re.compile(r"(\d+(?:\.\d+)?)(B|[KMGTPE]i?B?)", re.IGNORECASE)


def size(text: object) -> int:
    """Bytes of ``10MB``, ``1GiB``, ``512B``; a thousand is 1024 in either spelling.

    Raises:
        ValueError: another form.
    """
    if text in (0, "0"):
        return 0
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError("not a size; write it like 10MB or 512KB")
    power = "BKMGTPE".index(found.group(2)[0].upper())
    return int(float(found.group(1)) * 1024**power)


def _text(value: Any) -> Any:
    """What YAML took for a number, a truth value or nothing, where a text is meant."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Size = Annotated[int, BeforeValidator(size)]
"""Bytes, written as a Prometheus size."""

Text = Annotated[str, BeforeValidator(_text)]
"""A string that may be written without quotes."""
