"""One target, scraped again and again: fetch, read, append, and mark what has ended."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from pynomaly.ingest.scrape import metrics
from pynomaly.ingest.scrape.client import Client
from pynomaly.ingest.scrape.config import ScrapeConfig
from pynomaly.ingest.scrape.errors import ScrapeError
from pynomaly.ingest.scrape.series import Scraped, TargetSeries
from pynomaly.ingest.scrape.settings import ScrapeSettings
from pynomaly.ingest.scrape.targets import Target
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels, series_id
from pynomaly.model.samples import STALE, MetricMetadata, SampleBatch
from pynomaly.storage.samples.contract import Appender

log = logging.getLogger(__name__)

_INLINE = 16 * 1024
"""Bodies up to this size are read on the event loop: handing over takes longer than 2 ms then."""

_MEDIA_TYPES = {
    "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
    "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
    "PrometheusText1.0.0": "text/plain;version=1.0.0",
    "PrometheusText0.0.4": "text/plain;version=0.0.4",
}
_DEFAULT_PROTOCOLS = ("OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText0.0.4")

_REPORT = {
    "up": "Whether the last scrape of the target succeeded.",
    "scrape_duration_seconds": "How long the scrape took.",
    "scrape_samples_scraped": "The number of samples that the target exposed.",
    "scrape_samples_post_metric_relabeling": "The number of samples left by relabelling.",
    "scrape_series_added": "The number of series that the scrape before did not have.",
}


@dataclass(slots=True)
class Status:
    """How the last scrape went; ``last_scrape`` in epoch seconds, 0 before the first."""

    health: str = "unknown"
    last_error: str = ""
    last_scrape: float = 0.0
    last_scrape_duration: float = 0.0


@dataclass(eq=False)
class _Memory:
    """What has to outlive a loop when its configuration changes."""

    live: Mapping[int, Labels] = field(default_factory=dict)
    seen: Mapping[int, Labels] = field(default_factory=dict)
    last_ms: int = 0


class ScrapeLoop:
    """Scrapes one target. ``scrape`` is called by the scheduler, never twice at once."""

    def __init__(
        self,
        target: Target,
        job: ScrapeConfig,
        client: Client,
        appender: Appender,
        clock: Clock,
        settings: ScrapeSettings,
        executor: Executor,
    ) -> None:
        self.target = target
        self.job = job
        self.status = Status()
        self.forced_error = ""
        self.idle = asyncio.Lock()
        """Held during a scrape: whoever stops the loop takes it, so that none is cut off."""
        self._client = client
        self._appender = appender
        self._clock = clock
        self._settings = settings
        self._executor = executor
        self._memory = _Memory()
        self._series = TargetSeries(
            job,
            target.labels,
            strict_openmetrics=settings.openmetrics == "specification",
        )
        self._report = [target.labels.with_(**{METRIC_NAME: name}) for name in _REPORT]
        self._report_labels = {series_id(labels): labels for labels in self._report}
        self._reported = False
        self._headers = request_headers(job, target.timeout)

    @property
    def metadata(self) -> Sequence[MetricMetadata]:
        """What the target said of its metric families when it was last scraped, by name."""
        return self._series.metadata

    def take_over(self, other: "ScrapeLoop") -> None:
        """Go on where a stopped loop of the same labels left: its series are ours to end."""
        self._memory = other._memory
        self.status = other.status
        self._reported = other._reported

    async def scrape(self, due: float) -> None:
        """Scrape once; ``due`` is the time it was due at, which the samples carry if possible."""
        async with self.idle:
            await self._scrape(due)

    async def _scrape(self, due: float) -> None:
        now = self._clock.now()
        tolerance = min(self._settings.timestamp_tolerance, self.target.interval / 100)
        at_ms = round((due if 0 <= now - due <= tolerance else now) * 1000)
        began = time.perf_counter()
        scraped, error = _nothing(), ""
        outcome = "ok"
        try:
            scraped = await self._fetch(at_ms)
        except ScrapeError as failure:
            scraped, error, outcome = _nothing(failure.scraped), str(failure), failure.outcome
        duration = time.perf_counter() - began
        metrics.DURATION.observe(duration)
        not_stored = await self._store(scraped, at_ms, duration, failed=bool(error))
        metrics.SCRAPES.labels("not_stored" if not_stored and not error else outcome).inc()
        self.status = Status(
            health="down" if error else "up",
            last_error=" ".join(filter(None, (error, not_stored))),
            last_scrape=now,
            last_scrape_duration=duration,
        )

    async def end(self) -> None:
        """Mark all series of the target as ended: it is a target no more."""
        if not self._reported:
            return
        at_ms = max(round(self._clock.now() * 1000), self._memory.last_ms + 1)
        ended = {**self._memory.live, **self._report_labels}
        if not_stored := await self._append(_stale_batch(ended, at_ms)):
            extra = {"target": self.target.scrape_url, "error": not_stored}
            log.warning("the end of a target's series is not marked", extra=extra)

    async def _fetch(self, at_ms: int) -> Scraped:
        if self.forced_error:
            raise ScrapeError(self.forced_error, outcome="target_limit")
        answer = await self._client.get(
            self.target.scrape_url,
            self._headers,
            timeout=self.target.timeout,
            limit=self.job.body_size_limit or self._settings.max_body_bytes,
        )
        arguments = (answer.body, answer.content_type, at_ms)
        if len(answer.body) <= _INLINE:
            return self._read(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._read, *arguments)

    def _read(self, body: bytes, content_type: str, at_ms: int) -> Scraped:
        began = time.perf_counter()
        scraped = self._series.read(body, content_type, at_ms)
        way = "full" if scraped.in_full else "steady"
        metrics.PARSING.labels(way).observe(time.perf_counter() - began)
        return scraped

    async def _store(self, scraped: Scraped, at_ms: int, duration: float, *, failed: bool) -> str:
        """Append the samples, the ends of what is gone, and the report; say why not."""
        memory = self._memory
        gone: Mapping[int, Labels] = {}
        if scraped.tracked is not memory.live:
            gone = {i: labels for i, labels in memory.live.items() if i not in scraped.labels}
        added = 0
        if scraped.labels is not memory.seen:
            added = sum(i not in memory.seen for i in scraped.labels)
        report = (float(not failed), duration, scraped.scraped, scraped.kept, added)
        batch = self._batch(scraped, gone, at_ms, report)
        if not_stored := await self._append(batch):
            return not_stored
        memory.live, memory.last_ms = scraped.tracked, at_ms
        if not failed:
            memory.seen = scraped.labels
        self._reported = True
        metrics.LEFT_OUT.labels("duplicate").inc(scraped.duplicates)
        return ""

    def _batch(
        self,
        scraped: Scraped,
        gone: Mapping[int, Labels],
        at_ms: int,
        report: Sequence[float],
    ) -> SampleBatch:
        reported = np.fromiter(self._report_labels, dtype=np.uint64, count=len(_REPORT))
        ends = np.fromiter(gone, dtype=np.uint64, count=len(gone))
        now = np.full(len(ends) + len(reported), at_ms, dtype=np.int64)
        stale = np.full(len(ends), STALE, dtype=np.float64)
        return SampleBatch(
            ids=np.concatenate([scraped.ids, ends, reported]),
            ts=np.concatenate([scraped.ts, now]),
            values=np.concatenate([scraped.values, stale, np.array(report, dtype=np.float64)]),
            labels={**scraped.labels, **gone, **self._report_labels},
            metadata=[*scraped.metadata, *self._report_metadata()],
            exemplars=scraped.exemplars,
        )

    def _report_metadata(self) -> list[MetricMetadata]:
        """Said once, with the first report."""
        if self._reported:
            return []
        return [MetricMetadata(name, "gauge", said) for name, said in _REPORT.items()]

    async def _append(self, batch: SampleBatch) -> str:
        """Append; an empty answer means stored, another says why not."""
        try:
            appended = await self._appender.append(batch)
        except PynomalyError as error:
            return f"the samples were not stored: {error}"
        for count in appended.refused.values():
            metrics.LEFT_OUT.labels("refused").inc(count)
        return ""


def _nothing(scraped: int = 0) -> Scraped:
    """What a failed scrape leaves."""
    return Scraped(
        ids=np.empty(0, dtype=np.uint64),
        ts=np.empty(0, dtype=np.int64),
        values=np.empty(0, dtype=np.float64),
        labels={},
        tracked={},
        scraped=scraped,
        kept=0,
    )


def _stale_batch(ended: Mapping[int, Labels], at_ms: int) -> SampleBatch:
    return SampleBatch(
        ids=np.fromiter(ended, dtype=np.uint64, count=len(ended)),
        ts=np.full(len(ended), at_ms, dtype=np.int64),
        values=np.full(len(ended), STALE, dtype=np.float64),
        labels=ended,
    )


def request_headers(job: ScrapeConfig, timeout: float) -> dict[str, str]:
    """What Prometheus sends, with OpenMetrics preferred unless ``scrape_protocols`` differ."""
    protocols = [p for p in job.scrape_protocols or _DEFAULT_PROTOCOLS if p in _MEDIA_TYPES]
    weight = len(protocols) + 1
    accept = [f"{_MEDIA_TYPES[p]};q=0.{weight - i}" for i, p in enumerate(protocols)]
    return {
        "Accept": ",".join([*accept, f"*/*;q=0.{weight - len(protocols)}"]),
        "Accept-Encoding": "gzip" if job.enable_compression else "identity",
        "X-Prometheus-Scrape-Timeout-Seconds": f"{timeout:g}",
    }
