"""Reads CSV row by row: slower than in bulk, and says of a fault in which line it is."""

import re
from collections.abc import Iterator, Sequence

from pynomaly.ingest.history.csv_form import (
    TIMESTAMP,
    VALUE,
    LongForm,
    RowFault,
    WideForm,
    cells_of,
)
from pynomaly.ingest.moment import NotAMoment, from_iso, from_number
from pynomaly.model.labels import Labels

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIAL = re.compile(r"nan|[+-]?inf(inity)?", re.IGNORECASE)

Row = tuple[Labels, int, float]


def read_row(form: LongForm | WideForm, line: bytes) -> Iterator[Row]:
    """The samples of one line; a blank line has none.

    Raises:
        RowFault: names the column and what is wrong.
    """
    cells = cells_of(line)
    if not cells or cells == [""]:
        return iter(())
    if len(cells) != form.width:
        raise RowFault(f"expected {form.width} cells, found {len(cells)}")
    at = moment(cells[form.timestamp])
    if isinstance(form, LongForm):
        return iter([_sample(form, cells, at)])
    return iter(_samples(form, cells, at))


def _sample(form: LongForm, cells: Sequence[str], at: int) -> Row:
    labels = form.series(cells[form.metric], [cells[place] for _, place in form.labels])
    return labels, at, number(cells[form.value], VALUE)


def _samples(form: WideForm, cells: Sequence[str], at: int) -> list[Row]:
    return [
        (labels, at, number(cells[place], str(labels)))
        for labels, place in form.series
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
