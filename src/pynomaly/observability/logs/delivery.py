"""Handlers that deliver log lines from a thread: the application never waits for them."""

import logging
import logging.handlers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from pynomaly.observability.delivery.background import Background
from pynomaly.observability.delivery.http import Answer, checked_url, post
from pynomaly.observability.delivery.otlp import endpoint_of, logs_request
from pynomaly.observability.delivery.outbox import DeliveryMetrics, Outbox
from pynomaly.observability.delivery.spool import Spool


class DeliveryHandler(logging.Handler):
    """Formats in the caller's thread, delivers in another; drops, counted, when it falls behind."""

    of_sdk = True

    def __init__(self, background: Background[str]) -> None:
        super().__init__()
        self.background = background

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line of a record; never blocks."""
        # What delivery itself logs must not feed delivery.
        if not record.name.startswith("pynomaly.observability.delivery"):
            self.background.offer(self.format(record))

    def close(self) -> None:
        """Let what is queued leave, for a few seconds."""
        self.background.close()
        super().close()


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """Counts what it cannot write, as on a full disk, instead of printing it."""

    failures = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Count the line as lost."""
        self.failures += 1


def logs_to_file(
    path: Path | str,
    *,
    max_bytes: int = 100 * 1024 * 1024,
    backups: int = 5,
    capacity: int = 10_000,
    registry: CollectorRegistry | None = None,
) -> DeliveryHandler:
    """Lines into a file, rotated at ``max_bytes``, keeping ``backups`` older files.

    ``capacity``: lines that may wait in memory. Raises OSError if the file cannot be opened.
    """
    metrics = DeliveryMetrics("logs", registry)
    file = _RotatingFile(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")

    def write(lines: list[str]) -> None:
        file.failures = 0
        for line in lines:
            file.emit(logging.makeLogRecord({"msg": line}))
        metrics.sent.inc(len(lines) - file.failures)
        metrics.drop("file", file.failures)

    return DeliveryHandler(Background(write, metrics.drop, capacity=capacity, linger=0.5))


def logs_to_otlp(
    endpoint: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    spool: Path | str | None = None,
    capacity: int = 10_000,
    timeout: float = 10.0,
    registry: CollectorRegistry | None = None,
    **options: Any,
) -> DeliveryHandler:
    """Lines to an OTLP/HTTP receiver, as JSON.

    - endpoint: such as ``http://localhost:4318``; default ``OTEL_EXPORTER_OTLP_ENDPOINT``.
    - spool: a folder for lines that wait while the receiver is away; without it they wait in
      memory, up to ``capacity``.
    - timeout: seconds for one request.

    Raises ValueError for an endpoint that is no URL, OSError for a spool that cannot be written.
    """
    url, sent = endpoint_of("logs", endpoint, headers)
    checked_url(url, "endpoint")
    metrics = DeliveryMetrics("logs", registry)

    def send(payload: bytes) -> Answer:
        return post(url, payload, sent, timeout)

    outbox = Outbox(
        send,
        metrics,
        spool=Spool(spool) if spool else None,
        tries=1 if spool else 8,
        **options,
    )

    def take(lines: list[str]) -> None:
        outbox.deliver(logs_request(lines), len(lines))

    return DeliveryHandler(Background(take, metrics.drop, capacity=capacity))
