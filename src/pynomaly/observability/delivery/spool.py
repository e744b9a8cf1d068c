"""Payloads that wait on disk for a server to come back, within bounds, oldest first."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path


@dataclass(frozen=True)
class Waiting:
    """A payload on disk: how many items (lines, samples, spans) it holds."""

    path: Path
    items: int
    size: int


class Spool:
    """A folder of payloads.

    Adding is atomic, so a process that is killed leaves whole payloads, which its next run sends.
    Several processes may share the folder: who sends a payload takes it first, by renaming it, and
    what a process has taken that has ended is there again. When adding would pass ``max_bytes``
    the oldest payloads make room.

    Raises OSError if the folder cannot be made or written.
    """

    def __init__(self, folder: Path | str, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._max_bytes = max_bytes
        self._numbers = count()
        self._lock = threading.Lock()

    def add(self, payload: bytes, items: int = 1) -> int:
        """Keep a payload; returns how many items were given up for it (its own, if too large)."""
        if len(payload) > self._max_bytes:
            return items
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers):06d}-{items}.payload"
        with self._lock:
            lost = self._make_room(len(payload))
            partial = self._folder / f".{name}"
            with partial.open("wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self._folder / name)
        return lost

    def waiting(self) -> list[Waiting]:
        """What waits, oldest first."""
        self._recover()
        return sorted(self._entries(), key=lambda entry: entry.path.name)

    def take(self, entry: Waiting) -> bytes | None:
        """Read a payload to send it; None if another process has taken it."""
        try:
            entry.path.rename(_taken(entry.path))
        except FileNotFoundError:
            return None
        return _taken(entry.path).read_bytes()

    def give_back(self, entry: Waiting) -> None:
        """It could not be sent: it waits again, in its place."""
        _taken(entry.path).rename(entry.path)

    def remove(self, entry: Waiting) -> None:
        """Forget a payload; one that is gone already is no error."""
        entry.path.unlink(missing_ok=True)
        _taken(entry.path).unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(entry.size for entry in self._entries())

    def _recover(self) -> None:
        """Give back what processes have taken that have ended since."""
        for path in self._folder.glob("*.payload.*"):
            pid = path.suffix[1:]
            if pid.isdigit() and not _is_running(int(pid)):
                # Another process may be doing the same.
                with contextlib.suppress(FileNotFoundError):
                    path.rename(path.with_suffix(""))

    def _make_room(self, needed: int) -> int:
        lost = 0
        entries = sorted(self._entries(), key=lambda entry: entry.path.name)
        held = sum(entry.size for entry in entries)
        for entry in entries:
            if held + needed <= self._max_bytes:
                break
            self.remove(entry)
            held -= entry.size
            lost += entry.items
        return lost

    def _entries(self) -> Iterator[Waiting]:
        for path in self._folder.glob("*.payload"):
            try:
                size = path.stat().st_size
                yield Waiting(path, int(path.stem.rsplit("-", 1)[-1]), size)
            except (FileNotFoundError, ValueError):
                continue  # another process has sent it, or it is not ours


def _taken(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
