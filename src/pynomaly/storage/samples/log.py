"""The log of the head: what was acknowledged and is not in the engine's tables yet.

One record a commit: a header (mark, bytes of series, number of samples, checksum), the series that
no record before names (JSON, id and label pairs), and the columns of the samples as they are in
memory.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import xxhash

from pynomaly.model.labels import Labels
from pynomaly.model.samples import IdArray, TimeArray, ValueArray
from pynomaly.storage.record_log import RecordLog

FILE_NAME = "samples.log"

_MARK = b"pyn1"
_HEADER = struct.Struct("<4sIQQ")
_BYTES_A_SAMPLE = 24


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A commit: the series that are new in the log, and samples in columns of one length."""

    series: Mapping[int, Labels]
    ids: IdArray
    ts: TimeArray
    values: ValueArray


class HeadLog(RecordLog[Entry]):
    """The file of commits; see ``RecordLog``."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        super().__init__(path, _record, _entry, content="samples", fsync=fsync)


def _record(entry: Entry) -> bytes:
    series = b""
    if entry.series:
        series = orjson.dumps([[i, labels.pairs] for i, labels in entry.series.items()])
    columns = [
        np.ascontiguousarray(entry.ids, dtype="<u8").tobytes(),
        np.ascontiguousarray(entry.ts, dtype="<i8").tobytes(),
        np.ascontiguousarray(entry.values, dtype="<f8").tobytes(),
    ]
    body = b"".join([series, *columns])
    checksum = _checksum(body, len(series))
    return _HEADER.pack(_MARK, len(series), len(entry.ids), checksum) + body


def _checksum(body: bytes | memoryview, series_bytes: int) -> int:
    return xxhash.xxh3_64_intdigest(body, seed=series_bytes)


def _entry(body: memoryview, at: int) -> tuple[Entry, int] | None:
    """The commit at a place and where the next begins; None if there is no whole one."""
    if at + _HEADER.size > len(body):
        return None
    mark, series_bytes, samples, checksum = _HEADER.unpack_from(body, at)
    begin = at + _HEADER.size
    end = begin + series_bytes + samples * _BYTES_A_SAMPLE
    if mark != _MARK or end > len(body) or _checksum(body[begin:end], series_bytes) != checksum:
        return None
    columns = begin + series_bytes
    ids = np.frombuffer(body, np.uint64, samples, columns)
    ts = np.frombuffer(body, np.int64, samples, columns + ids.nbytes)
    values = np.frombuffer(body, np.float64, samples, columns + 2 * ids.nbytes)
    return Entry(_series(body[begin:columns]), ids, ts, values), end


def _series(text: memoryview) -> dict[int, Labels]:
    if not text:
        return {}
    return {i: Labels.from_sorted(tuple(map(tuple, pairs))) for i, pairs in orjson.loads(text)}
