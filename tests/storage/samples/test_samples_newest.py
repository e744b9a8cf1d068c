"""The newest samples in memory: the same answers as from the engine, without asking it."""

import asyncio
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples_help import NOW_MS, Reopen, Rows, put, read, series, where

from pynomaly.model.clock import FakeClock
from pynomaly.model.samples import STALE, SampleBatch, is_stale
from pynomaly.storage.engine.contract import EngineError
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.blocks import BLOCK
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.newest import Newest
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore

KEEP_MS = 1_000
Model = dict[tuple[int, int], float]


class Watched:
    """Newest samples beside a dictionary of everything stored."""

    def __init__(self, blocks: int, stored_until: int = NOW_MS - 2 * KEEP_MS) -> None:
        self.now = NOW_MS
        self.newest = Newest(blocks * BLOCK, KEEP_MS, lambda: self.now)
        self.newest.begin(stored_until)
        self.model: Model = {}

    def add(self, rows: Sequence[tuple[int, int, float]]) -> None:
        slots, ts, values = zip(*rows, strict=True)
        self.newest.add(np.array(slots, np.int32), np.array(ts, np.int64), np.array(values))
        self.model.update({(slot, at): value for slot, at, value in rows})

    def check(self, slots: Sequence[int], start: int, end: int) -> None:
        found = self.newest.within(np.array(slots, np.int32), start, end)
        if start < self.newest.from_ms:
            assert found is None
            return
        assert found is not None
        counts, ts, values = found
        rows = list(
            zip(np.repeat(slots, counts).tolist(), ts.tolist(), values.tolist(), strict=True)
        )
        expected = [
            (slot, at, value)
            for slot in slots
            for (its, at), value in sorted(self.model.items())
            if its == slot and start <= at <= end
        ]
        assert rows == expected


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(-KEEP_MS - 200, 40), st.integers(0, 9).map(float)),
    min_size=1,
    max_size=60,
)
FORGET = st.tuples(st.sets(st.integers(0, 7)), st.integers(-KEEP_MS, 40), st.integers(0, 500))
STEP = st.one_of(ROWS, st.integers(1, 700), FORGET)


@given(st.lists(STEP, max_size=25), st.sampled_from([4, 12, 1000]), st.data())
@settings(max_examples=150, deadline=None)
def test_it_is_a_dictionary_of_the_last_seconds(
    steps: list[object], blocks: int, data: st.DataObject
) -> None:
    watched = Watched(blocks)
    for step in steps:
        match step:
            case int():
                watched.now += step
            case list():
                watched.add([(slot, watched.now + at, value) for slot, at, value in step])
            case (set() as slots, int() as at, int() as length):
                first = watched.now + at
                last = first + length
                chosen = np.array(sorted(slots), np.int32)
                watched.newest.forget(first, last, chosen if slots else None)
                watched.model = {
                    (slot, at): value
                    for (slot, at), value in watched.model.items()
                    if not (first <= at <= last and (not slots or slot in slots))
                }
        wanted = data.draw(st.lists(st.integers(0, 8), unique=True, max_size=6))
        start = watched.newest.from_ms + data.draw(st.integers(-5, 400))
        watched.check(wanted, start, start + data.draw(st.integers(0, 1500)))
    if blocks == 1000:
        earliest = max(NOW_MS - 2 * KEEP_MS + 1, watched.now - KEEP_MS)
        assert watched.newest.from_ms <= earliest


def test_what_does_not_fit_is_forgotten_oldest_first() -> None:
    watched = Watched(blocks=8)
    for i in range(400):
        watched.now += 1
        watched.add([(i % 3, watched.now, float(i))])
    watched.check([0, 1, 2], watched.newest.from_ms, watched.now)
    kept = watched.now - watched.newest.from_ms
    assert 8 * BLOCK // 2 < kept <= 8 * BLOCK
    watched.add([(slot, watched.now, 1.0) for slot in range(20)])
    assert watched.newest.from_ms > watched.now
    watched.now += 1
    watched.add([(0, watched.now, 2.0)])
    watched.check([0, 1], watched.now, watched.now)


