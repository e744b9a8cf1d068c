"""A sample store whose exemplars are under test, on a clock that stands still."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from exemplars_help import NOW_MS, Reopen

from pynomaly.model.clock import FakeClock
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.exemplars.config import ExemplarSettings
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.store import SampleStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS / 1000)


@pytest.fixture(params=["log", "no log"])
def data_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Where the store keeps its log: it works with one and without."""
    return tmp_path / "data" if request.param == "log" else None


@pytest.fixture
async def reopen(tmp_path: Path, clock: FakeClock, data_dir: Path | None) -> AsyncIterator[Reopen]:
    """Open the store of this test; called again, close it and open it anew."""
    opened: list[tuple[EmbeddedEngine, SampleStore]] = []

    async def close() -> None:
        for engine, store in opened:
            await store.close()
            engine.close()
        opened.clear()

    async def open_(most: int = 1000) -> SampleStore:
        await close()
        engine = EmbeddedEngine(tmp_path / "data", EngineSettings(query_connections=2))
        settings = SampleSettings(retention_days=30, flush_interval=600)
        exemplars = ExemplarSettings(max_exemplars=most)
        store = SampleStore(engine, clock, settings, data_dir, exemplars=exemplars)
        opened.append((engine, store))
        await store.start()
        return store

    yield open_
    await close()


@pytest.fixture
async def store(reopen: Reopen) -> SampleStore:
    return await reopen()
