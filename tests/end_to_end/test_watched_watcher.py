"""The product watches itself: each part of it that stops is told by an alert of its own.

The whole product with its shipped rules, unchanged, on real sockets and a real store; only the
time is passed in, so that half an hour of trouble takes seconds.
"""

import asyncio
import json
import shutil
from collections import namedtuple
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cramjam
import httpx
import pytest
from aiohttp import web

from pynomaly.ingest.remote_write import v1_pb2
from pynomaly.model.clock import FakeClock
from pynomaly.promql.contract import Querier, QueryResult
from pynomaly.server.backends import Backend
from pynomaly.server.sections import Configuration
from pynomaly.server.service import Say, Service
from pynomaly.storage.engine.contract import DiskFull
from pynomaly.storage.samples.log import HeadLog
from tests.product import unused_port

STEP = 5.0
"""Seconds; the shortest interval of anything that the product does."""

RULES = """
groups:
  - name: slow
    interval: 5s
    rules: [{record: slow, expr: vector(12345)}]
  - name: broken
    interval: 15s
    rules: [{record: broken, expr: node_cpu_seconds_total * on (job) node_cpu_seconds_total}]
"""
SCRAPING = """
global: {{scrape_interval: 15s, scrape_timeout: 5s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{gone}"]}}]
  - job_name: found
    http_sd_configs: [{{url: "http://127.0.0.1:{gone}/targets", refresh_interval: 30s}}]
"""

Usage = namedtuple("Usage", "total used free")


class Waiting(FakeClock):
    """Knows how many wait for it: when all jobs do, everything that was due is done."""

    waiting = 0

    async def sleep_until(self, at: float) -> None:
        self.waiting += 1
        try:
            await super().sleep_until(at)
        finally:
            self.waiting -= 1


@dataclass
class Slow:
    """Takes half a minute for one expression."""

    querier: Querier
    clock: FakeClock

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        if "12345" in expr:
            await self.clock.sleep_until(self.clock.now() + 30)
        return await self.querier.instant(expr, at_ms, timeout=timeout)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        return await self.querier.range(expr, start_ms, end_ms, step_ms, timeout=timeout)


class Watched(Service):
    """The product, with one slow expression."""

    clock: FakeClock

    async def _open_backend(self, say: Say) -> Backend:
        backend = await super()._open_backend(say)
        return replace(backend, judging=Slow(backend.judging, self.clock))


@dataclass
class World:
    """The product, who is told by it, and who sends to it."""

    service: Watched
    clock: Waiting
    http: httpx.AsyncClient
    told: list[str] = field(default_factory=list)
    runbooks: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    """What the webhook answers next; then 200, or 500 once it is ``down``."""
    down: bool = False

    async def step(self) -> None:
        """Let five seconds pass, and everything that is due in them happen."""
        await self.clock.advance(STEP)
        async with asyncio.timeout(60):
            while self.clock.waiting < len(self.service._scheduler.jobs):
                await asyncio.sleep(0.002)

    async def firing(self) -> set[str]:
        answer = (await self.http.get("/api/v1/alerts")).json()["data"]["alerts"]
        return {a["labels"]["alertname"] for a in answer if a["state"] == "firing"}

    async def until(self, expected: set[str], minutes: float) -> set[str]:
        """Every alert that was seen to fire, until all that are expected were."""
        seen: set[str] = set()
        for _ in range(round(minutes * 60 / STEP)):
            await self.step()
            seen |= await self.firing()
            if seen >= expected:
                break
        return seen

    async def hook(self, request: web.Request) -> web.Response:
        payload = await request.json()
        status = self.answers.pop(0) if self.answers else 500 if self.down else 200
        if status == 200:
            self.told += [a["labels"]["alertname"] for a in payload["alerts"]]
            self.runbooks |= {a["annotations"]["runbook_url"] for a in payload["alerts"]}
        return web.Response(status=status)


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, Callable[[World], None]]]:
    """A webhook on a real socket, answered by the world that is set."""
    worlds: list[World] = []

    async def answer(request: web.Request) -> web.Response:
        return await worlds[0].hook(request) if worlds else web.Response(status=503)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/", worlds.append
    finally:
        await runner.cleanup()


