"""Scraping as a whole: takes a configuration, keeps its pools running, knows all targets."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import aiohttp

from pynomaly.ingest.scrape import metrics
from pynomaly.ingest.scrape.client import Client, new_session
from pynomaly.ingest.scrape.config import PrometheusConfig, ScrapeConfig
from pynomaly.ingest.scrape.discovery import (
    FileProvider,
    HttpProvider,
    Provider,
    StaticProvider,
)
from pynomaly.ingest.scrape.loop import ScrapeLoop
from pynomaly.ingest.scrape.pool import ScrapePool
from pynomaly.ingest.scrape.settings import ScrapeSettings
from pynomaly.ingest.scrape.targets import Dropped, Target
from pynomaly.model.clock import Clock
from pynomaly.model.duration import format_duration
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata
from pynomaly.storage.samples.contract import Appender
from pynomaly.storage.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """A target and its last scrape, as ``/api/v1/targets`` shows them."""

    scrape_pool: str
    discovered_labels: Labels
    labels: Labels
    scrape_url: str
    health: str
    last_error: str
    last_scrape: float
    last_scrape_duration: float
    scrape_interval: str
    scrape_timeout: str


class ScrapeManager:
    """Runs the jobs of a ``prometheus.yml``.

    Create it in a running event loop; ``apply`` a configuration, as often as it changes.
    """

    def __init__(
        self,
        appender: Appender,
        clock: Clock,
        scheduler: Scheduler | None = None,
        settings: ScrapeSettings | None = None,
    ) -> None:
        self._appender = appender
        self._clock = clock
        self._own_scheduler = scheduler is None
        self._scheduler = scheduler or Scheduler(clock)
        self._settings = settings or ScrapeSettings()
        self._session: aiohttp.ClientSession | None = None
        # Two threads: parsing holds the GIL, more would only take turns.
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="scrape")
        self._pools: dict[str, ScrapePool] = {}
        self._applying = asyncio.Lock()
        for state in ("up", "down", "unknown", "dropped"):
            metrics.TARGETS.labels(state).set_function(partial(self._count, state))

    async def apply(self, config: PrometheusConfig) -> None:
        """Scrape as ``config`` says from now on.

        Jobs that did not change go on untouched. In those that did, targets that stay keep
        their series and their place in time. Series of targets that are gone are ended.
        """
        async with self._applying:
            if self._session is None:
                self._session = new_session()
            wanted = {job.job_name: job for job in config.scrape_configs}
            gone = [name for name in self._pools if name not in wanted]
            await asyncio.gather(*(self._pools.pop(name).end() for name in gone))
            changed = [job for name, job in wanted.items() if not self._runs(name, job)]
            await asyncio.gather(*(self._start(job, self._session) for job in changed))

    def targets(self) -> Sequence[TargetStatus]:
        """The active targets of all pools."""
        return [_status(loop) for pool in self._pools.values() for loop in pool.loops.values()]

    def target_metadata(self) -> Sequence[tuple[Labels, Sequence[MetricMetadata]]]:
        """The labels of each active target, and what it says of its metric families."""
        loops = (loop for name in sorted(self._pools) for loop in self._pools[name].loops.values())
        return [(loop.target.labels, loop.metadata) for loop in loops]

    def job(self, name: str) -> ScrapeConfig | None:
        """The configuration of a pool, None if there is none of that name."""
        pool = self._pools.get(name)
        return pool.job if pool is not None else None

    def dropped_targets(self) -> Sequence[Dropped]:
        """Targets that relabelling dropped; of each pool at most ``keep_dropped_targets``."""
        return [dropped for pool in self._pools.values() for dropped in pool.dropped]

    def dropped_target_counts(self) -> Mapping[str, int]:
        """How many were dropped, by pool."""
        return {name: pool.dropped_count for name, pool in self._pools.items()}

    async def close(self) -> None:
        """Stop scraping. No series is marked as ended: they go on after a restart."""
        async with self._applying:
            await asyncio.gather(*(pool.stop(at_once=True) for pool in self._pools.values()))
            self._pools.clear()
            if self._own_scheduler:
                await self._scheduler.close()
            if self._session is not None:
                await self._session.close()
                self._session = None
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _runs(self, name: str, job: ScrapeConfig) -> bool:
        return name in self._pools and self._pools[name].job == job

    async def _start(self, job: ScrapeConfig, session: aiohttp.ClientSession) -> None:
        client = Client(session, job)

        def new_loop(target: Target) -> ScrapeLoop:
            return ScrapeLoop(
                target,
                job,
                client,
                self._appender,
                self._clock,
                self._settings,
                self._executor,
            )

        pool = ScrapePool(job, self._providers(job, session), self._scheduler, new_loop)
        before = self._pools.get(job.job_name)
        await pool.start(before)
        self._pools[job.job_name] = pool

    def _providers(self, job: ScrapeConfig, session: aiohttp.ClientSession) -> list[Provider]:
        providers: list[Provider] = [StaticProvider(job.job_name, job.static_configs)]
        poll = self._settings.file_poll_interval
        providers += [FileProvider(config, poll) for config in job.file_sd_configs]
        providers += [HttpProvider(c, Client(session, c)) for c in job.http_sd_configs]
        return providers

    def _count(self, state: str) -> int:
        if state == "dropped":
            return sum(pool.dropped_count for pool in self._pools.values())
        loops = (loop for pool in self._pools.values() for loop in pool.loops.values())
        return sum(loop.status.health == state for loop in loops)


def _status(loop: ScrapeLoop) -> TargetStatus:
    target, status = loop.target, loop.status
    return TargetStatus(
        scrape_pool=target.scrape_pool,
        discovered_labels=target.discovered_labels,
        labels=target.labels,
        scrape_url=target.scrape_url,
        health=status.health,
        last_error=status.last_error,
        last_scrape=status.last_scrape,
        last_scrape_duration=status.last_scrape_duration,
        scrape_interval=format_duration(target.interval),
        scrape_timeout=format_duration(target.timeout),
    )
