"""Which series and labels there are: those with a sample in the range, to the millisecond."""

import random
from collections.abc import Callable

import pytest
from samples_help import NOW_MS, SETTINGS, Reopen, put, read, series, where

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore

HOUR_MS = 3_600_000
EVER = (-(2**62), 2**62)
A, B, C = series("a", x="1"), series("b", x="2"), series("c", y="3")
Ask = Callable[[int, int], list[Labels]]


async def test_the_ends_of_the_range_are_inside(store: SampleStore) -> None:
    await put(store, (A, NOW_MS, 1.0), (B, NOW_MS + 100, 1.0))
    for _ in range(2):
        assert store.series([], NOW_MS, NOW_MS) == [A]
        assert store.series([], NOW_MS, NOW_MS + 99) == [A]
        assert store.series([], NOW_MS + 1, NOW_MS + 100) == [B]
        assert store.series([], NOW_MS + 100, 2**62) == [B]
        assert store.series([], NOW_MS + 1, NOW_MS + 99) == []
        assert store.series([], NOW_MS + 101, 2**62) == []
        assert store.series([], -(2**62), NOW_MS - 1) == []
        assert store.series([], *EVER) == [A, B]
        assert store.series([], NOW_MS + 1, NOW_MS) == []
        await store.flush()


async def test_a_series_with_a_gap_is_not_listed_inside_it(store: SampleStore) -> None:
    await put(store, (A, NOW_MS - 6 * HOUR_MS, 1.0), (A, NOW_MS, 1.0), (C, NOW_MS, 1.0))
    gap = (NOW_MS - 5 * HOUR_MS, NOW_MS - HOUR_MS)
    for _ in range(2):
        assert store.series([], *gap) == []
        assert store.label_names([], *gap) == []
        assert store.label_values("x", [], *gap) == []
        assert store.label_values("x", [], NOW_MS - 7 * HOUR_MS, NOW_MS - HOUR_MS) == ["1"]
        assert store.label_names([where("y = 3")], NOW_MS - HOUR_MS, NOW_MS) == ["__name__", "y"]
        await store.flush()


async def test_the_mark_of_its_end_is_a_sample_of_a_series(store: SampleStore) -> None:
    await put(store, (A, NOW_MS, float(STALE)))
    assert store.series([], NOW_MS, NOW_MS) == [A]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("memory", [0, 2_000, 1_000_000])
async def test_it_is_what_reading_the_samples_says(
    reopen: Reopen, clock: FakeClock, seed: int, memory: int
) -> None:
    chance = random.Random(seed)
    settings = SETTINGS.model_copy(
        update={"memory_samples": memory, "flush_samples": 1000, "flush_interval": 600.0}
    )
    store = await reopen(settings)
    many = [series(f"m{i % 3}", i=str(i)) for i in range(30)]
    newest = NOW_MS
    for step in range(12):
        await clock.advance(chance.choice([1, 600, 3 * 3600, 40_000]))
        now = round(clock.now() * 1000)
        rows = [
            (chance.choice(many), now - chance.choice([0, 5, HOUR_MS, DAY_MS]) - number, 1.0)
            for number in range(chance.choice([1, 20, 700]))
        ]
        await put(store, *rows)
        newest = max(newest, *(ts for _, ts, _ in rows))
        if step % 4 == 1:
            await store.flush()
        if step == 7:
            store = await reopen(settings)
        if step == 9:
            await store.delete([where("i =~ 1.")], newest - DAY_MS, newest - 60_000)
        for _ in range(12):
            start = newest - chance.choice([0, 10, HOUR_MS, chance.randrange(3 * DAY_MS)])
            end = start + chance.choice([0, 10, HOUR_MS, DAY_MS, 2**50])
            expected = sorted(read(store, start=start, end=end))
            assert store.series([], start, end) == expected
            some = [labels for labels in expected if labels.name != "m1"]
            selections = [where("__name__ = m0"), where("__name__ = m2")]
            assert store.series(selections, start, end) == some


async def test_the_engine_is_not_asked_for_what_memory_and_whole_days_say(
    store: SampleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, (A, NOW_MS - 2 * DAY_MS, 1.0))
    await store.flush()
    await put(store, (A, NOW_MS, 1.0), (B, NOW_MS, 1.0))
    asked: list[str] = []
    query = store.engine.query

    def counted(sql: str, *args: object, **more: object) -> object:
        asked.append(sql)
        return query(sql, *args, **more)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr(store.engine, "query", counted)
    midnight = NOW_MS // DAY_MS * DAY_MS
    assert store.series([], NOW_MS - HOUR_MS, NOW_MS) == [A, B]
    assert store.series([], midnight, NOW_MS) == [A, B]
    assert store.series([], midnight - 2 * DAY_MS, midnight - 1) == [A]
    assert store.series([], midnight - 2 * DAY_MS, NOW_MS) == [A, B]
    assert [sql for sql in asked if "FROM samples" in sql] == []
    assert store.series([], midnight - 2 * DAY_MS, midnight - DAY_MS - 2) == [A]
    assert len([sql for sql in asked if "FROM samples" in sql]) == 1
