"""Remote write 2.0: labels, metadata and faults by references into the table of symbols."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.ingest.remote_write.decode_v2 import DecoderV2
from pynomaly.ingest.remote_write.decoded import (
    INVALID_LABELS,
    INVALID_REFERENCE,
    NATIVE_HISTOGRAM,
    NO_SAMPLES,
    Malformed,
)
from pynomaly.ingest.remote_write.v2_pb2 import Metadata, Request, TimeSeries
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE_BITS, MetricMetadata

NOW = 1_790_000_000_000


class Builder:
    """Collects symbols as a sender does."""

    def __init__(self) -> None:
        self.request = Request(symbols=[b""])

    def ref(self, text: str) -> int:
        symbols = list(self.request.symbols)
        if text.encode() not in symbols:
            self.request.symbols.append(text.encode())
            return len(symbols)
        return symbols.index(text.encode())

    def add(self, labels: dict[str, str], *samples: tuple[int, float]) -> TimeSeries:
        one = self.request.timeseries.add()
        for name, value in labels.items():
            one.labels_refs.extend([self.ref(name), self.ref(value)])
        for ts, value in samples:
            one.samples.add(timestamp=ts, value=value, start_timestamp=ts - 1)
        return one

    def body(self) -> bytes:
        return self.request.SerializeToString()


words = st.text(min_size=1, max_size=5)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(words, words, max_size=4),
            st.lists(st.tuples(st.integers(-(2**62), 2**62), st.floats(allow_nan=False))),
        ),
        max_size=5,
    )
)
@settings(deadline=None)
def test_what_was_encoded_is_decoded(sent: list[tuple[dict[str, str], list[tuple[int, float]]]]):
    builder = Builder()
    expected = []
    for labels, samples in sent:
        builder.add({"__name__": "m", **labels}, *samples)
        expected += [(Labels({"__name__": "m", **labels}), *sample) for sample in samples]
    batch = DecoderV2().decode(builder.body()).batch
    found = zip(batch.ids.tolist(), batch.ts.tolist(), batch.values.tolist(), strict=True)
    assert [(batch.labels[i], ts, value) for i, ts, value in found] == expected


def test_staleness_markers_keep_their_bits() -> None:
    builder = Builder()
    builder.add({"__name__": "up"}, (NOW, struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]))
    assert DecoderV2().decode(builder.body()).batch.values.view("u8").tolist() == [STALE_BITS]


def test_metadata_goes_to_the_family() -> None:
    builder = Builder()
    for name in ("h_bucket", "h_count", "h_sum"):
        described = builder.add({"__name__": name}, (NOW, 1.0)).metadata
        described.type = Metadata.METRIC_TYPE_HISTOGRAM
        described.help_ref = builder.ref("How long.")
        described.unit_ref = builder.ref("seconds")
    counted = builder.add({"A": "__name__", "__name__": "c_total"}, (NOW, 1.0)).metadata
    counted.type = Metadata.METRIC_TYPE_COUNTER
    builder.add({"__name__": "silent"}, (NOW, 1.0)).metadata.SetInParent()
    assert list(DecoderV2().decode(builder.body()).batch.metadata) == [
        MetricMetadata("h", "histogram", "How long.", "seconds"),
        MetricMetadata("c_total", "counter"),
    ]


def test_a_faulty_series_is_refused_alone() -> None:
    builder = Builder()
    builder.add({"__name__": "good"}, (NOW, 1.0))
    builder.add({"job": "nameless"}, (NOW, 1.0), (NOW, 2.0))
    builder.add({"__name__": "beyond"}, (NOW, 1.0)).labels_refs[1] = 99
    builder.add({"__name__": "odd"}, (NOW, 1.0)).labels_refs.append(1)
    builder.add({}, (NOW, 1.0))
    builder.add({"__name__": "empty"})
    builder.add({"__name__": "native"}).histograms.add()
    builder.add({"__name__": "good"}, (NOW + 1, 2.0)).metadata.help_ref = 77
    decoded = DecoderV2().decode(builder.body())
    assert decoded.batch.values.tolist() == [1.0, 2.0]
    assert decoded.refused.samples == {
        INVALID_LABELS: 2,
        INVALID_REFERENCE: 3,
        NATIVE_HISTOGRAM: 1,
        NO_SAMPLES: 0,
    }
    assert decoded.refused.faults == [
        """{job="nameless"}: the label '__name__' is missing""",
        "labels_refs [1, 99]: symbol 99 of a table of 9",
        "labels_refs [1, 6, 1]: 3 references do not make pairs of name and value",
        "labels_refs []: a time series without labels",
        "empty: a time series without samples",
        "native: native histograms are not supported",
        "metadata refers to symbol 77 of 9",
    ]


def test_exemplars_are_read_also_of_a_series_without_samples() -> None:
    builder = Builder()
    refs = [builder.ref("trace_id"), builder.ref("abc")]
    one = builder.add({"__name__": "up"}, (NOW, 1.0))
    one.exemplars.add(labels_refs=refs, value=0.5, timestamp=NOW)
    builder.add({"__name__": "down"}).exemplars.add(value=2.0)
    decoded = DecoderV2().decode(builder.body())
    batch = decoded.batch
    assert [(str(batch.labels[i]), exemplar) for i, exemplar in batch.exemplars] == [
        ("up", Exemplar(Labels({"trace_id": "abc"}), 0.5, NOW)),
        ("down", Exemplar(Labels(), 2.0, 0, timed=False)),
    ]
    assert len(batch) == 1
    assert not decoded.refused


@pytest.mark.parametrize("refs", [[1], [1, 77]])
def test_an_exemplar_with_broken_references_is_refused_alone(refs: list[int]) -> None:
    builder = Builder()
    one = builder.add({"__name__": "up"}, (NOW, 1.0))
    one.exemplars.add(labels_refs=refs, value=0.5, timestamp=NOW)
    decoded = DecoderV2().decode(builder.body())
    assert len(decoded.batch) == 1
    assert not decoded.batch.exemplars
    assert decoded.refused.samples == {INVALID_REFERENCE: 0}
    assert decoded.refused.faults[0].startswith(f"an exemplar's labels_refs {refs}: ")


@pytest.mark.parametrize("symbols", [[], [b"__name__", b"up"]])
def test_a_table_that_does_not_begin_with_the_empty_string_is_malformed(
    symbols: list[bytes],
) -> None:
    request = Request(symbols=symbols)
    request.timeseries.add(labels_refs=[0, 1]).samples.add(timestamp=NOW)
    with pytest.raises(Malformed, match="must begin with an empty string"):
        DecoderV2().decode(request.SerializeToString())


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_random_bytes_are_decoded_or_malformed(body: bytes) -> None:
    try:
        DecoderV2().decode(body)
    except Malformed as error:
        assert error.message
