"""The last minutes of a few series in memory."""

from samples_help import EVERYTHING, NOW_MS, read, series, where

from pynomaly.model.clock import FakeClock
from pynomaly.model.samples import MetricMetadata, SampleBatch
from pynomaly.storage.samples.recent import RecentSamples

UP, DOWN = series("up", job="a"), series("down", job="b")


async def put(store: RecentSamples, *rows: tuple[object, int, float]) -> None:
    await store.append(SampleBatch.of(rows))  # type: ignore[arg-type] # rows as elsewhere


async def test_samples_come_back_by_series_in_time_order_and_the_last_received_wins() -> None:
    store = RecentSamples(FakeClock(NOW_MS / 1000), 900)
    await put(store, (UP, NOW_MS, 2.0), (DOWN, NOW_MS, 5.0))
    await put(store, (UP, NOW_MS - 1000, 1.0), (UP, NOW_MS, 3.0))
    expected = {UP: [(NOW_MS - 1000, 1.0), (NOW_MS, 3.0)], DOWN: [(NOW_MS, 5.0)]}
    assert read(store) == expected  # type: ignore[arg-type] # a SampleReader
    assert read(store, where("job = b"), NOW_MS, NOW_MS) == {DOWN: [(NOW_MS, 5.0)]}  # type: ignore[arg-type]


async def test_what_is_old_is_forgotten_and_memory_stays_bounded() -> None:
    clock = FakeClock(NOW_MS / 1000)
    store = RecentSamples(clock, 60)
    for n in range(600):
        await put(store, (series("churn", i=str(n)), NOW_MS + n * 1000, 1.0))
        await clock.advance(1)
    found = read(store)  # type: ignore[arg-type] # a SampleReader
    assert 55 <= len(found) <= 62
    assert len(store._batches) <= 62
    assert len(store._labels) <= 62 + 50


async def test_series_labels_and_metadata_are_named() -> None:
    store = RecentSamples(FakeClock(NOW_MS / 1000), 900)
    batch = SampleBatch.of([(UP, NOW_MS, 1.0), (DOWN, NOW_MS, 1.0)], [MetricMetadata("up")])
    await store.append(batch)
    assert store.series([], 0, 2 * NOW_MS) == [DOWN, UP]
    assert store.label_names([where("job = a")], 0, 2 * NOW_MS) == ["__name__", "job"]
    assert store.label_values("job", [EVERYTHING], 0, 2 * NOW_MS) == ["a", "b"]
    assert store.series([], 0, NOW_MS - 1) == []
    assert list(store.metadata()) == ["up"]
    assert store.metadata("down") == {}
