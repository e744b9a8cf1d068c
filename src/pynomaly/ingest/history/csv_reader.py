"""CSV of history, in blocks: in bulk where a block is regular, row by row where it is not."""

from collections.abc import Sequence

import numpy as np

from pynomaly.ingest.history.csv_bulk import (
    IrregularBlock,
    read_long,
    read_table,
    read_wide,
)
from pynomaly.ingest.history.csv_form import Form, Key, LongForm, RowFault, cells_of, form_of
from pynomaly.ingest.history.csv_rows import Row, cells_and_moment, long_row, wide_row
from pynomaly.ingest.history.reader import Block, LineFault
from pynomaly.ingest.history.series import Remembered
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import SampleBatch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CsvReader:
    """Reads both forms of ``csv_form``; the header is the first line."""

    def __init__(self) -> None:
        self._form: Form | None = None
        self._line = 0
        self._ids: list[int] = []
        self._labels: dict[int, Labels] = {}
        self._series: Remembered[Key] = Remembered(self._labels_of)

    def read(self, block: bytes) -> Block:
        """Read whole lines; a fault ends the import, and what came before it is given."""
        if self._form is None:
            header, _, block = block.removeprefix(_BYTE_ORDER_MARK).partition(b"\n")
            self._line = 1
            try:
                self._start(form_of(cells_of(header)))
            except RowFault as fault:
                return Block(SampleBatch.of([]), LineFault(1, str(fault)))
        self._series.start_block()
        try:
            read = Block(self._in_bulk(block))
        except IrregularBlock:
            read = self._row_by_row(block)
        self._line += block.count(b"\n")
        return read

    def finish(self) -> Block:
        """A text without even a header is a fault."""
        fault = LineFault(1, "there is no header") if self._form is None else None
        return Block(SampleBatch.of([]), fault)

    def _start(self, form: Form) -> None:
        self._form = form
        if not isinstance(form, LongForm):
            self._ids = [series_id(labels) for labels, _ in form.series]
            self._labels = {series_id(labels): labels for labels, _ in form.series}

    def _labels_of(self, key: Key) -> Labels:
        assert isinstance(self._form, LongForm)
        return self._form.series(key)

    def _in_bulk(self, block: bytes) -> SampleBatch:
        assert self._form is not None
        if not block.strip():
            return SampleBatch.of([])
        table = read_table(block, self._form.width)
        if isinstance(self._form, LongForm):
            return read_long(table, self._form, self._series)
        return read_wide(table, self._form, self._ids, self._labels)

    def _row_by_row(self, block: bytes) -> Block:
        rows: list[Row] = []
        fault = None
        for number, line in enumerate(block.split(b"\n"), start=self._line + 1):
            try:
                rows.extend(self._row(line))
            except RowFault as error:
                fault = LineFault(number, str(error))
                break
        ids, ts, values = zip(*rows, strict=True) if rows else ((), (), ())
        batch = SampleBatch(
            ids=np.array(ids, dtype=np.uint64),
            ts=np.array(ts, dtype=np.int64),
            values=np.array(values, dtype=np.float64),
            labels=self._series.labels if isinstance(self._form, LongForm) else self._labels,
        )
        return Block(batch, fault)

    def _row(self, line: bytes) -> Sequence[Row]:
        assert self._form is not None
        read = cells_and_moment(self._form, line)
        if read is None:
            return ()
        if isinstance(self._form, LongForm):
            return (long_row(self._form, self._series, *read),)
        return wide_row(self._form, self._ids, *read)
