"""Metrics of the embedded engine."""

import math
import threading
import time
from collections.abc import Callable

from prometheus_client import Gauge

from pynomaly.observability import REGISTRY

_ASK_AGAIN_SECONDS = 10.0

MEMORY = Gauge(
    "pynomaly_engine_memory_bytes",
    "Memory that the embedded engine says it holds; the rest of the process is Python's. Asked "
    "for every ten seconds at most.",
    registry=REGISTRY,
)


class Remembered:
    """A figure that costs a statement: asked for when the last answer is ten seconds old.

    While one thread asks, or where the answer is NaN, there is the last one; NaN before the first.
    """

    def __init__(self, ask: Callable[[], float]) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._last = math.nan
        self._asked_at = -math.inf

    def __call__(self) -> float:
        """The figure, at most a few seconds old."""
        now = time.monotonic()
        if now - self._asked_at >= _ASK_AGAIN_SECONDS and self._asking.acquire(blocking=False):
            try:
                found = self._ask()
                if not math.isnan(found):
                    self._last, self._asked_at = found, now
            finally:
                self._asking.release()
        return self._last


def watch_memory(ask: Callable[[], float]) -> None:
    """Show the memory of an engine that was opened."""
    MEMORY.set_function(Remembered(ask))


def forget_memory() -> None:
    """The engine is closed."""
    MEMORY.set_function(lambda: math.nan)
