"""Registries become samples."""

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pynomaly.ingest.registry import Sampler, SelfObservation, Source
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import Appended, SampleBatch, is_stale


class Kept:
    """An appender that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[SampleBatch] = []

    async def append(self, batch: SampleBatch) -> Appended:
        self.batches.append(batch)
        return Appended(len(batch))


def rows(batch: SampleBatch) -> dict[str, float]:
    named = zip(batch.ids.tolist(), batch.values.tolist(), strict=True)
    return {str(batch.labels[i]): v for i, v in named if "scrape_" not in batch.labels[i].name}


def sampler(registry: CollectorRegistry) -> Sampler:
    return Sampler(Source("pynomaly", "here", registry.collect))


def test_samples_carry_job_instance_and_the_id_of_their_labels() -> None:
    registry = CollectorRegistry()
    Counter("done", "Things done.", ["kind"], registry=registry).labels("x").inc(3)
    batch = sampler(registry).sample(1234)
    assert rows(batch) == {
        'done_total{instance="here", job="pynomaly", kind="x"}': 3.0,
        'up{instance="here", job="pynomaly"}': 1.0,
    }
    assert all(series_id(batch.labels[i]) == i for i in batch.ids.tolist())
    assert set(batch.ts.tolist()) == {1234}


def test_a_label_that_the_source_has_too_moves_aside() -> None:
    registry = CollectorRegistry()
    Gauge("late", "How late.", ["job"], registry=registry).labels("retention").set(1)
    batch = sampler(registry).sample(0)
    expected = Labels(
        {"__name__": "late", "exported_job": "retention", "instance": "here", "job": "pynomaly"}
    )
    assert expected in {batch.labels[i] for i in batch.ids.tolist()}


def test_a_series_that_is_gone_is_marked_stale_once_and_can_come_back() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("size", "A size.", ["of"], registry=registry)
    gauge.labels("a").set(1)
    gauge.labels("b").set(2)
    source = sampler(registry)
    source.sample(0)
    gauge.remove("b")
    second = source.sample(1)
    stale = second.ids[is_stale(second.values)]
    assert [second.labels[i]["of"] for i in stale.tolist()] == ["b"]
    assert not is_stale(source.sample(2).values).any()
    gauge.labels("b").set(5)
    assert rows(source.sample(3))['size{instance="here", job="pynomaly", of="b"}'] == 5.0


def test_metadata_is_sent_once_and_creation_times_never() -> None:
    registry = CollectorRegistry()
    Counter("done", "Things done.", registry=registry)
    Histogram("took_seconds", "How long.", registry=registry, buckets=(1,)).observe(0.5)
    source = sampler(registry)
    first = source.sample(0)
    assert [(m.name, m.type, m.help) for m in first.metadata] == [
        ("done_total", "counter", "Things done."),
        ("took_seconds", "histogram", "How long."),
    ]
    assert not [n for n in rows(first) if "created" in n]
    assert source.sample(1).metadata == []


async def test_self_observation_appends_all_sources_in_one_batch_at_the_due_time() -> None:
    kept = Kept()
    registry = CollectorRegistry()
    Gauge("x", "X.", registry=registry).set(4)
    sources = [Source("node", "host", list), Source("pynomaly", "here", registry.collect)]
    await SelfObservation(kept, sources)(1_700_000_005.0)
    (batch,) = kept.batches
    assert rows(batch) == {
        'up{instance="host", job="node"}': 1.0,
        'up{instance="here", job="pynomaly"}': 1.0,
        'x{instance="here", job="pynomaly"}': 4.0,
    }
    assert np.unique(batch.ts).tolist() == [1_700_000_005_000]
