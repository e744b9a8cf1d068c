"""The head: read over the engine, handed over in large parts, restored from its log."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from samples_help import NOW_MS, put, read, series, where

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import series_id
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.contract import DiskFull, EngineError
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.log import FILE_NAME
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore

UP, DOWN, NEW = series("up", job="a"), series("down", job="b"), series("new")
SETTINGS = SampleSettings(flush_interval=600, flush_samples=1000, retention_days=30)


class Moody(EmbeddedEngine):
    """Does not take samples when told so, or takes them and is killed before it can say so."""

    refuses: EngineError | None = None
    forgets_to_say = False

    def insert(self, table: str, rows: pa.Table, *, token: str = "") -> None:
        if self.refuses is not None and table == "samples":
            raise self.refuses
        super().insert(table, rows, token=token)
        if self.forgets_to_say and table == "samples":
            raise EngineError("killed")


@pytest.fixture
def engine(tmp_path: Path) -> Moody:
    return Moody(tmp_path, EngineSettings(query_connections=2))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS / 1000)


@pytest.fixture
async def store(engine: Moody, clock: FakeClock, tmp_path: Path) -> AsyncIterator[SampleStore]:
    store = SampleStore(engine, clock, SETTINGS, tmp_path)
    await store.start()
    yield store
    await store.close()
    engine.close()


def rows_in_engine(engine: EmbeddedEngine, table: str = "samples") -> int:
    return int(engine.query(f"SELECT count() AS n FROM {table}")["n"][0].as_py())


async def again(store: SampleStore, engine: EmbeddedEngine, clock: FakeClock) -> SampleStore:
    """As after a kill: another store on the engine, which knows what is in files only."""
    assert store.data_dir is not None
    # The log as the kill leaves it, whatever the store that goes on would do with it.
    killed = store.data_dir / "killed"
    killed.mkdir()
    shutil.copy(store.data_dir / FILE_NAME, killed / FILE_NAME)
    other = SampleStore(engine, clock, SETTINGS, killed)
    await other.start()
    return other


async def test_small_commits_go_to_the_engine_together(store: SampleStore, engine: Moody) -> None:
    for i in range(9):
        await put(store, *((UP, NOW_MS - 1000 * i - t, 1.0) for t in range(100)))
    assert (rows_in_engine(engine), rows_in_engine(engine, "series")) == (0, 0)
    assert len(read(store)[UP]) == 900
    assert store.stats().samples == 900
    await put(store, *((DOWN, NOW_MS - t, 1.0) for t in range(100)))
    async with asyncio.timeout(60):
        while rows_in_engine(engine) < 1000:
            await asyncio.sleep(0.01)
    assert store.stats().parts == 1
    assert {labels: len(rows) for labels, rows in read(store).items()} == {UP: 900, DOWN: 100}


async def test_a_large_commit_goes_to_the_engine_after_what_came_before(
    store: SampleStore, engine: Moody
) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    await put(store, *((UP, NOW_MS - t, 2.0) for t in range(500)))
    assert rows_in_engine(engine) == 501
    assert read(store)[UP][-1] == (NOW_MS, 2.0)
    assert store.data_dir is not None
    assert (store.data_dir / FILE_NAME).stat().st_size == 0


async def test_the_heads_samples_lie_over_the_engines(store: SampleStore) -> None:
    await put(store, *((UP, NOW_MS - t * 1000, 1.0) for t in range(0, 20, 2)), (DOWN, NOW_MS, 1.0))
    await store.flush()
    # Late, between, at the same time, later, and of a series that the engine does not have.
    await put(store, (UP, NOW_MS - 5000, 2.0), (UP, NOW_MS - 4000, 3.0), (UP, NOW_MS + 1, 4.0))
    await put(store, (UP, NOW_MS - 4000, 5.0), (NEW, NOW_MS, 6.0))
    expected = {NOW_MS - t * 1000: 1.0 for t in range(0, 20, 2)}
    expected |= {NOW_MS - 5000: 2.0, NOW_MS - 4000: 5.0, NOW_MS + 1: 4.0}
    assert read(store) == {
        UP: sorted(expected.items()),
        DOWN: [(NOW_MS, 1.0)],
        NEW: [(NOW_MS, 6.0)],
    }
    assert read(store, where("job = a"), NOW_MS - 5000, NOW_MS - 4000) == {
        UP: [(NOW_MS - 5000, 2.0), (NOW_MS - 4000, 5.0)]
    }
    assert read(store, start=NOW_MS + 2, end=NOW_MS + 9) == {}


async def test_later_samples_are_appended_series_by_series(store: SampleStore) -> None:
    many = [series("m", i=str(i)) for i in range(30)]
    await put(store, *((each, NOW_MS - t, 1.0) for each in many[:20] for t in range(1, 9)))
    await store.flush()
    await put(store, *((each, NOW_MS + t, 2.0) for each in many[10:] for t in range(3)))
    found = read(store, where("__name__ = m"))
    old = [(NOW_MS - t, 1.0) for t in range(8, 0, -1)]
    new = [(NOW_MS + t, 2.0) for t in range(3)]
    assert found == {
        each: (old if i < 20 else []) + (new if i >= 10 else []) for i, each in enumerate(many)
    }


async def test_what_a_source_does_with_its_arrays_later_is_its_own_affair(
    store: SampleStore,
) -> None:
    batch = SampleBatch.of([(UP, NOW_MS, 1.0)])
    await store.append(batch)
    batch.values[:] = 9.0
    batch.ts[:] = 0
    assert read(store) == {UP: [(NOW_MS, 1.0)]}


async def test_after_a_kill_the_log_is_taken_over(
    store: SampleStore, engine: Moody, clock: FakeClock
) -> None:
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS - DAY_MS, 2.0))
    await put(store, (UP, NOW_MS, 3.0), (NEW, NOW_MS, 4.0))
    other = await again(store, engine, clock)
    expected = {UP: [(NOW_MS, 3.0)], DOWN: [(NOW_MS - DAY_MS, 2.0)], NEW: [(NOW_MS, 4.0)]}
    assert read(other) == expected
    assert other.stats().newest_ms == NOW_MS
    assert other.series([], NOW_MS, NOW_MS) == sorted([UP, NEW])
    assert (await other.verify()).sound
    assert rows_in_engine(engine) == 3
    await other.close()


async def test_a_kill_between_the_engines_yes_and_the_end_of_the_log_changes_nothing(
    store: SampleStore, engine: Moody, clock: FakeClock
) -> None:
    for value in (1.0, 2.0):
        await put(store, (UP, NOW_MS, value), (DOWN, NOW_MS - DAY_MS, value))
    engine.forgets_to_say = True
    with pytest.raises(EngineError):
        await store.flush()
    engine.forgets_to_say = False
    other = await again(store, engine, clock)
    assert read(other) == {UP: [(NOW_MS, 2.0)], DOWN: [(NOW_MS - DAY_MS, 2.0)]}
    report = await other.verify()
    assert report.sound
    assert report.tables["samples"].distinct == 2
    await other.close()


async def test_when_the_engine_takes_nothing_commits_go_on_until_the_head_is_too_large(
    store: SampleStore, engine: Moody
) -> None:
    engine.refuses = DiskFull("The disk is full.")
    stored = 0
    with pytest.raises(DiskFull):
        for i in range(20):
            stored += await put(store, *((UP, NOW_MS - 400 * i - t, 1.0) for t in range(400)))
    assert stored == 4000
    assert len(read(store)[UP]) == 4000
    assert "disk is full" in (store.trouble() or "")
    engine.refuses = None
    assert await put(store, (UP, NOW_MS + 1, 1.0)) == 1
    assert len(read(store)[UP]) == 4001
    await store.flush()
    assert store.trouble() is None
    assert len(read(store)[UP]) == 4001


async def test_days_go_even_if_the_engine_takes_nothing(
    store: SampleStore, engine: Moody, clock: FakeClock
) -> None:
    past = NOW_MS - 29 * DAY_MS
    await put(store, (UP, past, 1.0), (DOWN, past, 1.0))
    await store.flush()
    await put(store, (UP, past + 1, 1.0), (UP, NOW_MS, 1.0), (NEW, past + 1, 1.0))
    engine.refuses = DiskFull("The disk is full.")
    await clock.advance(3 * 86_400)
    removed = await store.enforce_retention()
    assert (removed.by_age, removed.series) == ((past // DAY_MS,), 0)
    assert read(store) == {UP: [(NOW_MS, 1.0)]}
    engine.refuses = None
    assert (await store.enforce_retention()).series == 2
    assert read(store) == {UP: [(NOW_MS, 1.0)]}
    report = await store.verify()
    assert (report.sound, report.series_without_samples) == (True, 0)


async def test_series_whose_samples_went_from_the_head_are_stored_all_the_same(
    store: SampleStore, engine: Moody, clock: FakeClock
) -> None:
    await put(store, (UP, NOW_MS - 29 * DAY_MS, 1.0))
    engine.refuses = DiskFull("The disk is full.")
    await clock.advance(3 * 86_400)
    assert len((await store.enforce_retention()).by_age) == 1
    engine.refuses = None
    await put(store, *((UP, NOW_MS - t, 1.0) for t in range(500)))
    assert (await store.verify()).sound
    assert len(read(store)[UP]) == 500


async def test_a_commit_that_failed_leaves_its_series_to_the_next(
    store: SampleStore, engine: Moody, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFull("The disk is full.")

    monkeypatch.setattr("pynomaly.storage.samples.log.HeadLog.append", full)
    with pytest.raises(DiskFull):
        await put(store, (UP, NOW_MS, 1.0))
    monkeypatch.undo()
    assert read(store) == {}
    await put(store, (UP, NOW_MS + 1, 2.0))
    other = await again(store, engine, clock)
    assert read(other) == {UP: [(NOW_MS + 1, 2.0)]}
    assert (await other.verify()).sound
    await other.close()


async def test_reading_while_samples_move_misses_none_and_doubles_none(
    store: SampleStore,
) -> None:
    """Readers in threads while commits and flushes alternate."""
    done, ids = asyncio.Event(), np.full(10, series_id(UP), dtype=np.uint64)
    acknowledged = 0

    async def look() -> None:
        while not done.is_set():
            least = acknowledged
            found = await asyncio.to_thread(read, store, where("job = a"))
            assert len(found.get(UP, [])) >= least

    readers = [asyncio.create_task(look()) for _ in range(2)]
    for i in range(40):
        ts = NOW_MS - 10 * i + np.arange(-9, 1)
        await store.append(SampleBatch(ids, ts, np.ones(10), {series_id(UP): UP}))
        acknowledged += 10
        if i % 3 == 0:
            await store.flush()
    done.set()
    await asyncio.gather(*readers)
    assert len(read(store)[UP]) == 400
