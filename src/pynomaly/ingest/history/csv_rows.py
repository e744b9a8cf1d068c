"""Reads CSV row by row: slower than in bulk, and says of a fault in which line it is."""

import re
from collections.abc import Sequence

from pynomaly.ingest.history.csv_form import (
    TIMESTAMP,
    VALUE,
    Form,
    Key,
    LongForm,
    RowFault,
    WideForm,
    cells_of,
)
from pynomaly.ingest.history.series import Remembered
from pynomaly.ingest.moment import NotAMoment, from_iso, from_number

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIAL = re.compile(r"nan|[+-]?inf(inity)?", re.IGNORECASE)

Row = tuple[int, int, float]
"""The id of a series, milliseconds since the epoch, and the value."""


def cells_and_moment(form: Form, line: bytes) -> tuple[list[str], int] | None:
    """The cells of a line, and its time; None for a blank line.

    Raises:
        RowFault: names what is wrong.
    """
    cells = cells_of(line)
    if not cells or cells == [""]:
        return None
    if len(cells) != form.width:
        raise RowFault(f"expected {form.width} cells, found {len(cells)}")
    return cells, moment(cells[form.timestamp])


def long_row(form: LongForm, series: Remembered[Key], cells: Sequence[str], at: int) -> Row:
    """The sample of a row in the long form.

    Raises:
        RowFault: names the column and what is wrong.
    """
    key = (cells[form.metric], *[cells[place] for _, place in form.labels])
    return series.id_of(key), at, number(cells[form.value], VALUE)


def wide_row(form: WideForm, ids: Sequence[int], cells: Sequence[str], at: int) -> list[Row]:
    """The samples of a row in the wide form; ``ids`` are those of its series.

    Raises:
        RowFault: names the column and what is wrong.
    """
    return [
        (one, at, number(cells[place], str(labels)))
        for one, (labels, place) in zip(ids, form.series, strict=True)
        if cells[place]
    ]


def moment(cell: str) -> int:
    """Milliseconds since the epoch.

    Raises:
        RowFault: neither ISO 8601 with a zone nor a number since the epoch.
    """
    try:
        return from_number(float(cell)) if _NUMBER.fullmatch(cell) else from_iso(cell)
    except NotAMoment as error:
        raise RowFault(f"{TIMESTAMP}: {error}") from None


def number(cell: str, column: str) -> float:
    """A number, ``NaN``, ``+Inf`` or ``-Inf``.

    Raises:
        RowFault: something else.
    """
    if _NUMBER.fullmatch(cell) or _SPECIAL.fullmatch(cell):
        return float(cell)
    raise RowFault(f"{column}: expected a number, found {cell[:80]!r}")
