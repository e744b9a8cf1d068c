"""Samples in memory keep the contracts of the sample store."""

import numpy as np
import pytest

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import STALE, MetricMetadata, SampleBatch, is_stale
from pynomaly.storage.samples.contract import Appender, SampleReader
from pynomaly.storage.samples.memory import MemorySamples

A = Labels({"__name__": "a", "i": "1"})
B = Labels({"__name__": "b", "j": "2"})
IS_A = [Matcher("__name__", MatchOp.EQUAL, "a")]
ANY = [Matcher("__name__", MatchOp.REGEX, ".+")]


@pytest.fixture
async def store() -> MemorySamples:
    memory = MemorySamples()
    appender: Appender = memory
    rows = [(A, 30, 3.0), (A, 10, 1.0), (B, 20, STALE), (A, 20, 9.0), (A, 20, 2.0)]
    answer = await appender.append(
        SampleBatch.of([(n, t, float(v)) for n, t, v in rows], [MetricMetadata("a", "gauge")])
    )
    assert (answer.stored, answer.refused) == (5, {})
    return memory


def test_samples_come_in_time_order_the_last_duplicate_wins(store: MemorySamples) -> None:
    reader: SampleReader = store
    (chunk,) = reader.select(IS_A, 10, 20)

    assert chunk.labels == [A]
    assert (chunk.ts.tolist(), chunk.values.tolist()) == ([10, 20], [1.0, 2.0])
    assert chunk.offsets.tolist() == [0, 2]


def test_staleness_markers_keep_their_bits(store: MemorySamples) -> None:
    chunk = next(iter(store.select([Matcher("j", MatchOp.EQUAL, "2")], 0, 100)))

    assert is_stale(chunk.values).tolist() == [True]


def test_a_series_is_never_split_between_chunks(store: MemorySamples) -> None:
    chunks = list(store.select(ANY, 0, 100, chunk_samples=1))

    assert [len(chunk) for chunk in chunks] == [1, 1]
    assert sorted(len(chunk.ts) for chunk in chunks) == [1, 3]


def test_series_outside_the_range_do_not_occur(store: MemorySamples) -> None:
    assert list(store.select(IS_A, 31, 100)) == []
    assert store.series([ANY], 0, 15) == [A]
    assert store.series([], 0, 100) == [A, B]
    assert store.series([IS_A, [Matcher("j", MatchOp.EQUAL, "2")]], 0, 100) == [A, B]


def test_labels_and_metadata_are_listed(store: MemorySamples) -> None:
    assert store.label_names([], 0, 100) == ["__name__", "i", "j"]
    assert store.label_names([IS_A], 0, 100) == ["__name__", "i"]
    assert store.label_values("__name__", [], 0, 100) == ["a", "b"]
    assert store.label_values("i", [], 0, 100) == ["1"]
    assert store.metadata() == {"a": [MetricMetadata("a", "gauge")]} == store.metadata("a")
    assert store.metadata("b") == {}


def test_offsets_and_columns_have_the_types_of_the_contract(store: MemorySamples) -> None:
    (chunk,) = store.select(IS_A, 0, 100)

    assert (chunk.offsets.dtype, chunk.ts.dtype, chunk.values.dtype) == (
        np.int64,
        np.int64,
        np.float64,
    )
