"""The same samples behind each implementation of ``Querier``, written by its ``Appender``."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynomaly.model.clock import FakeClock, SystemClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE
from pynomaly.promql.contract import Querier
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.promql.remote_reader import RemoteReader
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.contract import Appender, SampleReader
from pynomaly.storage.samples.remote import RemoteAppender
from pynomaly.storage.samples.store import SampleStore
from tests.conftest import find_server
from tests.peers import WRITABLE, Peer

START = 1_700_000_000  # seconds; samples are 3 s off every grid that is asked for
MINUTES = 30
END = START + MINUTES * 60


@dataclass
class Store:
    """One implementation of everything, and the loop that it lives on."""

    kind: str
    runner: asyncio.Runner
    querier: Querier
    judging: Querier
    appender: Appender
    reader: SampleReader
    flush: Callable[[], None]

    def run(self, work: Any) -> Any:
        """Await on the loop of this store."""
        return self.runner.run(work)

    def instant(self, expr: str, at: float = END, **options: Any) -> Any:
        """The result of an instant query; seconds."""
        return self.run(self.querier.instant(expr, round(at * 1000), **options))

    def range(self, expr: str, start: float, end: float, step: float, **options: Any) -> Any:
        """The result of a range query; seconds."""
        times = [round(t * 1000) for t in (start, end, step)]
        return self.run(self.querier.range(expr, *times, **options))

    def read(self, work: Callable[[], Any]) -> Any:
        """Call a method of the reader in a worker thread, as is its contract."""
        return self.run(asyncio.to_thread(work))


def rows() -> list[tuple[Labels, int, float]]:
    """Counters, gauges, a histogram, special values, and one series that ends."""
    found = []
    for n in range(MINUTES * 4):
        at = (START + 15 * n) * 1000 + 3000
        for i in range(3):
            labels = Labels({"__name__": "requests_total", "instance": f"i{i}", "job": "api"})
            found.append((labels, at, float(n * (i + 1))))
        for i in range(2):
            labels = Labels({"__name__": "level", "instance": f"i{i}", "job": "api"})
            found.append((labels, at, (n % 7 - 3) * (0.1 + i)))
        for bound, count in (("0.1", n), ("1", 3 * n), ("+Inf", 4 * n)):
            found.append((Labels({"__name__": "took_seconds_bucket", "le": bound}), at, count))
        if n <= 40:
            ended = Labels({"__name__": "ended", "job": "api"})
            found.append((ended, at, float(STALE) if n == 40 else 5.0))
        found.append((Labels({"__name__": "odd", "is": "inf"}), at, float("inf")))
        found.append((Labels({"__name__": "odd", "is": "minus"}), at, float("-inf")))
        found.append((Labels({"__name__": "odd", "is": 'a "quoted" \\ ü\n'}), at, 1e-300))
    return found


def local(folder: Path, undo: AsyncExitStack, runner: asyncio.Runner) -> Store:
    engine = undo.enter_context(closing(EmbeddedEngine(folder, EngineSettings())))
    executor = undo.enter_context(ThreadPoolExecutor(2))
    store = SampleStore(engine, FakeClock(END))
    runner.run(store.start())
    undo.push_async_callback(store.close)
    querier = LocalQuerier(store, executor)
    return Store("local", runner, querier, querier, store, store, lambda: None)


def remote(kind: str, folder: Path, undo: AsyncExitStack, runner: asyncio.Runner) -> Store:
    program = find_server(kind)
    assert program
    peer = Peer(kind, program, folder, *([WRITABLE] if kind == "prometheus" else []))
    undo.callback(peer.kill)
    peer.start()

    async def build() -> Store:
        client = PeerClient(PeerSettings(url=peer.url), SystemClock())
        undo.push_async_callback(client.close)
        watch = PeerWatch(client)
        await watch.check()
        api = PeerApi(client)
        querier, judging = RemoteQuerier(api, watch), RemoteQuerier(api, watch, judging=True)
        reader = RemoteReader(api, watch, querier, 30)
        appender = RemoteAppender(client, watch)
        return Store(kind, runner, querier, judging, appender, reader, peer.flush)

    return runner.run(build())
