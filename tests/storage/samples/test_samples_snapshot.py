"""A snapshot is a data folder: started on, it gives every sample and label of its moment."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from samples_help import NOW_MS, Rows, put, read, series, where
from test_samples_head import Moody

from pynomaly.model.clock import FakeClock
from pynomaly.model.samples import MetricMetadata, SampleBatch
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.contract import DiskFull, EngineError
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore

UP, DOWN = series("up", job="a"), series("up", job="b")
SETTINGS = SampleSettings(flush_interval=600, flush_samples=1000, retention_days=30)
ALWAYS = (-(2**62), 2**62)


def nothing_more(_: Path) -> None:
    """What a snapshot of samples alone adds."""


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SampleStore]:
    """A store on a data folder, with the engine that may refuse."""
    engine = Moody(folder, EngineSettings(query_connections=2))
    store = SampleStore(engine, FakeClock(NOW_MS / 1000), SETTINGS, folder)
    try:
        await store.start()
        yield store
    finally:
        await store.close()
        engine.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_it_holds_every_sample_label_and_metadata(folder: Path, tmp_path: Path) -> None:
    chance = random.Random(3)
    many = [series(f"m{i % 5}", i=str(i), odd='ünï\n"\\') for i in range(40)]
    async with opened(folder) as store:
        for number in range(9):
            rows = [
                (chance.choice(many), NOW_MS - chance.randrange(3 * DAY_MS), float(number))
                for _ in range(200)
            ]
            await put(store, *rows)
        said = MetricMetadata("m1", "counter", "how many", "")
        await store.append(SampleBatch.of([(UP, NOW_MS, 1.0)], metadata=[said]))
        expected, names = read(store), store.series([], *ALWAYS)
        place = await store.snapshot(nothing_more)
        await put(store, (DOWN, NOW_MS, 2.0))
        await store.delete([where("__name__ = up")], *ALWAYS)
    assert place.parent == folder / "snapshots"
    # As its users do: kept elsewhere, and its origin gone.
    elsewhere = tmp_path / "restored"
    shutil.copytree(place, elsewhere, symlinks=True)
    shutil.rmtree(folder)
    async with opened(elsewhere) as store:
        assert read(store) == expected
        assert store.series([], *ALWAYS) == names
        assert store.metadata("m1") == {"m1": [said]}
        assert (await store.verify()).sound


async def test_a_restored_store_goes_on_as_any_other(folder: Path) -> None:
    async with opened(folder) as store:
        await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0))
        await store.flush()
        await store.delete([where("job = b")], *ALWAYS)
        await put(store, (UP, NOW_MS, 2.0))
        place = await store.snapshot(nothing_more)
    async with opened(place) as store:
        await put(store, (UP, NOW_MS, 3.0), (DOWN, NOW_MS, 4.0))
        await store.flush()
        assert read(store) == {UP: [(NOW_MS, 3.0)], DOWN: [(NOW_MS, 4.0)]}
        await store.delete([where("job = a")], *ALWAYS)
        await store.clean_tombstones()
        again = await store.snapshot(nothing_more)
        assert read(store) == {DOWN: [(NOW_MS, 4.0)]}
    async with opened(again) as store:
        assert read(store) == {DOWN: [(NOW_MS, 4.0)]}
    async with opened(folder) as store:
        assert read(store) == {UP: [(NOW_MS, 2.0)]}


async def test_it_is_of_one_moment_while_samples_come_in(folder: Path) -> None:
    """What was acknowledged before is there, and of each commit all or nothing."""
    acknowledged = 0

    async def write(store: SampleStore) -> None:
        nonlocal acknowledged
        for number in range(1, 400):
            rows = [(each, NOW_MS + number, float(number)) for each in (UP, DOWN)]
            rows += [(series("new", n=str(number)), NOW_MS, 1.0)]
            await put(store, *rows)
            acknowledged = number
            if number % 50 == 0:
                await store.flush()

    taken: list[tuple[int, Path, int]] = []
    async with opened(folder) as store:
        writing = asyncio.create_task(write(store))
        while not writing.done():
            before = acknowledged
            place = await store.snapshot(nothing_more)
            taken.append((before, place, acknowledged))
            await asyncio.sleep(0)
        await writing
    assert len(taken) > 1
    for before, place, after in taken[:2] + taken[-1:]:
        async with opened(place) as store:
            found: Rows = read(store)
            count = len(found.get(UP, []))
            # A commit may be stored before its acknowledgement is noticed.
            assert before <= count <= after + 1
            assert len(found.get(DOWN, [])) == count
            assert len(read(store, where("__name__ = new"))) == count
            assert (await store.verify()).sound


async def test_without_the_head_it_holds_what_the_engine_had(folder: Path) -> None:
    async with opened(folder) as store:
        await put(store, (UP, NOW_MS, 1.0))
        await store.flush()
        await put(store, (UP, NOW_MS + 1, 1.0), (DOWN, NOW_MS, 1.0))
        place = await store.snapshot(nothing_more, skip_head=True)
    async with opened(place) as store:
        assert read(store) == {UP: [(NOW_MS, 1.0)]}
        assert (await store.verify()).sound


async def test_a_disk_that_is_full_for_the_engine_is_no_obstacle(folder: Path) -> None:
    async with opened(folder) as store:
        await put(store, (UP, NOW_MS, 1.0))
        assert isinstance(store.engine, Moody)
        store.engine.refuses = DiskFull("The disk is full.")
        place = await store.snapshot(nothing_more)
    async with opened(place) as store:
        assert read(store) == {UP: [(NOW_MS, 1.0)]}


async def test_one_that_failed_leaves_nothing(folder: Path) -> None:
    def full(_: Path) -> None:
        raise EngineError("The disk is full.")

    async with opened(folder) as store:
        await put(store, (UP, NOW_MS, 1.0))
        with pytest.raises(EngineError):
            await store.snapshot(full)
        assert list((folder / "snapshots").iterdir()) == []
        assert list(folder.glob("clickhouse/shadow/snapshot*")) == []


async def test_what_a_kill_left_of_one_is_removed_at_the_start(folder: Path) -> None:
    half = folder / "snapshots" / "20231114T221320Z-0123456789abcdef.unfinished"
    aside = folder / "clickhouse" / "shadow" / "snapshot_x" / "store"
    whole = folder / "snapshots" / "20231114T221320Z-0123456789abcdee"
    for each in (half, aside, whole):
        each.mkdir(parents=True)
    async with opened(folder):
        assert not half.exists()
        assert not aside.parent.exists()
        assert whole.exists()


async def test_its_files_are_links_until_merges_replace_them(folder: Path) -> None:
    async with opened(folder) as store:
        await put(store, *((UP, NOW_MS - t, 1.0) for t in range(600)))
        place = await store.snapshot(nothing_more)
        columns = list(place.glob("clickhouse/store/*/*/*/data.bin"))
        assert columns
        assert all(file.stat().st_nlink > 1 for file in columns)
