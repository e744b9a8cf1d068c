"""One process owns a data folder."""

import fcntl
import os
from pathlib import Path
from typing import ClassVar

from pynomaly.storage.engine.errors import DataFolderLocked, DataFolderUnusable

LOCK_NAME = "pynomaly.lock"


class FolderLock:
    """Holds a data folder for this process until released, or until the process ends.

    The lock is the kernel's (``fcntl``), so that a killed process leaves nothing behind; the
    file only says who holds it. POSIX locks belong to the process: a forked child has none.

    Raises:
        DataFolderLocked: another process (named by its pid) or another engine in this
            process holds the folder.
        DataFolderUnusable: the folder cannot be made or written.
    """

    _held: ClassVar[set[Path]] = set()

    def __init__(self, folder: Path) -> None:
        self.folder = _make(folder)
        if self.folder in self._held:
            raise DataFolderLocked(f"{folder} is already open in this process (pid {os.getpid()}).")
        self._fd = _open(self.folder)
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise DataFolderLocked(
                f"{folder} is in use by another process (pid {owner}).",
                hint="Stop it, ask it by its URL, or take another --data-dir.",
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        self._held.add(self.folder)

    def release(self) -> None:
        """Let the folder go. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._held.discard(self.folder)


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder.resolve(strict=True)
    except OSError as error:
        raise DataFolderUnusable(
            f"The data folder {folder} cannot be made: {error.strerror}.",
            hint="Choose another with --data-dir.",
        ) from error


def _open(folder: Path) -> int:
    try:
        return os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DataFolderUnusable(
            f"The data folder {folder} is not writable: {error.strerror}.",
            hint="Change its owner, or choose another with --data-dir.",
        ) from error
