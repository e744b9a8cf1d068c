"""The sample store: what goes in comes out."""

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from samples_help import NOW_MS, Reopen, put, read, series, where

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import STALE, MetricMetadata, SampleBatch, is_stale
from pynomaly.storage.engine.contract import QueryCancelled
from pynomaly.storage.engine.errors import DataFolderUnusable
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.schema import AREA, DAY_MS, MIGRATIONS
from pynomaly.storage.samples.store import SampleStore

UP = series("up", job="a", instance="one")
DOWN = series("down", job="b", instance="two")


async def test_samples_come_back_by_series_in_time_order(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 2.0), (DOWN, NOW_MS, 5.0), (UP, NOW_MS - 1000, 1.0))
    assert read(store) == {
        UP: [(NOW_MS - 1000, 1.0), (NOW_MS, 2.0)],
        DOWN: [(NOW_MS, 5.0)],
    }


async def test_the_range_is_closed(store: SampleStore) -> None:
    await put(store, *((UP, NOW_MS + i, float(i)) for i in range(-3, 4)))
    found = read(store, start=NOW_MS - 2, end=NOW_MS + 1)
    assert found == {UP: [(NOW_MS + i, float(i)) for i in (-2, -1, 0, 1)]}


async def test_series_that_span_days_and_hours_are_one(store: SampleStore) -> None:
    rows = [(labels, NOW_MS - i * 3_600_000, float(i)) for labels in (UP, DOWN) for i in range(60)]
    await put(store, *rows)
    expected = [(NOW_MS - i * 3_600_000, float(i)) for i in reversed(range(60))]
    assert read(store) == {UP: expected, DOWN: expected}


async def test_every_bit_of_a_value_is_kept(store: SampleStore) -> None:
    values = np.array([STALE, np.nan, -0.0, np.inf, 5e-324])
    ids = np.full(5, series_id(UP), dtype=np.uint64)
    ts = NOW_MS + np.arange(5, dtype=np.int64)
    await store.append(SampleBatch(ids, ts, values, {series_id(UP): UP}))
    (chunk,) = store.select(where("job = a"), 0, 2 * NOW_MS)
    assert chunk.values.view(np.uint64).tolist() == values.view(np.uint64).tolist()
    assert is_stale(chunk.values).tolist() == [True, False, False, False, False]


async def test_a_sample_sent_twice_is_there_once(store: SampleStore) -> None:
    for _ in range(3):
        assert await put(store, (UP, NOW_MS, 1.0), (UP, NOW_MS + 5, 2.0)) == 2
    assert read(store) == {UP: [(NOW_MS, 1.0), (NOW_MS + 5, 2.0)]}


async def test_the_last_received_value_wins(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 9.0), (UP, NOW_MS, 1.0))
    assert read(store) == {UP: [(NOW_MS, 1.0)]}
    for value in (7.0, 3.0, 5.0):
        await put(store, (UP, NOW_MS, value))
    assert read(store) == {UP: [(NOW_MS, 5.0)]}


async def test_the_last_received_wins_within_one_commit(store: SampleStore) -> None:
    await asyncio.gather(*(put(store, (UP, NOW_MS, float(value))) for value in range(50)))
    assert read(store) == {UP: [(NOW_MS, 49.0)]}


async def test_the_last_received_wins_after_merges_and_restarts(
    store: SampleStore, reopen: Reopen
) -> None:
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0))
    await put(store, (UP, NOW_MS, 2.0))
    store.engine.execute("OPTIMIZE TABLE samples FINAL")
    store = await reopen()
    await put(store, (DOWN, NOW_MS, 3.0))
    assert read(store) == {UP: [(NOW_MS, 2.0)], DOWN: [(NOW_MS, 3.0)]}
    store.engine.execute("OPTIMIZE TABLE samples FINAL")
    assert read(store) == {UP: [(NOW_MS, 2.0)], DOWN: [(NOW_MS, 3.0)]}


async def test_late_samples_are_stored(store: SampleStore) -> None:
    for at in (NOW_MS, NOW_MS - 5 * DAY_MS, NOW_MS - 1000):
        await put(store, (UP, at, float(at)))
    assert [at for at, _ in read(store)[UP]] == [NOW_MS - 5 * DAY_MS, NOW_MS - 1000, NOW_MS]


