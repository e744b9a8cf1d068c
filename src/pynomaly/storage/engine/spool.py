"""A file in memory through which rows are handed to the engine."""

import os
import tempfile
from pathlib import Path

import pyarrow as pa


class Spool:
    """Holds one Arrow stream at a time at ``path``; uses memory where the system can (Linux)."""

    def __init__(self, folder: Path) -> None:
        self._named: Path | None = None
        if hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("insert", os.MFD_CLOEXEC)
            self.path = f"/proc/self/fd/{self._fd}"
        else:
            self._fd, self.path = tempfile.mkstemp(".arrow", "insert-", folder)
            self._named = Path(self.path)

    def fill(self, rows: pa.Table) -> None:
        """Put the rows in place of what was there."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        left = memoryview(sink.getvalue())
        os.lseek(self._fd, 0, os.SEEK_SET)
        while left:
            left = left[os.write(self._fd, left) :]

    def empty(self) -> None:
        """Free the memory."""
        os.ftruncate(self._fd, 0)

    def close(self) -> None:
        """Remove the file."""
        os.close(self._fd)
        if self._named is not None:
            self._named.unlink(missing_ok=True)
