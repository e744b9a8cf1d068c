"""``Pusher``: the metrics of a batch job, or of any process that nobody scrapes."""

import atexit
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from prometheus_client import Metric

from pynomaly.observability.delivery.http import Answer, checked_url, post
from pynomaly.observability.delivery.otlp import endpoint_of, metrics_request
from pynomaly.observability.delivery.outbox import DeliveryMetrics, Outbox
from pynomaly.observability.delivery.spool import Spool
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.observability.metrics.exposition import merged
from pynomaly.observability.push.remote_write import HEADERS, write_request


class Pusher:
    """Pushes a registry's metrics, each time as they are then.

    - url: with ``remote_write`` the whole path, such as ``http://localhost:8090/api/v1/write``;
      with ``otlp`` the receiver, such as ``http://localhost:4318``, or None to let
      ``OTEL_EXPORTER_OTLP_*`` say it.
    - job: the ``job`` label of every series; ``labels`` are further ones. ``instance`` is the
      host's name unless it is given.
    - headers: sent with every request, such as an ``Authorization``.
    - spool: a folder for what cannot be delivered now; the next push, or the next run, sends it
      with the time that it was measured at. ``spool_bytes`` bounds it.
    - tries: of one push before it goes to the spool, or without one is given up.
    - timeout: seconds for one request.
    - clock, sleep, monotonic: time, passed in.

    Raises ValueError for an unknown protocol or a URL that is none, OSError for a spool that
    cannot be written.
    """

    def __init__(
        self,
        url: str | None,
        job: str,
        *,
        protocol: Literal["remote_write", "otlp"] = "remote_write",
        labels: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        metrics: MetricsCollector | None = None,
        spool: Path | str | None = None,
        spool_bytes: int = 64 * 1024 * 1024,
        tries: int = 3,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = metrics or MetricsCollector()
        self._protocol, self._timeout, self._clock = protocol, timeout, clock
        self._labels = {"instance": socket.gethostname(), **(labels or {}), "job": job}
        self._url, self._headers = _target(protocol, url, headers or {})
        self._job = job
        self._outbox = Outbox(
            self._send,
            DeliveryMetrics("metrics", self.metrics.registry),
            spool=Spool(spool, spool_bytes) if spool else None,
            tries=tries,
            sleep=sleep,
            monotonic=monotonic,
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def push(self) -> bool:
        """Push the metrics as they are now; False if they wait in the spool or were given up.

        Never raises for what the network or the server did: that is counted and logged.
        """
        payload, items = self._payload(merged(self.metrics.registry).collect())
        return self._outbox.deliver(payload, items)

    def flush(self) -> bool:
        """Send what waits in the spool; True if nothing is left."""
        return self._outbox.flush()

    @contextmanager
    def batch_job(self, name: str | None = None) -> Iterator[None]:
        """Run a batch job: counted, timed, its last success stamped, and pushed at its end."""
        name = name or self._job
        try:
            with self.metrics.jobs.job(name):
                yield
            self.metrics.jobs.last_success.labels(name).set(self._clock())
        finally:
            self.push()

    def start(self, interval: float = 15.0) -> None:
        """Push every ``interval`` seconds from a thread, and once more at the process's exit."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(interval,), name="pynomaly-push", daemon=True
            )
            self._thread.start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """End the thread of ``start`` with a last push."""
        if self._thread is not None and not self._stop.is_set():
            self._stop.set()
            self._thread.join(self._timeout)
            self.push()

    def _run(self, interval: float) -> None:
        while not self._stop.wait(interval):
            self.push()

    def _payload(self, families: Iterable[Metric]) -> tuple[bytes, int]:
        now = self._clock()
        if self._protocol == "remote_write":
            return write_request(families, int(now * 1000), self._labels)
        held = list(families)
        samples = sum(len(family.samples) for family in held)
        return metrics_request(held, int(now * 1e9), self._labels), samples

    def _send(self, payload: bytes) -> Answer:
        return post(self._url, payload, self._headers, self._timeout)


def _target(
    protocol: str, url: str | None, headers: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    if protocol == "otlp":
        target, sent = endpoint_of("metrics", url, headers)
        return checked_url(target, "url"), sent
    if protocol != "remote_write":
        raise ValueError(f"protocol {protocol!r} is none of remote_write, otlp")
    return checked_url(url or "", "url"), {**headers, **HEADERS, "User-Agent": "pynomaly-sdk"}
