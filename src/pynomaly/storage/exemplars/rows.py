"""An exemplar as it is stored, and its two forms: a record of the log, rows of the table."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.storage.engine.arrow import map_column, numbers, table
from pynomaly.storage.record_log import RecordLog

FILE_NAME = "exemplars.log"

_MARK = b"pyx1"
_HEADER = struct.Struct("<4sIQ")


@dataclass(frozen=True, slots=True)
class Row:
    """``seq`` numbers what is stored in the order received, from 1; ``series`` is its id."""

    seq: int
    series: int
    labels: Labels
    exemplar: Exemplar


class ExemplarLog(RecordLog[Sequence[Row]]):
    """The rows that are acknowledged and not in the table yet; a record is those of a commit."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        super().__init__(path, _record, _rows, content="exemplars", fsync=fsync)


def _record(rows: Sequence[Row]) -> bytes:
    body = orjson.dumps([_fields(row) for row in rows])
    return _HEADER.pack(_MARK, len(body), xxhash.xxh3_64_intdigest(body)) + body


def _fields(row: Row) -> tuple[object, ...]:
    own = row.exemplar
    # As text, since JSON has no infinities; repr is exact.
    value = repr(own.value)
    return row.seq, row.series, row.labels.pairs, own.labels.pairs, value, own.ts, own.timed


def _rows(body: memoryview, at: int) -> tuple[list[Row], int] | None:
    if at + _HEADER.size > len(body):
        return None
    mark, size, checksum = _HEADER.unpack_from(body, at)
    begin = at + _HEADER.size
    text = body[begin : begin + size]
    if mark != _MARK or len(text) < size or xxhash.xxh3_64_intdigest(text) != checksum:
        return None
    return [_row(*fields) for fields in orjson.loads(text)], begin + size


def _row(
    seq: int,
    series: int,
    labels: list[list[str]],
    own: list[list[str]],
    value: str,
    ts: int,
    timed: bool,
) -> Row:
    return Row(seq, series, _labels(labels), Exemplar(_labels(own), float(value), ts, timed))


def _labels(pairs: Sequence[Sequence[str]]) -> Labels:
    return Labels.from_sorted(tuple((name, value) for name, value in pairs))


def to_table(rows: Sequence[Row]) -> pa.Table:
    """As the engine's table takes them."""
    count, own = len(rows), [row.exemplar for row in rows]
    return table(
        {
            "seq": np.fromiter((row.seq for row in rows), np.uint64, count),
            "id": np.fromiter((row.series for row in rows), np.uint64, count),
            "labels": map_column([row.labels.pairs for row in rows]),
            "exemplar": map_column([each.labels.pairs for each in own]),
            "value": np.fromiter((each.value for each in own), np.float64, count),
            "ts": np.fromiter((each.ts for each in own), np.int64, count),
            "timed": np.fromiter((each.timed for each in own), np.uint8, count),
        }
    )


def from_table(found: pa.Table) -> list[Row]:
    """Rows of the columns that ``to_table`` makes."""
    columns = [numbers(found[name]).tolist() for name in ("seq", "id", "value", "ts", "timed")]
    maps = [found[name].to_pylist() for name in ("labels", "exemplar")]
    return [
        Row(seq, series, _labels(labels), Exemplar(_labels(own), value, ts, bool(timed)))
        for seq, series, value, ts, timed, labels, own in zip(*columns, *maps, strict=True)
    ]
