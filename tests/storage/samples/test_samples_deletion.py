"""Deleted samples vanish at once and for good; others, and later ones, stay."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from samples_help import NOW_MS, Reopen, Rows, put, read, series, where
from test_samples_head import Moody

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, all_match
from pynomaly.storage.engine.contract import DiskFull, EngineError
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.deletion import SeriesDeleter, Unfinished
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore

UP, DOWN, OTHER = series("up", job="a"), series("up", job="b"), series("other", job="a")
ALWAYS = (-(2**62), 2**62)


async def test_only_matching_series_and_only_in_the_range(store: SampleStore) -> None:
    await put(store, *((each, NOW_MS + t, 1.0) for each in (UP, DOWN, OTHER) for t in range(9)))
    assert await store.delete([where("__name__ = up", "job = a")], NOW_MS + 2, NOW_MS + 6) == 1
    left = [(NOW_MS + t, 1.0) for t in (0, 1, 7, 8)]
    every = [(NOW_MS + t, 1.0) for t in range(9)]
    assert read(store) == {UP: left, DOWN: every, OTHER: every}
    assert (await store.verify()).sound


async def test_samples_in_the_engine_and_in_the_log_vanish_alike(
    store: SampleStore, reopen: Reopen
) -> None:
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0))
    await store.flush()
    await put(store, (UP, NOW_MS + 1, 2.0), (DOWN, NOW_MS + 1, 2.0))
    await store.delete([where("job = a")], *ALWAYS)
    expected = {DOWN: [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]}
    assert read(store) == expected
    store = await reopen()
    assert read(store) == expected


async def test_series_without_samples_are_named_no_more(store: SampleStore, reopen: Reopen) -> None:
    await put(store, (UP, NOW_MS, 1.0), (UP, NOW_MS - DAY_MS, 1.0), (OTHER, NOW_MS, 1.0))
    await store.delete([where("__name__ = up")], NOW_MS - 1000, NOW_MS)
    for turn in range(2):
        store = await reopen() if turn else store
        assert store.series([], NOW_MS, NOW_MS) == [OTHER]
        assert store.series([], NOW_MS - DAY_MS, NOW_MS) == [OTHER, UP]
    await store.delete([where("__name__ = up")], *ALWAYS)
    for turn in range(2):
        store = await reopen() if turn else store
        assert store.series([], *ALWAYS) == [OTHER]
        assert store.label_values("__name__", [], *ALWAYS) == ["other"]
    assert (await store.enforce_retention()).series == 1
    assert (await store.verify()).series_without_samples == 0


async def test_what_is_written_afterwards_stays(store: SampleStore, reopen: Reopen) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    await store.delete([where("job = a")], *ALWAYS)
    await put(store, (UP, NOW_MS, 2.0))
    await store.flush()
    assert read(store) == {UP: [(NOW_MS, 2.0)]}
    store = await reopen()
    assert read(store) == {UP: [(NOW_MS, 2.0)]}
    assert store.series([], NOW_MS, NOW_MS) == [UP]
    assert (await store.verify()).sound


async def test_a_series_that_was_removed_comes_back_as_a_new_one(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0))
    await store.delete([where("job = a")], *ALWAYS)
    await store.enforce_retention()
    await put(store, (UP, NOW_MS + 1, 2.0))
    assert read(store, where("job = a")) == {UP: [(NOW_MS + 1, 2.0)]}
    assert (await store.verify()).sound


async def test_of_several_values_at_one_time_none_is_left(store: SampleStore) -> None:
    for value in (1.0, 2.0):
        await put(store, (UP, NOW_MS, value))
        await store.flush()
    await store.delete([where("job = a")], NOW_MS, NOW_MS)
    assert read(store) == {}


async def test_cleaning_takes_them_off_the_disk(store: SampleStore) -> None:
    await put(store, *((each, NOW_MS + t, 1.0) for each in (UP, DOWN) for t in range(500)))
    await store.flush()
    await store.delete([where("job = a")], *ALWAYS)
    await store.clean_tombstones()
    found = store.engine.query(
        "SELECT sum(rows) AS rows FROM system.parts WHERE table = 'samples' AND active"
    )
    assert found["rows"][0].as_py() == 500
    assert len(read(store)[DOWN]) == 500
    assert (await store.verify()).sound


async def test_watchers_learn_from_when_on_answers_may_differ(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    told: list[int] = []
    store.watch(told.append)
    await store.delete([where("job = a")], NOW_MS - 5, NOW_MS)
    assert told == [NOW_MS - 5]


async def test_nothing_is_deleted_by_what_names_nothing(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    assert await store.delete([where("job = nobody")], *ALWAYS) == 0
    assert await store.delete([where("job = a")], NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS) == 0
    assert read(store) == {UP: [(NOW_MS, 1.0)]}


async def test_the_count_is_what_would_go(store: SampleStore) -> None:
    await put(store, *((each, NOW_MS + t, 1.0) for each in (UP, OTHER) for t in range(9)))
    selections = [where("__name__ = up"), where("job = a")]
    assert await store.count(selections, NOW_MS, NOW_MS + 2) == (2, 6)


class Model:
    """What a store should hold."""

    def __init__(self) -> None:
        self.rows: dict[Labels, dict[int, float]] = {}

    def put(self, rows: list[tuple[Labels, int, float]]) -> None:
        for labels, at, value in rows:
            self.rows.setdefault(labels, {})[at] = value

    def delete(self, selections: list[list[Matcher]], start: int, end: int) -> None:
        for labels, rows in self.rows.items():
            if any(all_match(matchers, labels) for matchers in selections):
                for at in [at for at in rows if start <= at <= end]:
                    del rows[at]

    def seen(self) -> Rows:
        return {labels: sorted(rows.items()) for labels, rows in self.rows.items() if rows}


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_writing_and_deleting(
    store: SampleStore, reopen: Reopen, seed: int
) -> None:
    chance, model = random.Random(seed), Model()
    names = [series(f"m{i % 3}", job="ab"[i % 2], i=str(i)) for i in range(12)]
    for number in range(25):
        begin = NOW_MS - chance.randrange(4 * DAY_MS)
        match chance.choice(["put", "put", "put", "flush", "delete", "delete", "reopen"]):
            case "put":
                rows = [
                    (chance.choice(names), begin + chance.randrange(DAY_MS), float(number))
                    for _ in range(chance.choice([1, 30, 700]))
                ]
                rows = [row for row in rows if row[1] <= NOW_MS]
                await put(store, *rows)
                model.put(rows)
            case "flush":
                await store.flush()
            case "delete":
                chosen = chance.choice(
                    [where("__name__ = m1"), where("job != a"), where("i =~ 1.*", "job = b")]
                )
                bounds = chance.choice(
                    [ALWAYS, (begin, begin + chance.randrange(2 * DAY_MS)), (begin, begin + 9000)]
                )
                await store.delete([chosen], *bounds)
                model.delete([chosen], *bounds)
            case "reopen":
                store = await reopen()
        assert read(store) == model.seen()
    assert store.series([], *ALWAYS) == sorted(model.seen())
    assert (await store.verify()).sound


@pytest.fixture
def engine(tmp_path: Path) -> Moody:
    return Moody(tmp_path)


@pytest.fixture
async def moody(engine: Moody, tmp_path: Path) -> AsyncIterator[SampleStore]:
    settings = SampleSettings(flush_interval=600, flush_samples=1000, retention_days=30)
    store = SampleStore(engine, FakeClock(NOW_MS / 1000), settings, tmp_path)
    await store.start()
    yield store
    await store.close()
    engine.close()


async def test_when_the_log_cannot_be_handed_over_nothing_is_deleted(
    moody: SampleStore, engine: Moody
) -> None:
    await put(moody, (UP, NOW_MS, 1.0))
    engine.refuses = DiskFull("The disk is full.")
    with pytest.raises(DiskFull):
        await moody.delete([where("job = a")], *ALWAYS)
    assert read(moody) == {UP: [(NOW_MS, 1.0)]}


async def test_what_the_engine_cannot_finish_is_an_error_until_it_can(
    moody: SampleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(moody, (UP, NOW_MS, 1.0))
    told = list[int]()
    moody.watch(told.append)
    original = SeriesDeleter.unfinished

    def failing(deleter: SeriesDeleter) -> Unfinished:
        return original(deleter) if told else Unfinished(1, "No space left on device")

    monkeypatch.setattr(SeriesDeleter, "unfinished", failing)
    with pytest.raises(EngineError, match="No space left on device"):
        await moody.delete([where("job = a")], *ALWAYS)
    assert "No space left on device" in (moody.trouble() or "")
    async with asyncio.timeout(60):
        while len(told) < 2:
            await asyncio.sleep(0.01)
    assert told == [ALWAYS[0], ALWAYS[0]]
    assert moody.trouble() is None
    assert read(moody) == {}


async def test_samples_come_in_while_others_are_deleted(moody: SampleStore) -> None:
    """What was acknowledged before goes, what was sent after stays, whatever is between."""
    for number in range(15):
        before = [(UP, NOW_MS - 100 * number - t, 1.0) for t in range(100)]
        await put(moody, *before)

        async def write() -> None:
            for t in range(20):
                await put(moody, (DOWN, NOW_MS + t, 2.0))

        writing = asyncio.create_task(write())
        await moody.delete([where("job = a")], *ALWAYS)
        await put(moody, (UP, NOW_MS + number, 3.0))
        await writing
        assert read(moody) == {
            UP: [(NOW_MS + number, 3.0)],
            DOWN: [(NOW_MS + t, 2.0) for t in range(20)],
        }
    assert (await moody.verify()).sound