def test_it_counts_from_another_moment_before_milliseconds_run_over() -> None:
    watched = Watched(blocks=50)
    for day in range(60):
        watched.now = NOW_MS + day * DAY_MS
        watched.add([(0, watched.now - at, float(day)) for at in (0, 700, 300)])
        watched.add([(1, watched.now, float(day))] if day % 17 == 0 else [(2, watched.now, 1.0)])
        watched.check([0, 1, 2], watched.newest.from_ms, watched.now + DAY_MS)
        assert watched.newest.from_ms <= watched.now - KEEP_MS + 1 or day < 1
    watched.now += 400 * DAY_MS
    watched.add([(0, watched.now, 1.0)])
    watched.check([0, 1, 2], watched.newest.from_ms, watched.now)


def test_a_sample_of_the_far_future_ends_nothing_but_speed() -> None:
    watched = Watched(blocks=50)
    watched.add([(0, NOW_MS, 1.0), (1, NOW_MS + 40 * DAY_MS, 2.0)])
    watched.check([0, 1], NOW_MS, NOW_MS + 50 * DAY_MS)
    assert watched.newest.from_ms == NOW_MS + 40 * DAY_MS + 1


SETTINGS = SampleSettings(retention_days=30, memory_seconds=60)


@pytest.fixture
async def store(reopen: Reopen) -> SampleStore:
    return await reopen(SETTINGS)


def from_memory(store: SampleStore, start: int, end: int = 2**53, *conditions: str) -> Rows:
    """A selection, which must not have asked the engine."""
    before = asked_engine()
    found = read(store, where(*conditions) if conditions else None, start, end)
    assert asked_engine() == before
    return found


def asked_engine() -> float:
    return metrics.FROM_ENGINE._value.get()


def since(rows: Rows, start: int) -> Rows:
    kept = {labels: [row for row in of if row[0] >= start] for labels, of in rows.items()}
    return {labels: of for labels, of in kept.items() if of}


@pytest.mark.parametrize("seed", range(6))
async def test_memory_and_engine_give_the_same(reopen: Reopen, clock: FakeClock, seed: int) -> None:
    """Random streams with duplicates and late samples, flushes, deletions and restarts between."""
    chance = random.Random(seed)
    memory = SETTINGS.model_copy(update={"memory_samples": chance.choice([256, 6_000_000])})
    store = await reopen(memory)
    known = [series(f"m{i % 3}", host=str(i)) for i in range(12)]
    answered = 0
    for number in range(40):
        now = round(clock.now() * 1000)
        batches = [
            [
                (
                    chance.choice(known),
                    now - chance.choice([chance.randrange(100), chance.randrange(90_000)]),
                    float(number * 1000 + chance.randrange(1000)),
                )
                for _ in range(chance.randint(1, 60))
            ]
            for _ in range(chance.randint(1, 3))
        ]
        await asyncio.gather(*(put(store, *rows) for rows in batches))
        match chance.randrange(10):
            case 0:
                store = await reopen(memory)
            case 1 | 2:
                await store.flush()
            case 3:
                at = now - chance.randrange(80_000)
                await store.delete([where(f"host = {chance.randrange(12)}")], at, at + 20_000)
            case 4 | 5 | 6:
                await clock.advance(chance.randrange(30))
        everything = read(store)
        start = store.memory_from_ms() + chance.randrange(1000)
        if start <= round(clock.now() * 1000):
            assert from_memory(store, start) == since(everything, start)
            assert from_memory(store, start, 2**53, "host = 3") == since(
                {each: rows for each, rows in everything.items() if each["host"] == "3"}, start
            )
            answered += 1
    assert answered > 10


async def test_chunks_are_as_small_as_asked(store: SampleStore) -> None:
    await put(
        store, *((series("m", i=str(i)), NOW_MS - t, 1.0) for i in range(9) for t in range(20))
    )
    found = list(store.select(where("__name__ = m"), NOW_MS - 99, NOW_MS, chunk_samples=60))
    assert len(found) >= 3
    assert max(len(chunk.ts) for chunk in found) <= 100
    assert sum(len(chunk.ts) for chunk in found) == 180


