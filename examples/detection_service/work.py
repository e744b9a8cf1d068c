"""The queue of jobs and the threads that do them, within this process.

What waits is lost when the process dies: with Redis it would not be, but Redis would be needed.
"""

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pynomaly.observability import MetricsCollector

_log = logging.getLogger(__name__)


class QueueFull(RuntimeError):
    """As many jobs wait as may."""


@dataclass(frozen=True, slots=True)
class _Item:
    work: Callable[[], None]
    context: contextvars.Context
    queued: float


class WorkQueue:
    """Jobs in the order in which they came, done by ``workers`` threads."""

    def __init__(self, name: str, metrics: MetricsCollector, workers: int, capacity: int) -> None:
        self._name, self._metrics = name, metrics.queue
        self._items: queue.Queue[_Item | None] = queue.Queue(capacity)
        self._metrics.length.labels(name).set_function(self._items.qsize)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return self._items.qsize()

    def put(self, work: Callable[[], None]) -> None:
        """Have something done later, in the trace and under the correlation id of now.

        Raises QueueFull.
        """
        item = _Item(work, contextvars.copy_context(), time.perf_counter())
        try:
            self._items.put_nowait(item)
        except queue.Full:
            raise QueueFull(f"{self._items.qsize()} jobs wait already") from None

    def close(self) -> None:
        """Do what waits, then end the threads."""
        for _ in self._threads:
            self._items.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            self._metrics.wait.labels(self._name).observe(time.perf_counter() - item.queued)
            try:
                with self._metrics.item(self._name):
                    item.context.run(item.work)
            except Exception:  # noqa: BLE001 - a job that fails must not end the thread
                _log.exception("a job failed")
