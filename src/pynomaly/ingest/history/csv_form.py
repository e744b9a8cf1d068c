"""The two forms of CSV that are read as history; the header tells them apart.

Long, one sample a row; columns beside the three are labels, and an empty cell is no label::

    timestamp,metric_name,value,host
    2025-06-30T12:00:00Z,cpu_usage,75.0,web-1

Wide, one point in time a row; a column's header names its series, an empty cell is no sample::

    timestamp,cpu_usage,"cpu_usage{host=""web-2""}"
    1751284800,75.0,80.5
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pynomaly.ingest.exposition.labels import Dialect, Fault, parse_series
from pynomaly.model.labels import METRIC_NAME, Labels

TIMESTAMP, METRIC, VALUE = "timestamp", "metric_name", "value"

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_DIALECT = Dialect(blanks=True, trailing_comma=True, known_escapes_only=False)


Key = tuple[str, ...]
"""A series of the long form: the cell of its metric, and the cells of its labels."""


class RowFault(ValueError):
    """What is wrong with a row; whoever knows the line makes it a ``LineFault``."""


def cells_of(line: bytes) -> list[str]:
    """The cells of one line, which may end in a carriage return.

    Raises:
        RowFault: not UTF-8, or quotes that do not match.
    """
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise RowFault(f"not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise RowFault(f"not CSV: {error}") from None
    return rows[0] if rows else []


@dataclass(frozen=True, slots=True)
class LongForm:
    """Where the columns are; ``labels`` are the names and places of the others."""

    width: int
    timestamp: int
    metric: int
    value: int
    labels: tuple[tuple[str, int], ...]

    def series(self, key: Key) -> Labels:
        """The series that a row names.

        Raises:
            RowFault: the metric has no valid name.
        """
        metric, *values = key
        if not _METRIC_NAME.fullmatch(metric):
            raise RowFault(
                f"{METRIC}: expected letters, digits, '_' and ':', not a digit first, "
                f"found {metric[:80]!r}"
            )
        pairs = dict(zip((name for name, _ in self.labels), values, strict=True))
        return Labels({**pairs, METRIC_NAME: metric})


@dataclass(frozen=True, slots=True)
class WideForm:
    """Where the timestamp is, and the series and place of every other column."""

    width: int
    timestamp: int
    series: tuple[tuple[Labels, int], ...]


Form = LongForm | WideForm


def form_of(header: Sequence[str]) -> Form:
    """The form that a header says.

    Raises:
        RowFault: no column ``timestamp``, a name twice, or what is neither label nor series.
    """
    names = [name.strip() for name in header]
    if TIMESTAMP not in names:
        raise RowFault(f"the header needs a column {TIMESTAMP!r}, found {', '.join(names)[:200]!r}")
    for name in names:
        if names.count(name) > 1:
            raise RowFault(f"the header has the column {name!r} twice")
    at = {name: place for place, name in enumerate(names)}
    timestamp = at.pop(TIMESTAMP)
    if METRIC not in at:
        return _wide(len(names), timestamp, at)
    if VALUE not in at:
        raise RowFault(f"the header has {METRIC!r} and needs a column {VALUE!r}")
    metric, value = at.pop(METRIC), at.pop(VALUE)
    for name in at:
        if not _LABEL_NAME.fullmatch(name) or name == METRIC_NAME:
            raise RowFault(f"the header's column {name!r} is not a label name")
    return LongForm(len(names), timestamp, metric, value, tuple(at.items()))


def _wide(width: int, timestamp: int, at: dict[str, int]) -> WideForm:
    if not at:
        raise RowFault(f"the header has no column beside {TIMESTAMP!r}")
    series: dict[Labels, int] = {}
    for name, place in at.items():
        try:
            found = parse_series(name.encode(), _DIALECT)
        except Fault as fault:
            raise RowFault(
                f"the header's column {name!r} does not name a series: {fault}"
            ) from None
        labels = Labels({**found.labels, METRIC_NAME: found.name})
        if labels in series:
            raise RowFault(f"the header names the series {labels} twice")
        series[labels] = place
    return WideForm(width, timestamp, tuple(series.items()))
