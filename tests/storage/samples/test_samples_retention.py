"""Retention: by age, by size, and what is left of series."""

from samples_help import NOW_MS, Reopen, put, read, series, where

from pynomaly.model.clock import FakeClock
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.retention import Removed
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore

TODAY = NOW_MS // DAY_MS
OLD, BOTH, NEW = series("old"), series("both"), series("new", job="x")


async def _fill(store: SampleStore) -> None:
    past = NOW_MS - 20 * DAY_MS
    await put(store, (OLD, past, 1.0), (BOTH, past, 1.0), (BOTH, NOW_MS, 1.0), (NEW, NOW_MS, 1.0))


async def test_nothing_goes_before_its_time(store: SampleStore) -> None:
    await _fill(store)
    assert await store.enforce_retention() == Removed()
    assert read(store).keys() == {OLD, BOTH, NEW}


async def test_a_day_goes_when_all_of_it_is_too_old(store: SampleStore, clock: FakeClock) -> None:
    await _fill(store)
    past = TODAY - 20
    last_moment = (past + 1 + 30) * DAY_MS / 1000
    await clock.advance(last_moment - 0.001 - clock.now())
    assert (await store.enforce_retention()).by_age == ()
    await clock.advance(0.001)
    assert await store.enforce_retention() == Removed(by_age=(past,), series=1)
    assert read(store).keys() == {BOTH, NEW}
    assert store.series([], 0, 2 * NOW_MS) == sorted([BOTH, NEW])
    assert len(read(store, where("__name__ = both"))[BOTH]) == 1
    report = await store.verify()
    assert report.sound
    assert (report.series_without_samples, report.tables["samples"].raw) == (0, 2)


async def test_a_series_that_went_can_come_back(
    store: SampleStore, clock: FakeClock, reopen: Reopen
) -> None:
    await _fill(store)
    await clock.advance(12 * DAY_MS / 1000)
    assert (await store.enforce_retention()).series == 1
    now = round(clock.now() * 1000)
    await put(store, (OLD, now, 2.0), (NEW, now, 2.0))
    assert read(store)[OLD] == [(now, 2.0)]
    store = await reopen()
    assert read(store).keys() == {OLD, BOTH, NEW}
    assert (await store.verify()).sound


async def test_the_oldest_days_go_when_it_is_too_much(reopen: Reopen) -> None:
    store = await reopen(SampleSettings(retention_bytes=1))
    await _fill(store)
    await put(store, (NEW, NOW_MS - 5 * DAY_MS, 1.0))
    removed = await store.enforce_retention()
    assert removed.by_size == (TODAY - 20, TODAY - 5)
    assert read(store) == {BOTH: [(NOW_MS, 1.0)], NEW: [(NOW_MS, 1.0)]}
    assert (await store.enforce_retention()).by_size == ()


async def test_a_size_that_is_kept_removes_nothing(reopen: Reopen) -> None:
    store = await reopen(SampleSettings(retention_bytes=10**9))
    await _fill(store)
    assert await store.enforce_retention() == Removed()


async def test_series_of_a_commit_that_did_not_finish_are_removed(store: SampleStore) -> None:
    await put(store, (NEW, NOW_MS, 1.0))
    store.engine.execute(
        "INSERT INTO series (id, metric_name, labels, created_ms)"
        " SELECT 5, 'half', map('__name__', 'half'), 0"
    )
    assert (await store.verify()).series_without_samples == 1
    assert (await store.enforce_retention()).series == 1
    assert (await store.verify()).series_without_samples == 0