@asynccontextmanager
async def product(folder: Path, settings: dict[str, Any]) -> AsyncIterator[World]:
    async with receiver() as (url, answered_by):
        configuration = Configuration.model_validate(
            {
                "server": {"api_port": 0, "web_port": 0, "data_dir": folder / "data"},
                "components": {"anomaly_detection": {"enabled": False}},
                "host_metrics": {"interval": "5s"},
                "alerting": {"webhook": {"url": url}},
            }
            | settings
        )
        clock = Waiting(1_790_000_000.0)
        service = Watched(configuration, lambda: configuration, clock)
        service.clock = clock
        try:
            await service.start(lambda _: None)
            async with httpx.AsyncClient(base_url=service.api_url, timeout=60) as http:
                world = World(service, clock, http)
                answered_by(world)
                yield world
        finally:
            await service.stop()


async def write(world: World, *offsets: float) -> int:
    """Send samples by remote write, with a clock that is off by so many seconds."""
    request = v1_pb2.WriteRequest()
    for number, offset in enumerate(offsets):
        series = request.timeseries.add()
        series.labels.add(name=b"__name__", value=f"pushed_{number}".encode())
        series.samples.add(timestamp=round((world.clock.now() + offset) * 1000), value=1.0)
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    answer = await world.http.post("/api/v1/write", content=body, headers=headers)
    return answer.status_code


async def test_while_all_is_well_nothing_fires_but_the_watchdog(tmp_path: Path) -> None:
    async with product(tmp_path, {}) as world:
        for _ in range(6 * 12):
            await world.step()
            assert await write(world, 0.0) == 204
        # How full or busy this host is, is its own matter; the rest is known. Its clock is not the
        # one that is passed in, which is just what a wrong clock looks like.
        host = {"HighDiskUsage", "DiskNearlyFull", "DiskFillingUp", "HostHighMemoryUsage"}
        host |= {"HostHighCPUUsage", "HostOutOfMemory", "HostFileDescriptorsLow"}
        assert await world.firing() - host == {"Watchdog", "HostClockSkew"}
        assert world.told.count("Watchdog") == 1
        # Who is told can follow the link as it stands.
        runbook = f"{world.service.web_url}/runbooks/Watchdog"
        assert runbook in world.runbooks
        assert "This alert always fires" in (await world.http.get(runbook)).text


async def test_what_stops_is_told_by_an_alert_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    scraping = tmp_path / "prometheus.yml"
    scraping.write_text(SCRAPING.format(gone=unused_port()))
    settings = {
        "components": {
            "anomaly_detection": {"enabled": False},
            "metrics": {"config_file": scraping},
        },
        "rules": {"defaults": ["pynomaly", "targets"], "rule_files": [tmp_path / "rules.yml"]},
        "ingest": {"max_bytes_in_flight": 10_000},
        "storage": {"samples": {"retention_bytes": 20_000}},
    }
    expected = {
        "Watchdog",
        "TargetDown",
        "ServiceDiscoveryFailing",
        "NotificationsFailing",
        "NotificationsLost",
        "RulesFailing",
        "RulesMissed",
        "ClockSkew",
        "IngestionLagging",
        "IngestionRefused",
        "SamplesRefused",
        "StoreNearLimit",
        "StoreDiskNearlyFull",
        "ConfigurationReloadFailed",
    }
    async with product(tmp_path, settings) as world:
        world.answers, world.down = [400], True
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 970, 30))
        scraping.write_text("scrape_config: []")
        assert (await world.http.post("/-/reload")).status_code == 400

        async def trouble() -> None:
            assert await write(world, -90.0) == 204
            assert await write(world, -90.0) == 204
            assert await write(world, 60.0, 3600.0) == 400
            much = json.dumps([{"metric_name": "m", "value": 1}] * 500)
            assert (await world.http.post("/api/metrics", content=much)).status_code == 429

        seen: set[str] = set()
        for _ in range(35):
            await trouble()
            seen |= await world.until(expected, 1.0)
            if seen >= expected:
                break
        assert seen == expected


async def test_when_nothing_is_stored_any_more_that_is_told_and_its_end_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with product(tmp_path, {"rules": {"defaults": ["pynomaly"]}}) as world:
        for _ in range(6):
            await world.step()
        engine = world.service._backend.appender.engine  # type: ignore[attr-defined]

        def full(*_: object, **__: object) -> None:
            raise DiskFull("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(engine, "insert", full)
            patched.setattr(HeadLog, "append", full)
            assert await write(world, 0.0) == 503
            assert "IngestionStopped" in await world.until({"IngestionStopped"}, 5)
        for _ in range(12):
            await world.step()
        assert "IngestionStopped" not in await world.firing()
        assert world.told.count("IngestionStopped") == 2  # that it fires, and that it is resolved