async def test_samples_outside_the_times_we_keep_are_refused_with_the_reason(
    store: SampleStore,
) -> None:
    before = metrics.REFUSED.labels("too_old")._value.get()
    rows = [
        (UP, NOW_MS - 30 * DAY_MS - 1, 1.0),
        (UP, NOW_MS - 30 * DAY_MS, 2.0),
        (UP, NOW_MS + 600_000, 3.0),
        (UP, NOW_MS + 600_001, 4.0),
    ]
    appended = await store.append(SampleBatch.of(rows))
    assert appended.stored == 2
    assert appended.refused == {
        "older than the retention of 30 days": 1,
        "more than 600 s ahead of the server's clock": 1,
    }
    assert [value for _, value in read(store)[UP]] == [2.0, 3.0]
    assert metrics.REFUSED.labels("too_old")._value.get() == before + 1


async def test_a_batch_of_only_refused_samples_makes_no_series(store: SampleStore) -> None:
    appended = await store.append(SampleBatch.of([(UP, 0, 1.0)]))
    assert appended.stored == 0
    assert len(store.index) == 0
    assert store.stats().samples == 0


async def test_labels_may_hold_more_than_the_batch_uses(store: SampleStore) -> None:
    labels = {series_id(each): each for each in (UP, DOWN)}
    ids = np.array([series_id(UP)], dtype=np.uint64)
    await store.append(SampleBatch(ids, np.array([NOW_MS]), np.array([1.0]), labels))
    assert list(read(store)) == [UP]
    assert len(store.index) == 1


async def test_two_label_sets_of_one_id_are_told_apart(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    clash = SampleBatch(
        np.array([series_id(UP), series_id(DOWN)], dtype=np.uint64),
        np.array([NOW_MS + 1, NOW_MS]),
        np.array([2.0, 3.0]),
        {series_id(UP): series("other"), series_id(DOWN): DOWN},
    )
    for _ in range(2):
        appended = await store.append(clash)
        assert appended.stored == 1
        assert appended.refused == {"its labels have the same hash as those of another series": 1}
    assert read(store) == {UP: [(NOW_MS, 1.0)], DOWN: [(NOW_MS, 3.0)]}


async def test_two_label_sets_of_one_id_in_one_commit(store: SampleStore) -> None:
    ids = np.array([77], dtype=np.uint64)
    batches = [
        SampleBatch(ids, np.array([NOW_MS + i]), np.array([1.0]), {77: labels})
        for i, labels in enumerate((UP, DOWN))
    ]
    first, second = await asyncio.gather(*map(store.append, batches))
    assert (first.stored, second.stored) == (1, 0)
    assert list(read(store)) == [UP]


async def test_a_broken_batch_spoils_only_itself(store: SampleStore) -> None:
    good = SampleBatch.of([(UP, NOW_MS, 1.0)])
    nameless = SampleBatch(np.array([5], dtype=np.uint64), np.array([NOW_MS]), np.array([1.0]), {})
    uneven = SampleBatch(good.ids, good.ts[:0], good.values, good.labels)
    outcomes = await asyncio.gather(
        *map(store.append, (nameless, good, uneven)), return_exceptions=True
    )
    assert isinstance(outcomes[0], ValueError)
    assert isinstance(outcomes[2], ValueError)
    assert outcomes[1].stored == 1  # type: ignore[union-attr] # not an exception
    assert read(store) == {UP: [(NOW_MS, 1.0)]}


async def test_matchers_find_series_as_prometheus_does(store: SampleStore) -> None:
    many = [series("many", host=f"h{i}", zone="z" if i % 2 else "") for i in range(200)]
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0), *((m, NOW_MS, 1.0) for m in many))
    odd = [m for m in many if m.get("zone") == "z"]
    cases: list[tuple[list[str], list[Labels]]] = [
        (["__name__ = up"], [UP]),
        (["__name__ = nosuch"], []),
        (["job = a"], [UP]),
        (["__name__ =~ u.|down"], [UP, DOWN]),
        (["__name__ =~ u"], []),
        (["__name__ !~ u.|many"], [DOWN]),
        (["__name__ = up", "job != a"], []),
        (["__name__ = up", "nosuch ="], [UP]),
        (["__name__ = up", "nosuch !="], []),
        (["__name__ = many", "zone !="], odd),
        (["__name__ = many", "zone ="], [m for m in many if m not in odd]),
        (
            ["host =~ h1.", "zone = z"],
            [m for m in odd if len(m["host"]) == 3 and m["host"][1] == "1"],
        ),
        (["__name__ =~ .+", "instance =~ one|two"], [UP, DOWN]),
        (["__name__ = up", "__name__ = down"], []),
    ]
    for conditions, expected in cases:
        assert set(read(store, where(*conditions))) == set(expected), conditions


