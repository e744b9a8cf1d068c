"""Reads blocks of CSV in bulk with Arrow; an irregular block is left to ``csv_rows``."""

import re
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from pynomaly.ingest.history.csv_form import Key, LongForm, RowFault, WideForm
from pynomaly.ingest.history.series import Remembered
from pynomaly.ingest.moment import FIRST_MILLISECONDS, FIRST_TOO_LARGE
from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, IdArray, SampleBatch, TimeArray, ValueArray
from pynomaly.storage.engine.arrow import column as arrow_column
from pynomaly.storage.engine.arrow import numbers

# Cells in quotes, with doubled quotes inside, or without any; possessive, so that it is linear.
_WELL_QUOTED = re.compile(rb'(?:(?:"(?:[^"\r\n]++|"")*+"|[^",\r\n]*+)(?:,|\r?\n|\Z))*+').fullmatch


class IrregularBlock(Exception):
    """The block needs a look at every row."""


def read_table(block: bytes, width: int) -> pa.Table:
    """The cells as text.

    Raises:
        IrregularBlock: quotes that do not match, stray carriage returns, or rows of another width.
    """
    quoted = b'"' in block
    if block.count(b"\r") != block.count(b"\r\n") or (quoted and not _WELL_QUOTED(block)):
        raise IrregularBlock
    names = [str(i) for i in range(width)]
    try:
        return arrow_csv.read_csv(
            BytesIO(block),
            arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
            arrow_csv.ParseOptions(quote_char='"' if quoted else False),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        ).combine_chunks()
    except pa.ArrowInvalid as error:
        raise IrregularBlock from error


def read_long(table: pa.Table, form: LongForm, remembered: Remembered[Key]) -> SampleBatch:
    """The samples of a table in the long form.

    Raises:
        IrregularBlock: a row that needs a look.
    """
    ts, values = _moments(table[form.timestamp]), _numbers(table[form.value])
    places = [form.metric, *(place for _, place in form.labels)]
    keys, which = _distinct([table[place] for place in places])
    try:
        ids = np.fromiter(map(remembered.id_of, keys), np.uint64, len(keys))
    except RowFault as error:
        raise IrregularBlock from error
    return SampleBatch(ids[which], ts, values, remembered.labels)


def read_wide(
    table: pa.Table, form: WideForm, ids: Sequence[int], labels: dict[int, Labels]
) -> SampleBatch:
    """The samples of a table in the wide form, column by column; ``ids`` are the columns'.

    Raises:
        IrregularBlock: a row that needs a look.
    """
    ts = _moments(table[form.timestamp])
    parts: list[tuple[IdArray, TimeArray, ValueArray]] = []
    for one, (_, place) in zip(ids, form.series, strict=True):
        cells = table[place]
        filled = pc.not_equal(cells, "")
        there: BoolArray = numbers(filled)
        values = _numbers(cells if there.all() else cells.filter(filled))
        parts.append((np.full(len(values), one, np.uint64), ts[there], values))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return SampleBatch(columns[0], columns[1], columns[2], labels)


def _numbers(cells: pa.ChunkedArray) -> ValueArray:
    try:
        values: ValueArray = numbers(pc.cast(cells, pa.float64()))
    except pa.ArrowInvalid as error:
        raise IrregularBlock from error
    return values


def _moments(cells: pa.ChunkedArray) -> TimeArray:
    """Numbers or ISO 8601, but not both in a block."""
    try:
        moments: ValueArray = numbers(pc.cast(cells, pa.float64()))
    except pa.ArrowInvalid:
        return _from_iso(cells)
    size = np.abs(moments)
    if not (size < FIRST_TOO_LARGE).all():  # NaN included
        raise IrregularBlock
    return np.rint(np.where(size < FIRST_MILLISECONDS, moments * 1000, moments)).astype(np.int64)


def _from_iso(cells: pa.ChunkedArray) -> TimeArray:
    try:
        at = pc.cast(cells, pa.timestamp("ms", tz="UTC"))
    except pa.ArrowInvalid as error:
        raise IrregularBlock from error
    ms: TimeArray = numbers(pc.cast(at, pa.int64()))
    return ms


def _distinct(columns: Sequence[pa.ChunkedArray]) -> tuple[list[Key], NDArray[np.int64]]:
    """The distinct rows of some columns of text, and for each row which one it is."""
    encoded = [pc.dictionary_encode(column).combine_chunks() for column in columns]
    codes = np.zeros(len(columns[0]), np.int64)
    for column in encoded:
        codes = codes * len(column.dictionary) + numbers(column.indices)
        _, codes = np.unique(codes, return_inverse=True)  # dense again, so that nothing overflows
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    texts = [column.dictionary.take(column.indices.take(arrow_column(first))) for column in encoded]
    return list(zip(*(text.to_pylist() for text in texts), strict=True)), which
