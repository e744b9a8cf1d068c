"""Verification finds what is wrong, and only that."""

import json

from samples_help import NOW_MS, put, series

from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.store import SampleStore
from pynomaly.storage.samples.verify import TableCount

UP, DOWN = series("up", job="ü"), series("down")


async def test_an_empty_store_is_sound(store: SampleStore) -> None:
    report = await store.verify()
    assert report.sound
    assert report.tables["samples"] == TableCount(0, 0)


async def test_duplicates_are_counted_until_they_are_merged(store: SampleStore) -> None:
    store.engine.execute("SYSTEM STOP MERGES samples")
    for value in (1.0, 2.0, 3.0):
        await put(store, (UP, NOW_MS, value), (UP, NOW_MS - DAY_MS, value), (DOWN, NOW_MS, value))
        await store.flush()
    report = await store.verify()
    assert report.tables["samples"] == TableCount(9, 3)
    assert report.tables["samples"].duplicates == 6
    assert report.tables["series"] == TableCount(2, 2)
    assert report.tables["series_days"] == TableCount(3, 3)
    assert report.sound
    store.engine.execute("SYSTEM START MERGES samples")
    store.engine.execute("OPTIMIZE TABLE samples FINAL")
    assert (await store.verify()).tables["samples"] == TableCount(3, 3)


async def test_what_cannot_be_found_is_reported(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    store.engine.execute(f"INSERT INTO samples SELECT 5, {NOW_MS}, 1.0")
    store.engine.execute(
        "INSERT INTO series (id, metric_name, labels, created_ms)"
        " SELECT 7, 'x', map('__name__', 'x'), 0"
    )
    report = await store.verify()
    assert not report.sound
    assert report.samples_without_series == 1
    assert report.samples_without_day == 1
    assert report.series_without_samples == 1
    assert report.series_with_wrong_id == 1


async def test_the_report_is_json(store: SampleStore) -> None:
    await put(store, (UP, NOW_MS, 1.0))
    report = json.loads((await store.verify()).to_json())
    assert report["sound"] is True
    assert report["tables"]["samples"] == {"raw": 1, "distinct": 1, "duplicates": 0}
    assert report["samples_without_series"] == 0
