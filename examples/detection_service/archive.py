"""The archive: every reading on disk, within the room that it is given."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from pynomaly.observability import Degraded, MetricsCollector

_SEGMENT = 64 << 10
_SEGMENTS = 4
_DEGRADED = 0.8


class ArchiveFull(OSError):
    """There is no room for more readings."""


class Archive:
    """Lines of JSON in a folder of its own.

    Of its own lines it keeps the newest quarter of a megabyte; what else fills the folder has to be
    removed by somebody.
    """

    def __init__(self, folder: Path, room: int, metrics: MetricsCollector) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.room = folder, room
        self._lock = threading.Lock()
        used = metrics.gauge("archive_used_bytes", "Room that the archive of readings takes.")
        limit = metrics.gauge("archive_limit_bytes", "Room that the archive may take.")
        used.set_function(self.used)
        limit.set(room)

    def used(self) -> int:
        """Bytes in the folder."""
        return sum(path.stat().st_size for path in self.folder.glob("*"))

    def append(self, machine: str, rows: Sequence[Sequence[float]]) -> None:
        """Keep readings; raises ArchiveFull."""
        line = json.dumps({"machine": machine, "readings": rows}) + "\n"
        with self._lock:
            if self.used() + len(line) > self.room:
                raise ArchiveFull(f"the archive's {self.room >> 20} MB are full")
            with self._segment().open("a", encoding="utf-8") as file:
                file.write(line)

    def check(self) -> str:
        """A health check: is there room?"""
        share = self.used() / self.room
        if share > _DEGRADED:
            raise Degraded(f"{share:.0%} of the archive is used")
        return f"{share:.0%} is used"

    def _segment(self) -> Path:
        """The file to write to; the oldest one goes when there are too many."""
        numbers = sorted(int(path.stem) for path in self.folder.glob("*.jsonl"))
        if numbers and (self.folder / f"{numbers[-1]}.jsonl").stat().st_size < _SEGMENT:
            return self.folder / f"{numbers[-1]}.jsonl"
        for number in numbers[: 1 - _SEGMENTS]:
            (self.folder / f"{number}.jsonl").unlink()
        return self.folder / f"{numbers[-1] + 1 if numbers else 1}.jsonl"
