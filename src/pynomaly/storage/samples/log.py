"""The log of the head: what was acknowledged and is not in the engine's tables yet.

One file of records, one record a commit: a header (mark, bytes of series, number of samples,
checksum), the series that no record before names (JSON, id and label pairs), and the columns of the
samples as they are in memory. A commit whose record is whole in the file survives a kill of the
process, since the file is the kernel's; with ``fsync`` it survives a power failure as well. What a
kill leaves half written was not acknowledged: its checksum is wrong, and reading ends there.
"""

import errno
import logging
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import xxhash

from pynomaly.model.labels import Labels
from pynomaly.model.samples import IdArray, TimeArray, ValueArray
from pynomaly.storage.engine.contract import DiskFull, EngineError

log = logging.getLogger(__name__)

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


class HeadLog:
    """The file, for one thread at a time; made if it is not there."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._fsync = fsync
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.size = 0
        self.corruptions = 0
        if fsync:
            _sync_folder(path.parent)

    def read(self) -> list[Entry]:
        """The commits in the log, in their order; what follows the last whole one is cut off."""
        size = os.fstat(self._fd).st_size
        body = memoryview(os.pread(self._fd, size, 0))
        entries, at = [], 0
        while (found := _entry(body, at)) is not None:
            entry, at = found
            entries.append(entry)
        if at < size:
            log.warning(
                "the last %d bytes of the log of samples are no whole commit (the process was "
                "killed while it wrote them, before it acknowledged them); they are left out",
                size - at,
            )
            os.ftruncate(self._fd, at)
            self.corruptions += 1
        self.size = at
        return entries

    def append(self, entry: Entry) -> None:
        """Write a commit; when it returns it survives a kill.

        Raises:
            DiskFull, EngineError: nothing of it is in the log.
        """
        record = _record(entry)
        try:
            _write(self._fd, record, self.size)
            if self._fsync:
                os.fsync(self._fd)
        except OSError as error:
            # The next record begins at the same place, whether cutting this one off works or not.
            os.ftruncate(self._fd, self.size)
            raise _translated(error) from error
        self.size += len(record)

    def clear(self) -> None:
        """Forget every commit: they are in the engine's tables.

        Raises:
            EngineError: they are still in the log.
        """
        try:
            os.ftruncate(self._fd, 0)
        except OSError as error:
            raise _translated(error) from error
        self.size = 0

    def close(self) -> None:
        """Close the file; what is in it stays."""
        os.close(self._fd)


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


def _write(fd: int, record: bytes, at: int) -> None:
    left = memoryview(record)
    while left:
        written = os.pwrite(fd, left, at)
        left, at = left[written:], at + written


def _translated(error: OSError) -> EngineError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The disk is full; nothing can be stored.", hint="Free some space.")
    return EngineError(f"The log of samples cannot be written: {error.strerror}.")


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
