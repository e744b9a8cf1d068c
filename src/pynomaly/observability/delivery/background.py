"""Hands items from the application to a thread without ever waiting for it."""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """A bounded queue and a daemon thread that takes batches off it.

    ``offer`` never blocks: when the queue is full the item is dropped, which ``on_drop`` is told.
    The thread starts with the first item, and again in a forked child. At the interpreter's exit
    what is queued has ``grace`` seconds to leave.

    - take: called in the thread with up to ``batch`` items; must not raise.
    - linger: seconds that the thread waits for a batch to fill.
    """

    def __init__(
        self,
        take: Callable[[list[T]], None],
        on_drop: Callable[[str, int], None],
        *,
        capacity: int = 10_000,
        batch: int = 512,
        linger: float = 1.0,
        grace: float = 5.0,
    ) -> None:
        self._take, self._on_drop = take, on_drop
        self._capacity, self._batch, self._linger, self._grace = capacity, batch, linger, grace
        self._items: deque[T] = deque()
        self._thread: threading.Thread | None = None
        self._pid = -1
        self._closed = self._busy = False
        self._start_over()
        atexit.register(self.close)

    def offer(self, item: T) -> bool:
        """Queue an item; False if it was dropped."""
        if self._closed:
            self._on_drop("closed", 1)
            return False
        if self._pid != os.getpid() or self._thread is None:
            self._start()
        if len(self._items) >= self._capacity:
            self._on_drop("queue_full", 1)
            return False
        self._items.append(item)
        if len(self._items) >= self._batch:
            self._full.set()
        return True

    def close(self) -> None:
        """Let what is queued leave, for ``grace`` seconds, and end the thread."""
        if self._closed or self._pid != os.getpid():
            return
        self._closed = True
        self._full.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._grace)
        if self._items:
            self._on_drop("exit", len(self._items))

    def drained(self, timeout: float) -> bool:
        """Wait at most ``timeout`` s for the queue to be empty and its last batch taken."""
        until = time.monotonic() + timeout
        while (self._items or self._busy) and time.monotonic() < until:
            self._full.set()
            time.sleep(0.005)
        return not self._items and not self._busy

    def _start_over(self) -> None:
        self._start_lock = threading.Lock()
        self._full = threading.Event()
        self._closed = self._busy = False

    def _start(self) -> None:
        if self._pid not in (-1, os.getpid()):
            self._start_over()  # a forked child has neither the thread nor free locks
            self._thread = None
            self._items.clear()  # the parent sends its own
        with self._start_lock:
            if self._thread is None:
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="pynomaly-sdk", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not (self._closed and not self._items):
            if len(self._items) < self._batch and not self._closed:
                self._full.wait(self._linger)
            self._full.clear()
            self._busy = True
            batch = [self._items.popleft() for _ in range(min(self._batch, len(self._items)))]
            if batch:
                self._take(batch)
            self._busy = False
