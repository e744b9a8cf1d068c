"""Series as Prometheus's tests write them: ``requests_total{job="a"} 0+10x10 _ stale NaN``."""

import re
from collections.abc import Iterator

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import STALE

Points = list[float | None]
"""A value for each step; None where there is none."""

_SERIES = re.compile(r"""([^\s{]*(?:\{(?:"(?:\\.|[^"\\])*"|'[^']*'|`[^`]*`|[^}"'`])*\})?)\s*(.*)""")
_LABEL = re.compile(
    r"""\s*("(?:\\.|[^"\\])*"|[\w:.]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|'[^']*'|`[^`]*`))?\s*,?"""
)
_SEQUENCE = re.compile(
    r"(?P<start>_|stale|[-+]?(?:nan|inf|[\d.]+(?:e[-+]?\d+)?))"
    r"(?P<step>[-+](?:inf|[\d.]+(?:e[-+]?\d+)?))?(?:x(?P<times>\d+))?",
    re.IGNORECASE,
)


class NotationError(BadInput):
    """A series is not written as such."""


def parse_series(line: str) -> tuple[Labels, str]:
    """The labels that a line begins with, and the text of its points.

    Raises:
        NotationError: it does not begin with a series.
    """
    found = _SERIES.fullmatch(line)
    if found is None:
        raise NotationError(f"{line!r} does not begin with a series")
    return parse_labels(found[1]), found[2]


def parse_labels(text: str) -> Labels:
    """The labels of ``name{label="value"}``; the name may stand in the braces, quoted."""
    name, _, inner = text.partition("{")
    labels = {METRIC_NAME: name}
    for match in _LABEL.finditer(inner.rstrip().removesuffix("}")):
        if match[2] is None:
            labels[METRIC_NAME] = _unquoted(match[1])
        else:
            labels[_unquoted(match[1])] = _unquoted(match[2])
    return Labels(labels)


def _unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    if text[0] in "\"'":
        inner = text[1:-1].encode("latin-1", "backslashreplace")
        return inner.decode("unicode_escape") if b"\\" in inner else text[1:-1]
    return text


def parse_points(text: str) -> Iterator[float | None]:
    """The points of ``1 2+3x4 _x2 stale``.

    Raises:
        NotationError: a word is not of that form.
    """
    for word in text.split():
        found = _SEQUENCE.fullmatch(word)
        if not found:
            raise NotationError(f"the points {word!r} are not understood")
        times = int(found["times"] or 0)
        if found["start"] == "_":
            yield from [None] * max(times, 1)
            continue
        start = STALE if found["start"] == "stale" else float(found["start"])
        step = float(found["step"]) if found["step"] else None
        for i in range(times + 1):
            yield start if step is None else start + i * step