async def test_after_a_start_memory_begins_with_what_is_new(reopen: Reopen) -> None:
    store = await reopen(SETTINGS)
    up = series("up")
    await put(store, (up, NOW_MS - 5, 1.0))
    assert from_memory(store, NOW_MS - 50) == {up: [(NOW_MS - 5, 1.0)]}
    store = await reopen(SETTINGS)
    assert read(store, start=NOW_MS - 50) == {up: [(NOW_MS - 5, 1.0)]}
    await put(store, (up, NOW_MS, 2.0))
    assert from_memory(store, NOW_MS - 4) == {up: [(NOW_MS, 2.0)]}
    before = asked_engine()
    assert read(store, start=NOW_MS - 5) == {up: [(NOW_MS - 5, 1.0), (NOW_MS, 2.0)]}
    assert asked_engine() > before


async def test_staleness_markers_and_other_nans_keep_their_bits(store: SampleStore) -> None:
    batch = SampleBatch.of([(series("up"), NOW_MS - 2, 1.0), (series("up"), NOW_MS, 2.0)])
    batch.values[:] = [float("nan"), STALE]
    await store.append(batch)
    (chunk,) = store.select(where("__name__ = up"), NOW_MS - 9, NOW_MS)
    assert is_stale(chunk.values).tolist() == [False, True]
    assert np.isnan(chunk.values).all()


async def test_what_the_engine_may_have_taken_or_not_is_asked_of_it(
    store: SampleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, (series("up"), NOW_MS - 1, 1.0))
    await store.flush()
    insert = store.engine.insert

    def takes_but_fails(table: str, rows: object, *, token: str = "") -> None:
        insert(table, rows, token=token)  # type: ignore[arg-type] # a pyarrow table
        if table == "samples":
            raise EngineError("went away")

    monkeypatch.setattr(store.engine, "insert", takes_but_fails)
    with pytest.raises(EngineError):
        await put(store, *((series("up"), NOW_MS + t, 2.0) for t in range(200_000)))
    monkeypatch.undo()
    assert read(store, start=NOW_MS - 1, end=NOW_MS) == {
        series("up"): [(NOW_MS - 1, 1.0), (NOW_MS, 2.0)]
    }


async def test_without_memory_the_engine_answers(reopen: Reopen) -> None:
    store = await reopen(SampleSettings(memory_seconds=0))
    await put(store, (series("up"), NOW_MS - 1, 1.0))
    before = asked_engine()
    assert read(store, start=NOW_MS - 1) == {series("up"): [(NOW_MS - 1, 1.0)]}
    assert asked_engine() == before + 1


async def test_what_the_engine_gives_comes_in_pieces_of_about_the_size_asked(
    reopen: Reopen,
) -> None:
    """Also when the samples of a day lie in a few minutes of it, and some series have more."""
    store = await reopen(SampleSettings(memory_seconds=0))
    many = [series("m", i=str(i)) for i in range(60)]
    rows = [(each, NOW_MS - 1000 * t, 1.0) for n, each in enumerate(many) for t in range(20 + n)]
    await put(store, *rows)
    await store.flush()
    chunks = store.select(where("__name__ = m"), NOW_MS - 3_600_000, NOW_MS, chunk_samples=500)
    sizes = [len(chunk.ts) for chunk in chunks]
    assert sum(sizes) == len(rows)
    assert max(sizes) < 1000
    assert len(sizes) < 20


async def test_what_memory_forgets_during_a_read_comes_from_the_engine(
    store: SampleStore, clock: FakeClock
) -> None:
    many = [series("m", i=str(i)) for i in range(9)]
    await put(store, *((each, NOW_MS - t, float(t)) for each in many for t in range(20)))
    before = asked_engine()
    chunks = iter(store.select(where("__name__ = m"), NOW_MS - 99, NOW_MS, chunk_samples=60))
    found = [next(chunks)]
    assert asked_engine() == before
    await clock.advance(100)
    await put(store, (series("other"), round(clock.now() * 1000), 1.0))
    found += chunks
    assert asked_engine() == before + 1
    assert sorted(labels for chunk in found for labels in chunk.labels) == sorted(many)
    assert sum(len(chunk.ts) for chunk in found) == 180
