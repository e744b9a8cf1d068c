"""A file of records, each of them there as a whole or not at all: what was acknowledged and is not
in the engine's tables yet.

A record that is whole in the file survives a kill of the process, since the file is the kernel's;
with ``fsync`` it survives a power failure as well. What a kill leaves half written was not
acknowledged: its checksum is wrong, and reading ends there.
"""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pynomaly.storage.engine.contract import DiskFull, EngineError

log = logging.getLogger(__name__)

Record = TypeVar("Record")


class RecordLog(Generic[Record]):
    """The file, for one thread at a time; made if it is not there.

    ``encode`` gives a record's bytes. ``decode`` finds the record at a place of a body, and where
    the next begins; None if there is no whole one. ``content`` says in messages what is kept.
    """

    def __init__(
        self,
        path: Path,
        encode: Callable[[Record], bytes],
        decode: Callable[[memoryview, int], tuple[Record, int] | None],
        *,
        content: str,
        fsync: bool = False,
    ) -> None:
        self._encode = encode
        self._decode = decode
        self._content = content
        self._fsync = fsync
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.size = 0
        self.corruptions = 0
        if fsync:
            _sync_folder(path.parent)

    def read(self) -> list[Record]:
        """The records in their order; what follows the last whole one is cut off."""
        size = os.fstat(self._fd).st_size
        body = memoryview(os.pread(self._fd, size, 0))
        records, at = [], 0
        while (found := self._decode(body, at)) is not None:
            record, at = found
            records.append(record)
        if at < size:
            self.corruptions += 1
            log.warning(
                "the last %d bytes of the log of %s are no whole commit (the process was "
                "killed while it wrote them, before it acknowledged them); they are left out",
                size - at,
                self._content,
            )
            os.ftruncate(self._fd, at)
        self.size = at
        return records

    def append(self, record: Record) -> None:
        """Write a record; when it returns it survives a kill.

        Raises:
            DiskFull, EngineError: nothing of it is in the log.
        """
        body = self._encode(record)
        try:
            _write(self._fd, body, self.size)
            if self._fsync:
                os.fsync(self._fd)
        except OSError as error:
            # The next record begins at the same place, whether cutting this one off works or not.
            os.ftruncate(self._fd, self.size)
            raise self._translated(error) from error
        self.size += len(body)

    def clear(self) -> None:
        """Forget every record: they are in the engine's tables.

        Raises:
            EngineError: they are still in the log.
        """
        try:
            os.ftruncate(self._fd, 0)
        except OSError as error:
            raise self._translated(error) from error
        self.size = 0

    def close(self) -> None:
        """Close the file; what is in it stays."""
        os.close(self._fd)

    def _translated(self, error: OSError) -> EngineError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull("The disk is full; nothing can be stored.", hint="Free some space.")
        return EngineError(f"The log of {self._content} cannot be written: {error.strerror}.")


def _write(fd: int, record: bytes, at: int) -> None:
    left = memoryview(record)
    while left:
        written = os.pwrite(fd, left, at)
        left, at = left[written:], at + written


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
