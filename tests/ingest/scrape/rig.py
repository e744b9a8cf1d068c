"""A target that answers as it is told, an appender that remembers, and a manager on a clock."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from pynomaly.ingest.scrape.config import load
from pynomaly.ingest.scrape.manager import ScrapeManager
from pynomaly.ingest.scrape.settings import ScrapeSettings
from pynomaly.model.clock import FakeClock
from pynomaly.model.samples import Appended, MetricMetadata, SampleBatch, is_stale

START = 1_700_000_000.0
Answer = Callable[[web.Request], Awaitable[web.Response] | web.Response]


def exposes(body: str, content_type: str = "text/plain; version=0.0.4") -> Answer:
    """An answer with this body."""
    return lambda _: web.Response(body=body.encode(), headers={"Content-Type": content_type})


def fails(status: int) -> Answer:
    """An answer with this status."""
    return lambda _: web.Response(status=status, text="no")


@dataclass
class Exposer:
    """A server of which every path gives ``answer``."""

    answer: Answer = field(default_factory=lambda: exposes("a 1\n"))
    requests: list[web.Request] = field(default_factory=list)
    address: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        given = self.answer(request)
        return given if isinstance(given, web.Response) else await given


@asynccontextmanager
async def exposer(ssl: object = None, **server: object) -> AsyncIterator[Exposer]:
    target = Exposer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", target.handle)
    running = TestServer(app, scheme="https" if ssl else "http", skip_url_asserts=True)
    await running.start_server(ssl=ssl, **server)
    target.address = f"127.0.0.1:{running.port}"
    try:
        yield target
    finally:
        await running.close()


class Recorder:
    """An appender that keeps what it got, or raises what it is told to."""

    def __init__(self) -> None:
        self.batches: list[SampleBatch] = []
        self.error: Exception | None = None

    async def append(self, batch: SampleBatch) -> Appended:
        if self.error is not None:
            raise self.error
        self.batches.append(batch)
        return Appended(len(batch))

    @property
    def metadata(self) -> list[MetricMetadata]:
        return [said for batch in self.batches for said in batch.metadata]

    def rows(self, batch: int = -1) -> dict[str, float | str]:
        """Series and values of a batch without the report; the end of a series is "stale"."""
        return {k: v for k, v in self.everything(batch).items() if not _is_report(k)}

    def report(self, batch: int = -1) -> dict[str, float | str]:
        """The report of a scrape by metric name, without its duration."""
        rows = self.everything(batch).items()
        named = {k.split("{")[0]: v for k, v in rows if _is_report(k)}
        named.pop("scrape_duration_seconds")
        return named

    def everything(self, batch: int = -1) -> dict[str, float | str]:
        chosen = self.batches[batch]
        stale = is_stale(chosen.values)
        return {
            str(chosen.labels[i]): "stale" if ended else _plain(value)
            for i, value, ended in zip(
                chosen.ids.tolist(), chosen.values.tolist(), stale.tolist(), strict=True
            )
        }

    def times(self, batch: int = -1) -> dict[str, int]:
        chosen = self.batches[batch]
        return {
            str(chosen.labels[i]): ts
            for i, ts in zip(chosen.ids.tolist(), chosen.ts.tolist(), strict=True)
        }


def _is_report(series: str) -> bool:
    return series.split("{")[0] == "up" or series.startswith("scrape_")


def _plain(value: float) -> float | str:
    return "NaN" if math.isnan(value) else value


@dataclass
class Rig:
    """A manager under test."""

    manager: ScrapeManager
    clock: FakeClock
    stored: Recorder

    async def apply(self, config: str, source: str = "prometheus.yml") -> None:
        await self.manager.apply(load(config, source)[0])

    async def tick(self, seconds: float = 10.0) -> None:
        """Let the time pass in which every target is scraped once, and wait for it."""
        before = self.clock.now()
        await self.clock.advance(seconds)
        await until(lambda: all(t.last_scrape > before for t in self.manager.targets()))

    async def passes(self, condition: Callable[[], bool], step: float) -> None:
        """Let time pass, step by step, until something has happened."""
        async with asyncio.timeout(30):
            while not condition():
                await self.clock.advance(step)
                await asyncio.sleep(0.01)


@asynccontextmanager
async def rig(config: str = "", **settings: object) -> AsyncIterator[Rig]:
    clock, stored = FakeClock(START), Recorder()
    manager = ScrapeManager(stored, clock, settings=ScrapeSettings(**settings))  # type: ignore[arg-type]
    made = Rig(manager, clock, stored)
    try:
        if config:
            await made.apply(config)
        yield made
    finally:
        await manager.close()


def job(address: str, more: str = "", name: str = "job") -> str:
    """A configuration of one job with an interval of ten seconds."""
    indented = "".join(f"    {line}\n" for line in more.splitlines())
    return (
        "global: {scrape_interval: 10s}\n"
        "scrape_configs:\n"
        f"  - job_name: {name}\n"
        f"    static_configs: [{{targets: ['{address}']}}]\n{indented}"
    )


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what happens soon on a machine that is not busy."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
