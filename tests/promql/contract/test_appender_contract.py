"""What every ``Appender`` must do: the local engine, Prometheus, VictoriaMetrics.

A series of its own for each test: Prometheus takes samples of a series in the order of time only.
"""

import asyncio
import math

import numpy as np
import pytest
from contract_stores import END, Store

from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import STALE, MetricMetadata, SampleBatch, SeriesSamples

AT = END * 1000 + 1000


def named(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def append(store: Store, *rows: tuple[Labels, int, float]) -> tuple[int, dict[str, int]]:
    """What was stored, and what was refused."""
    appended = store.run(store.appender.append(SampleBatch.of(rows)))
    store.flush()
    return appended.stored, dict(appended.refused)


def samples(store: Store, name: str) -> dict[str, list[tuple[int, float]]]:
    """Everything of a metric from ``AT`` on, by the label ``i``."""
    found = store.instant(f"{name}[20m]", END + 1100).value
    assert isinstance(found, SeriesSamples)
    return {
        labels.get("i", ""): [
            (ts - AT, value)
            for ts, value in zip(
                found.ts[begin:end].tolist(), found.values[begin:end].tolist(), strict=True
            )
        ]
        for labels, begin, end in zip(
            found.labels, found.offsets[:-1], found.offsets[1:], strict=True
        )
    }


def test_what_is_appended_can_be_read(store: Store) -> None:
    rows = [(named("read_back", i=str(i)), AT + 1000 * n, n + i) for n in range(5) for i in (0, 1)]
    assert append(store, *rows) == (10, {})
    expected = {str(i): [(1000 * n, float(n + i)) for n in range(5)] for i in (0, 1)}
    assert samples(store, "read_back") == expected


def test_samples_of_a_batch_may_come_in_any_order(store: Store) -> None:
    labels = named("any_order")
    assert append(store, *((labels, AT + n, float(n)) for n in (3, 1, 2))) == (3, {})
    assert samples(store, "any_order") == {"": [(1, 1.0), (2, 2.0), (3, 3.0)]}


def test_of_one_time_the_last_of_a_batch_is_kept(store: Store) -> None:
    labels = named("one_time")
    assert append(store, (labels, AT, 7.0), (labels, AT, 3.0))[1] == {}
    assert samples(store, "one_time") == {"": [(0, 3.0)]}


def test_sending_the_newest_again_changes_nothing(store: Store) -> None:
    for _ in range(3):
        assert append(store, (named("again"), AT, 1.0)) == (1, {})
    # VictoriaMetrics keeps each copy, unless its -dedup.minScrapeInterval is set.
    assert set(samples(store, "again")[""]) == {(0, 1.0)}


def test_special_values_survive(store: Store) -> None:
    values = [math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    labels = named("special")
    assert append(store, *((labels, AT + 10 * n, v) for n, v in enumerate(values))) == (5, {})
    if store.kind == "victoria-metrics":  # stores decimals, whose range is a little smaller
        values = [math.inf, -math.inf, 0.0]
        assert [v for _, v in samples(store, "special")[""]][:3] == values
        return
    assert [v for _, v in samples(store, "special")[""]] == values


def test_a_staleness_marker_ends_a_series(store: Store) -> None:
    labels = named("ends_here")
    append(store, (labels, AT, 1.0))
    assert len(store.instant("ends_here", END + 60).value) == 1
    assert append(store, (labels, AT + 15_000, float(STALE))) == (1, {})
    assert len(store.instant("ends_here", END + 60).value) == 0
    assert len(store.instant("ends_here", END + 10).value) == 1


def test_labels_of_any_text_come_back_as_they_were(store: Store) -> None:
    texts = ['"', "\\", "a\nb", "ü€😀", " x ", "{}", "a" * 1000]
    rows = [(named("any_text", text=text), AT, 1.0) for text in texts]
    assert append(store, *rows) == (len(texts), {})
    found = store.instant("any_text", END + 2).value
    assert sorted(each["text"] for each in found.labels) == sorted(texts)


def test_more_than_one_request_holds(store: Store) -> None:
    count = 12_500
    ids = np.repeat([series_id(named("many", i=str(i))) for i in range(25)], 500).astype(np.uint64)
    ts = AT + np.tile(np.arange(500, dtype=np.int64) * 100, 25)
    labels = {series_id(named("many", i=str(i))): named("many", i=str(i)) for i in range(25)}
    batch = SampleBatch(ids, ts, np.arange(count, dtype=np.float64), labels)
    assert store.run(store.appender.append(batch)).stored == count
    store.flush()
    value = store.instant("sum(count_over_time(many[20m]))", END + 1100).value
    assert value.values.tolist() == [[count]]


def test_late_samples_are_stored_or_refused_with_the_reason_and_spoil_nothing(
    store: Store,
) -> None:
    late, fine = named("late", i="late"), named("late", i="fine")
    append(store, (late, AT + 60_000, 1.0))
    rows = [(late, AT + 30_000, 2.0), (late, AT + 90_000, 3.0), (fine, AT, 4.0)]
    stored, refused = append(store, *rows)
    assert stored + sum(refused.values()) == 3
    found = samples(store, "late")
    assert found["fine"] == [(0, 4.0)]
    if store.kind == "prometheus":
        assert refused == {"out of order sample": 1}
        assert found["late"] == [(60_000, 1.0), (90_000, 3.0)]
    else:
        assert found["late"] == [(30_000, 2.0), (60_000, 1.0), (90_000, 3.0)]


def test_columns_of_different_lengths_are_refused(store: Store) -> None:
    labels = named("broken")
    number = series_id(labels)
    batch = SampleBatch(
        np.array([number], dtype=np.uint64),
        np.array([AT, AT + 1], dtype=np.int64),
        np.array([1.0]),
        {number: labels},
    )
    with pytest.raises(ValueError, match="one length"):
        store.run(store.appender.append(batch))


def test_nothing_is_nothing(store: Store) -> None:
    assert append(store) == (0, {})


def test_metadata_alone_is_taken(store: Store) -> None:
    described = MetricMetadata("read_back", "gauge", "What was read back.", "things")
    batch = SampleBatch.of([], [described])
    assert store.run(store.appender.append(batch)).stored == 0


def test_batches_at_once_are_all_stored(store: Store) -> None:
    batches = [SampleBatch.of([(named("at_once", i=str(i)), AT, float(i))]) for i in range(40)]

    async def together() -> list[int]:
        appended = await asyncio.gather(*map(store.appender.append, batches))
        return [each.stored for each in appended]

    assert store.run(together()) == [1] * 40
    store.flush()
    assert len(samples(store, "at_once")) == 40
