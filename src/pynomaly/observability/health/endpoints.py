"""What the mounted paths answer, whatever framework asks."""

import asyncio
from dataclasses import dataclass

from prometheus_client import Metric

from pynomaly.observability.health.monitor import HealthMonitor, Report
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.observability.metrics.exposition import exposition

LIVE = "/api/health/live"
READY = "/api/health/ready"
METRICS = "/metrics"
BUSINESS_METRICS = "/api/v1/monitoring/metrics"
PATHS = (LIVE, READY, METRICS, BUSINESS_METRICS)

_RUNTIME = ("python_", "process_", "pynomaly_sdk_", "http_", "health_check_")


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    content_type: str
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Never cached: a probe wants the truth of now."""
        return [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
        ]


class Endpoints:
    """Liveness, readiness, all metrics, and the application's own metrics alone."""

    def __init__(
        self, monitor: HealthMonitor | None = None, metrics: MetricsCollector | None = None
    ) -> None:
        self.metrics = metrics or MetricsCollector()
        self.monitor = monitor or HealthMonitor(self.metrics.registry)

    def answer(self, path: str, accept: str = "") -> Answer | None:
        """The answer of a path, or None if it is not one of ``PATHS``."""
        if path == LIVE:
            return _of_report(self.monitor.live())
        if path == READY:
            return _of_report(self.monitor.ready())
        if path in (METRICS, BUSINESS_METRICS):
            self.monitor.refresh()
            return self._exposed(path, accept)
        return None

    async def answer_async(self, path: str, accept: str = "") -> Answer | None:
        """As ``answer``, without holding up the event loop."""
        if path == LIVE:
            return _of_report(await self.monitor.live_async())
        if path == READY:
            return _of_report(await self.monitor.ready_async())
        if path in (METRICS, BUSINESS_METRICS):
            self.monitor.refresh(asyncio.get_running_loop())
            # Merging the files of many workers takes a while.
            return await asyncio.to_thread(self._exposed, path, accept)
        return None

    def _exposed(self, path: str, accept: str) -> Answer:
        registry = self.metrics.registry
        keep = _is_business if path == BUSINESS_METRICS else None
        body, content_type = exposition(registry, accept, keep)
        return Answer(200, content_type, body)


def _is_business(metric: Metric) -> bool:
    return not metric.name.startswith(_RUNTIME)


def _of_report(report: Report) -> Answer:
    return Answer(report.http_status, "application/json", report.to_json())