async def test_a_metric_with_the_same_hash_prefix_is_not_mixed_in(store: SampleStore) -> None:
    """Two names share the top 20 bits of their hash: ids lie in one range."""
    first, second = series("m_205"), series("m_913")
    names: dict[int, str] = {}
    for i in range(5000):
        name = f"m_{i}"
        other = names.setdefault(series_id(series(name)) >> 44, name)
        if other != name:
            first, second = series(other), series(name)
            break
    assert series_id(first) >> 44 == series_id(second) >> 44
    await put(store, (first, NOW_MS, 1.0), (second, NOW_MS, 2.0))
    more = [(first.with_(x=str(i)), NOW_MS, 1.0) for i in range(5)]
    await put(store, *more)
    assert set(read(store, where(f"__name__ = {second.name}"))) == {second}
    assert second not in read(store, where(f"__name__ = {first.name}"))


async def test_chunks_are_bounded_and_complete(store: SampleStore) -> None:
    rows = [(series("m", i=str(i)), NOW_MS + t, float(t)) for i in range(40) for t in range(50)]
    await put(store, *rows)
    await store.flush()
    chunks = list(
        store.select(where("__name__ = m"), NOW_MS - DAY_MS, NOW_MS + 60_000, chunk_samples=200)
    )
    assert len(chunks) > 5
    assert sum(map(len, chunks)) == 40
    found = read(store, where("__name__ = m"), NOW_MS - DAY_MS, NOW_MS + 60_000, 200)
    assert found == read(store)


async def test_series_and_labels_are_those_of_the_days_asked_for(store: SampleStore) -> None:
    old = series("old", age="old")
    await put(store, (old, NOW_MS - 3 * DAY_MS, 1.0), (UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0))
    today, long = (NOW_MS, NOW_MS), (NOW_MS - 5 * DAY_MS, NOW_MS)
    assert store.series([], *today) == sorted([UP, DOWN])
    assert store.series([], *long) == sorted([UP, DOWN, old])
    assert store.series([where("job = a"), where("age = old")], *long) == sorted([UP, old])
    assert store.series([where("age = old")], *today) == []
    assert store.label_names([], *today) == ["__name__", "instance", "job"]
    assert store.label_names([where("age = old")], *long) == ["__name__", "age"]
    assert store.label_values("job", [], *long) == ["a", "b"]
    assert store.label_values("job", [where("instance = two")], *long) == ["b"]
    assert store.label_values("__name__", [], *long) == ["down", "old", "up"]
    assert store.label_values("nosuch", [], *long) == []
    assert store.series([], NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS) == []


async def test_everything_is_there_after_a_restart(store: SampleStore, reopen: Reopen) -> None:
    odd = Labels({"job": "ünï", "no_name": "here's\n\\"})
    await put(store, (UP, NOW_MS, 1.0), (odd, NOW_MS, STALE), (DOWN, NOW_MS - DAY_MS, 3.0))
    before = store.stats()
    store = await reopen()
    assert store.series([], 0, 2 * NOW_MS) == sorted([UP, odd, DOWN])
    assert read(store, where("job = ünï")).keys() == {odd}
    assert store.label_names([], NOW_MS, NOW_MS) == ["__name__", "instance", "job", "no_name"]
    assert store.stats().newest_ms == before.newest_ms == NOW_MS
    await put(store, (UP, NOW_MS + 1, 2.0), (series("new"), NOW_MS, 1.0))
    assert read(store)[UP] == [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]
    assert store.stats().series == 4


