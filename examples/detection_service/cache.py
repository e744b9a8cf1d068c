"""The cache: answers of the database that may be a moment old."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pynomaly.observability import MetricsCollector


class Cache:
    """Keeps ``size`` values for ``seconds`` each; the one least recently used goes first."""

    def __init__(
        self,
        name: str,
        metrics: MetricsCollector,
        *,
        size: int = 256,
        seconds: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._metrics = name, metrics.cache
        self._size, self._seconds, self._monotonic = size, seconds, monotonic
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._metrics.entries.labels(name).set_function(lambda: len(self._held))

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of a key; made, and kept, when there is none that is young enough."""
        with self._metrics.duration.labels(self._name).time():
            found = self._find(key)
        if found is not None:
            self._metrics.hit(self._name)
            return found[1]
        self._metrics.miss(self._name)
        value = make()
        self._keep(key, value)
        return value

    def _find(self, key: str) -> tuple[float, Any] | None:
        with self._lock:
            found = self._held.get(key)
            if found is None or found[0] < self._monotonic():
                return None
            self._held.move_to_end(key)
            return found

    def _keep(self, key: str, value: Any) -> None:
        with self._lock:
            self._held[key] = (self._monotonic() + self._seconds, value)
            self._held.move_to_end(key)
            while len(self._held) > self._size:
                self._held.popitem(last=False)
                self._metrics.evictions.labels(self._name).inc()
