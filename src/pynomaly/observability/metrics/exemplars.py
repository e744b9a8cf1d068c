"""Exemplars: the trace behind a bucket of a histogram, also with several worker processes.

prometheus_client keeps an exemplar beside a value in memory, and has none in its multi-process
mode, where values live in memory-mapped files without room for one. There each process also maps a
file of its own, ``exemplars_<pid>.slots``, in the same folder: one slot of fixed size for each
bucket or counter that has had an exemplar, overwritten in place, with a checksum, so that writing
costs no system call and a reader that meets a half-written slot leaves it out. A scrape reads the
slots of all processes and attaches the newest of each series to the merged samples.
"""

import json
import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.samples import Exemplar, Sample

SLOT = 512
SLOTS = 4096
_HEAD = struct.Struct("<IH")  # crc32 of the payload, its length

Key = tuple[str, tuple[tuple[str, str], ...]]

source: Callable[[], dict[str, str] | None] | None = None
"""Gives the current trace's ids while tracing is set up; None leaves exemplars out."""


def multiprocess_folder() -> Path | None:
    """Where the worker processes share their metrics, or None for a single process."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    multiple = getattr(values.ValueClass, "_multiprocess", False)
    return Path(folder) if folder and multiple else None


class ExemplarSlots:
    """This process's exemplars in its memory-mapped file; safe between threads and over a fork."""

    def __init__(self, folder: Path, process_id: Callable[[], int] = os.getpid) -> None:
        self._folder = folder
        self._process_id = process_id
        self._lock = threading.Lock()
        self._pid = -1
        self._where: dict[Key, int] = {}
        self._map: mmap.mmap | None = None

    def record(self, key: Key, exemplar: dict[str, str], value: float) -> None:
        """Keep the newest exemplar of a series; beyond 4,096 series a process keeps no more."""
        payload = json.dumps([key, exemplar, value, time.time()], separators=(",", ":")).encode()
        if len(payload) > SLOT - _HEAD.size:
            return
        head = _HEAD.pack(zlib.crc32(payload), len(payload))
        with self._lock:
            slots = self._opened()
            at = self._where.setdefault(key, len(self._where) * SLOT)
            if at < SLOT * SLOTS:
                slots[at : at + _HEAD.size + len(payload)] = head + payload
            else:
                del self._where[key]

    def _opened(self) -> mmap.mmap:
        """The map of this very process: a forked child must not write into its parent's."""
        pid = self._process_id()
        if self._map is None or pid != self._pid:
            self._pid, self._where = pid, {}
            with (self._folder / f"exemplars_{pid}.slots").open("w+b") as file:
                file.truncate(SLOT * SLOTS)  # sparse: takes what is written
                self._map = mmap.mmap(file.fileno(), SLOT * SLOTS)
        return self._map


_slots: dict[Path, ExemplarSlots] = {}
# A forked child begins anew, also with a lock that no thread of its parent holds.
os.register_at_fork(after_in_child=_slots.clear)


def record(key: Key, exemplar: dict[str, str], value: float) -> None:
    """Keep an exemplar where several processes share metrics; alone, the metric itself keeps it."""
    folder = multiprocess_folder()
    if folder is not None:
        slots = _slots.get(folder) or _slots.setdefault(folder, ExemplarSlots(folder))
        slots.record(key, exemplar, value)


def read(folder: Path) -> dict[Key, Exemplar]:
    """The newest exemplar of each series over all processes."""
    newest: dict[Key, tuple[float, Exemplar]] = {}
    for path in folder.glob("exemplars_*.slots"):
        for key, when, exemplar in _read_slots(path.read_bytes()):
            held = newest.get(key)
            if held is None or held[0] < when:
                newest[key] = (when, exemplar)
    return {key: exemplar for key, (_, exemplar) in newest.items()}


def _read_slots(content: bytes) -> Iterator[tuple[Key, float, Exemplar]]:
    for at in range(0, len(content), SLOT):
        crc, length = _HEAD.unpack_from(content, at)
        if not length:
            return
        payload = content[at + _HEAD.size : at + _HEAD.size + length]
        if zlib.crc32(payload) == crc:
            (name, labels), exemplar, value, when = json.loads(payload)
            key = (name, tuple((k, v) for k, v in labels))
            yield key, when, Exemplar(exemplar, value, when)


class WorkersCollector:
    """The metrics of all worker processes, with their exemplars."""

    def __init__(self, registry: CollectorRegistry, folder: Path) -> None:
        self._folder = folder
        self._merged = MultiProcessCollector(None, str(folder))
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Merge the files of all processes (prometheus_client), then attach the exemplars."""
        exemplars = read(self._folder)
        for metric in self._merged.collect():
            if exemplars and metric.type in ("counter", "histogram"):
                metric.samples = [_with_exemplar(sample, exemplars) for sample in metric.samples]
            yield metric


def _with_exemplar(sample: Sample, exemplars: dict[Key, Exemplar]) -> Sample:
    key = (sample.name, tuple(sorted(sample.labels.items())))
    found = exemplars.get(key)
    return sample._replace(exemplar=found) if found else sample


def mark_worker_dead(pid: int) -> None:
    """Forget a worker that has ended: its live gauges and exemplars (gunicorn's ``child_exit``)."""
    folder = multiprocess_folder()
    if folder is not None:
        mark_process_dead(pid, str(folder))
        (folder / f"exemplars_{pid}.slots").unlink(missing_ok=True)