async def test_the_last_metadata_of_a_metric_is_kept(store: SampleStore, reopen: Reopen) -> None:
    first, last = MetricMetadata("up", "gauge", "old"), MetricMetadata("up", "gauge", "new", "s")
    for each in (first, last, last, MetricMetadata("a", "counter")):
        await store.append(SampleBatch.of([], [each]))
    for opened in (store, None):
        store = opened or await reopen()
        assert store.metadata("up") == {"up": [last]}
        assert list(store.metadata()) == ["a", "up"]
        assert store.metadata("nosuch") == {}


async def test_commits_are_announced(reopen: Reopen) -> None:
    told: list[tuple[int, int]] = []
    store = await reopen(on_commit=lambda samples, newest: told.append((samples, newest)))
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS - 5, 1.0))
    await put(store, (UP, 0, 1.0))
    await put(store, (UP, NOW_MS - 9, 1.0))
    assert told == [(2, NOW_MS), (1, NOW_MS)]


async def test_a_closed_store_takes_nothing(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    await store.close()
    await store.close()
    with pytest.raises(QueryCancelled):
        await put(store, (UP, NOW_MS, 1.0))


async def test_closing_stores_what_waits(reopen: Reopen) -> None:
    store = await reopen(SampleSettings())
    await put(store, (UP, NOW_MS, 0.0))
    waiting = [asyncio.create_task(put(store, (UP, NOW_MS + i, 1.0))) for i in range(1, 5)]
    await asyncio.sleep(0)
    await store.close()
    assert [await each for each in waiting] == [1] * 4
    assert len(read(await reopen())[UP]) == 5


async def test_a_folder_of_a_newer_version_is_refused(store: SampleStore, reopen: Reopen) -> None:
    newer = len(MIGRATIONS) + 1
    store.engine.execute(
        f"INSERT INTO schema_migrations (area, version, name) VALUES ('{AREA}', {newer}, 'x')"
    )
    with pytest.raises(DataFolderUnusable, match="newer version"):
        await reopen()


async def test_figures(store: SampleStore, clock: FakeClock) -> None:
    assert store.stats().bytes_per_sample == 0
    await put(store, (UP, NOW_MS, 1.0), (DOWN, NOW_MS - DAY_MS, 2.0))
    assert store.stats().samples == 2
    await store.flush()
    stats = store.stats()
    assert (stats.series, stats.samples, stats.days) == (2, 2, 2)
    assert stats.bytes_per_sample == stats.bytes / 2 > 0
    assert stats.all_bytes > stats.bytes
    assert stats.oldest_day_ms == (NOW_MS - DAY_MS) // DAY_MS * DAY_MS
    assert stats.last_commit_seconds > 0


def test_storing_and_reading_do_without_pandas(tmp_path: Path) -> None:
    """pyarrow imports it unasked where it is installed: 60 MB and half a second."""
    script = """
import asyncio, sys
from pathlib import Path
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import MetricMetadata, SampleBatch
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore
from pynomaly.storage.samples.verify import verify

async def main():
    for _ in range(2):
        engine = EmbeddedEngine(Path(sys.argv[1]))
        store = SampleStore(engine, FakeClock())
        await store.start()
        many = [Labels({"__name__": "m", "i": str(i)}) for i in range(100)]
        rows = [(labels, 1_700_000_000_000, 1.0) for labels in many]
        await store.append(SampleBatch.of(rows, [MetricMetadata("m", "gauge")]))
        matchers = [Matcher("i", MatchOp.REGEX, "1.*")]
        (chunk,) = store.select(matchers, 0, 2 * 1_700_000_000_000)
        assert len(chunk) == 11
        store.series([], 0, 2**50)
        await store.enforce_retention()
        store.stats()
        verify(engine)
        await store.close()
        engine.close()

asyncio.run(main())
print("pandas" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.check_output(command, text=True) == "False\n"
