"""Delivers payloads in order: tries again, and keeps on disk what cannot go now."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakSet

from prometheus_client import CollectorRegistry

from pynomaly.observability.delivery.http import Answer
from pynomaly.observability.delivery.spool import Spool
from pynomaly.observability.metrics.collector import MetricsCollector

_log = logging.getLogger("pynomaly.observability.delivery")


class DeliveryMetrics:
    """What the application can see of its own delivery."""

    def __init__(self, signal: str, registry: CollectorRegistry | None = None) -> None:
        metrics = MetricsCollector(registry)
        self.sent = metrics.counter(
            "pynomaly_sdk_items_delivered_total",
            "Samples, log records and spans that a server has taken.",
            ["signal"],
        ).labels(signal)
        self._dropped = metrics.counter(
            "pynomaly_sdk_items_dropped_total",
            "Samples, log records and spans given up, and why.",
            ["signal", "reason"],
        )
        self.spooled = metrics.gauge(
            "pynomaly_sdk_spool_bytes", "Bytes that wait on disk for a server.", ["signal"]
        ).labels(signal)
        self._signal = signal

    def drop(self, reason: str, items: int) -> None:
        """Count items given up."""
        if items:
            self._dropped.labels(self._signal, reason).inc(items)


@dataclass(frozen=True)
class Backoff:
    """Waits between tries: doubling from ``first`` to ``most`` seconds."""

    first: float = 0.5
    most: float = 30.0

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return float(min(self.most, self.first * 2 ** min(failures - 1, 16)))


class Outbox:
    """Sends payloads through ``send``, which says what became of each.

    What fails for now goes to the spool, if there is one, and later payloads queue behind it, so
    that a server gets them in order. What a server refuses for good is dropped, counted and logged.
    Safe between threads: one sends at a time.

    - tries: how often one call of ``deliver`` tries before it gives the payload to the spool.
    - sleep, monotonic: the clock, passed in.
    """

    def __init__(
        self,
        send: Callable[[bytes], Answer],
        metrics: DeliveryMetrics,
        *,
        spool: Spool | None = None,
        tries: int = 3,
        backoff: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._metrics, self._spool = send, metrics, spool
        self._tries, self._backoff = tries, backoff or Backoff()
        self._sleep, self._monotonic = sleep, monotonic
        self._renew_lock()
        _outboxes.add(self)
        self._failures = 0
        self._not_before = float("-inf")

    def deliver(self, payload: bytes, items: int = 1) -> bool:
        """Send a payload after what waits; False if it waits too now, or was given up."""
        with self._lock:
            if self._away() or not self._drain():
                self._keep(payload, items)
                return False
            return self._try(payload, items)

    def flush(self) -> bool:
        """Send what waits on disk; True if nothing is left."""
        with self._lock:
            return self._drain()

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def _away(self) -> bool:
        return self._spool is not None and self._monotonic() < self._not_before

    def _drain(self) -> bool:
        if self._spool is None:
            return True
        for entry in self._spool.waiting():
            payload = self._spool.take(entry)
            if payload is None:
                continue  # another process sends it
            answer = self._once(payload)
            if answer.retryable:
                self._spool.give_back(entry)
                return False
            self._spool.remove(entry)
            self._settle(answer, entry.items)
        self._metrics.spooled.set(self._spool.size)
        return True

    def _try(self, payload: bytes, items: int) -> bool:
        for attempt in range(1, self._tries + 1):
            answer = self._once(payload)
            if not answer.retryable:
                self._settle(answer, items)
                return answer.delivered
            if attempt < self._tries:
                self._sleep(answer.retry_after or self._backoff.after(attempt))
        self._keep(payload, items, answer.reason)
        return False

    def _once(self, payload: bytes) -> Answer:
        answer = self._send(payload)
        if not answer.retryable:
            self._failures, self._not_before = 0, float("-inf")
            return answer
        self._failures += 1
        if self._failures == 1:
            _log.warning("Delivery fails for now: %s", answer.reason)
        wait = answer.retry_after or self._backoff.after(self._failures)
        self._not_before = self._monotonic() + wait
        return answer

    def _settle(self, answer: Answer, items: int) -> None:
        if answer.delivered:
            self._metrics.sent.inc(items)
        else:
            _log.error("A server refused what was sent, so it is dropped: %s", answer.reason)
            self._metrics.drop("refused", items)

    def _keep(self, payload: bytes, items: int, reason: str = "") -> None:
        if self._spool is None:
            self._metrics.drop("unreachable", items)
            _log.error("Given up after %d tries: %s", self._tries, reason)
            return
        try:
            self._metrics.drop("spool_full", self._spool.add(payload, items))
        except OSError as error:
            _log.error("Cannot keep what is not delivered on disk: %s", error)
            self._metrics.drop("spool_failed", items)
        self._metrics.spooled.set(self._spool.size)


_outboxes: "WeakSet[Outbox]" = WeakSet()


def _renew_locks() -> None:
    """A thread of the parent may hold a lock while it forks; in the child nobody would free it."""
    for outbox in _outboxes:
        outbox._renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
