"""A real Prometheus writes to us, and what arrives is what it has itself."""

import asyncio
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import errors
from pynomaly.api.ingest import router
from pynomaly.ingest.push import PushDeps, PushLimits
from pynomaly.model.clock import SystemClock
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import is_stale
from pynomaly.server.listener import Listener, bind
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore

Samples = dict[Labels, list[tuple[int, str]]]
"""Values as text, so that NaN is equal to NaN."""

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{own}"]}}]
remote_write:
  - url: http://127.0.0.1:{ours}/api/v1/write
    queue_config: {{batch_send_deadline: 100ms}}
    metadata_config: {{send_interval: 500ms}}
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SampleStore]:
    engine = await asyncio.to_thread(EmbeddedEngine, tmp_path / "engine")
    made = SampleStore(engine, SystemClock())
    await made.start()
    yield made
    await made.close()
    await asyncio.to_thread(engine.close)


@pytest.fixture
async def port(store: SampleStore) -> AsyncIterator[int]:
    app = FastAPI()
    errors.install(app)
    app.include_router(router(PushDeps(store, SystemClock(), PushLimits())))
    guarded = AccessMiddleware(app, Gate(AccessSettings()), None)
    listener = Listener(guarded, bind("127.0.0.1", 0, "--api-port"))
    await listener.start()
    yield listener.port
    await listener.close()


def of_prometheus(port: int, end: float) -> Samples:
    """Every sample that the Prometheus has of its own scrapes in the minute before ``end``."""
    query = urllib.parse.urlencode({"query": '{job="itself"}[1m]', "time": f"{end:.3f}"})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}") as answer:
        found = json.load(answer)["data"]["result"]
    return {
        Labels(one["metric"]): [
            (round(at * 1000), repr(float(value))) for at, value in one["values"]
        ]
        for one in found
    }


def of_store(store: SampleStore, end: float) -> Samples:
    """The same of ours."""
    last = round(end * 1000)
    found: Samples = {}
    matcher = Matcher("job", MatchOp.EQUAL, "itself")
    for chunk in store.select([matcher], last - 60_000, last):
        for i, labels in enumerate(chunk.labels):
            rows = slice(chunk.offsets[i], chunk.offsets[i + 1])
            kept = ~is_stale(chunk.values[rows])  # a query does not show the markers
            values = map(repr, chunk.values[rows][kept].tolist())
            found[labels] = list(zip(chunk.ts[rows][kept].tolist(), values, strict=True))
    return found


@pytest.mark.needs("prometheus")
async def test_every_sample_of_a_prometheus_arrives(
    store: SampleStore,
    port: int,
    tmp_path: Path,
    program: Callable[[str], str],
    free_port: Callable[[], int],
) -> None:
    own = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(own=own, ours=port))
    command = [program("prometheus"), f"--config.file={config}"]
    command += [f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address=127.0.0.1:{own}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        ups = Labels({"__name__": "up", "job": "itself", "instance": f"127.0.0.1:{own}"})

        async def until(done: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 60
            while not await asyncio.to_thread(done):
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
                await asyncio.sleep(0.1)

        await until(lambda: len(of_store(store, time.time()).get(ups, [])) >= 4)
        # It sent this sample of "up", so it has stored everything of the same scrape.
        end = (await asyncio.to_thread(of_store, store, time.time()))[ups][-1][0] / 1000
        theirs = await asyncio.to_thread(of_prometheus, own, end)
        assert len(theirs) > 200
        assert len(theirs[ups]) >= 3
        count = sum(map(len, theirs.values()))
        await until(lambda: sum(map(len, of_store(store, end).values())) >= count)
        assert await asyncio.to_thread(of_store, store, end) == theirs
        await until(lambda: bool(store.metadata("prometheus_build_info")))
        assert store.metadata("prometheus_build_info")["prometheus_build_info"][0].type == "gauge"
    finally:
        process.terminate()
        process.wait(30)
