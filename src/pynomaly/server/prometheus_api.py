"""What Prometheus's API tells besides queries, gathered from the parts that know it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from pynomaly.api.prometheus import federate, remote_read, scrape_pools, status
from pynomaly.ingest.scrape.manager import ScrapeManager
from pynomaly.model.clock import Clock
from pynomaly.server import effective
from pynomaly.server.backends import Backend
from pynomaly.server.files import NamedFiles
from pynomaly.server.sections import Configuration


@dataclass(frozen=True, slots=True)
class Told:
    """The parts. ``files`` gives those that are in force, ``runtime`` how the process fares,
    ``alertmanagers`` those that alerts are sent to, and those that relabelling drops."""

    configuration: Configuration
    backend: Backend
    clock: Clock
    ready: Callable[[], bool]
    scraping: ScrapeManager
    files: Callable[[], NamedFiles]
    runtime: Callable[[], status.Runtime]
    alertmanagers: Callable[[], tuple[Sequence[str], Sequence[str]]]
    api_url: str
    external_url: str

    def all_alertmanagers(self) -> tuple[Sequence[str], Sequence[str]]:
        """Those that are told, and those that are known and not told."""
        active, dropped = self.alertmanagers()
        named = effective.alertmanagers(self.files().prometheus)
        others = [url for url in named if url not in active and url not in dropped]
        return active, [*dropped, *others]

    def external_labels(self) -> dict[str, str]:
        """What names this server to others: the rules' labels win over the prometheus.yml's."""
        theirs = self.files().prometheus.global_.external_labels
        return {**theirs, **self.configuration.rules.external_labels}


def routers(told: Told) -> list[APIRouter]:
    """The routes of ``status``, remote read, federation and scrape pools."""
    return [
        status.router(_status(told)),
        remote_read.router(_remote_read(told)),
        federate.router(_federation(told)),
        scrape_pools.router(
            scrape_pools.PoolDeps(told.ready, told.scraping.job, effective.section_yaml)
        ),
    ]


def _status(told: Told) -> status.StatusDeps:
    configuration, backend = told.configuration, told.backend
    return status.StatusDeps(
        clock=told.clock,
        executor=backend.executor,
        ready=told.ready,
        targets=told.scraping,
        configuration=lambda: effective.configuration_yaml(
            configuration, told.files().prometheus, told.external_labels()
        ),
        flags=lambda: effective.flags(configuration, told.api_url, told.external_url),
        runtime=told.runtime,
        storage=backend.storage_status,
        replay=backend.replay,
        alertmanagers=told.all_alertmanagers,
    )


def _remote_read(told: Told) -> remote_read.ReadDeps:
    return remote_read.ReadDeps(
        reader=told.backend.reader,
        executor=told.backend.executor,
        ready=told.ready,
        external_labels=told.external_labels,
        settings=told.configuration.query,
        queries=told.backend.queries,
    )


def _federation(told: Told) -> federate.FederateDeps:
    query = told.configuration.query
    elsewhere = told.configuration.prometheus.url is not None
    return federate.FederateDeps(
        reader=told.backend.reader,
        executor=told.backend.executor,
        clock=told.clock,
        ready=told.ready,
        external_labels=told.external_labels,
        lookback=query.lookback,
        max_samples=query.max_samples,
        alive=told.backend.querier if elsewhere else None,
    )
