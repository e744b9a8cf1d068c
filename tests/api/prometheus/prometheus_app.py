"""The Prometheus API over samples in memory."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import errors
from pynomaly.api.prometheus import BuildInfo, PrometheusDeps, federate, probes, remote_read, router
from pynomaly.model.clock import Clock, FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata, SampleBatch
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Querier
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.query_log import QueryLog
from pynomaly.storage.samples.memory import MemorySamples

NOW = 1_700_000_000
METADATA = (
    MetricMetadata("requests", "counter", "What was asked.", ""),
    MetricMetadata("requests", "counter", "What was asked of us.", ""),
    MetricMetadata("temperature_celsius", "gauge", "How warm it is.", "celsius"),
)


BEFORE_RELABELLING = Labels({"__address__": "a:9100", "job": "api"})
AFTER_RELABELLING = Labels({"instance": "a:9100", "job": "api"})


@dataclass
class FakeTarget:
    scrape_pool: str = "api"
    discovered_labels: Labels = BEFORE_RELABELLING
    labels: Labels = AFTER_RELABELLING
    scrape_url: str = "http://a:9100/metrics"
    health: str = "up"
    last_error: str = ""
    last_scrape: float = NOW - 1.5
    last_scrape_duration: float = 0.025
    scrape_interval: str = "15s"
    scrape_timeout: str = "10s"


@dataclass
class FakeTargets:
    active: Sequence[FakeTarget] = ()
    dropped: Sequence[FakeTarget] = ()

    def targets(self) -> Sequence[FakeTarget]:
        return self.active

    def dropped_targets(self) -> Sequence[FakeTarget]:
        return self.dropped

    def dropped_target_counts(self) -> Mapping[str, int]:
        return {target.scrape_pool: 1 for target in self.dropped}


def a_counter_and_a_gauge() -> list[tuple[Labels, int, float]]:
    """Ten minutes until ``NOW``, every 15 s."""
    rows = []
    for step in range(40):
        at = (NOW - 600 + step * 15) * 1000 + 123
        for code in ("200", "500"):
            labels = Labels({"__name__": "requests_total", "code": code, "job": "api"})
            rows.append((labels, at, float(step * int(code))))
        rows.append((Labels({"__name__": "temperature_celsius", "room": "hall"}), at, 20.5))
    return rows


@dataclass
class Stage:
    """What the API stands on in a test."""

    samples: MemorySamples = field(default_factory=MemorySamples)
    targets: FakeTargets = field(default_factory=FakeTargets)
    querier: Querier | None = None
    ready: bool = True
    external_labels: dict[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=lambda: FakeClock(NOW))
    max_samples: int = 50_000_000
    alive: Querier | None = None
    queries: QueryLog | None = None


def application(stage: Stage, executor: ThreadPoolExecutor) -> FastAPI:
    app = FastAPI()
    errors.install(app)
    deps = PrometheusDeps(
        querier=stage.querier or LocalQuerier(stage.samples, executor),
        reader=stage.samples,
        clock=stage.clock,
        targets=stage.targets,
        build=BuildInfo("3.0.0", "pynomaly-0.1.0"),
        executor=executor,
        ready=lambda: stage.ready,
    )
    app.include_router(router(deps))
    app.include_router(probes(lambda: stage.ready))
    app.include_router(remote_read.router(_remote_read(stage, executor)))
    app.include_router(federate.router(_federation(stage, executor)))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    return app


def _remote_read(stage: Stage, executor: ThreadPoolExecutor) -> remote_read.ReadDeps:
    return remote_read.ReadDeps(
        reader=stage.samples,
        executor=executor,
        ready=lambda: stage.ready,
        external_labels=lambda: stage.external_labels,
        settings=QuerySettings(max_samples=stage.max_samples),
        queries=stage.queries,
    )


def _federation(stage: Stage, executor: ThreadPoolExecutor) -> federate.FederateDeps:
    return federate.FederateDeps(
        reader=stage.samples,
        executor=executor,
        clock=stage.clock,
        ready=lambda: stage.ready,
        external_labels=lambda: stage.external_labels,
        max_samples=stage.max_samples,
        alive=stage.alive,
    )


class Client:
    """Asks an application without a socket, from synchronous tests."""

    def __init__(self, app: FastAPI) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1), raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def get(self, path: str, params: object = None, **options: object) -> httpx.Response:
        return self.request("GET", path, params=params, **options)

    def request(self, method: str, path: str, **options: object) -> httpx.Response:
        return self._runner.run(self._http.request(method, path, **options))  # type: ignore[arg-type]

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()


@contextmanager
def listening(stage: Stage, port: int) -> Iterator[str]:
    """The application on a socket, for clients in other processes; gives its URL."""
    with ThreadPoolExecutor(2) as executor:
        app = application(stage, executor)
        config = uvicorn.Config(app, port=port, log_level="error", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(30)


@contextmanager
def serving(stage: Stage) -> Iterator[Client]:
    with ThreadPoolExecutor(2) as executor:
        client = Client(application(stage, executor))
        try:
            yield client
        finally:
            client.close()


def filled() -> Stage:
    stage = Stage()
    batch = SampleBatch.of(a_counter_and_a_gauge(), METADATA)
    asyncio.run(stage.samples.append(batch))
    return stage
