"""The fast way of reading a body gives what the slow way gives, or leaves the body to it."""

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pynomaly.ingest.remote_write.decode_v1 import DecoderV1
from pynomaly.ingest.remote_write.decoded import (
    INVALID_LABELS,
    NATIVE_HISTOGRAM,
    Decoded,
    Malformed,
)
from pynomaly.ingest.remote_write.regular_v1 import PADDING, Bytes, regular_columns
from pynomaly.ingest.remote_write.v1_pb2 import TimeSeries, WriteRequest
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import STALE_BITS, MetricMetadata

NOW = 1_790_000_000_000


def padded(body: bytes) -> Bytes:
    return np.frombuffer(body + bytes(PADDING), np.uint8).copy()


def series(
    labels: dict[str, str], *samples: tuple[int, float], exemplars: int = 0, histograms: int = 0
) -> TimeSeries:
    made = TimeSeries()
    for name, value in labels.items():
        made.labels.add(name=name.encode(), value=value.encode())
    for ts, value in samples:
        made.samples.add(timestamp=ts, value=value)
    for _ in range(exemplars):
        made.exemplars.add()
    for _ in range(histograms):
        made.histograms.add()
    return made


def rows(decoded: Decoded) -> list[tuple[Labels, int, int]]:
    """Labels, milliseconds and the bits of the value of each sample."""
    batch = decoded.batch
    bits = batch.values.view(np.uint64).tolist()
    labels = [batch.labels[i] for i in batch.ids.tolist()]
    assert [series_id(one) for one in labels] == batch.ids.tolist()
    return list(zip(labels, batch.ts.tolist(), bits, strict=True))


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


texts = st.one_of(
    st.text(max_size=8).map(str.encode),
    st.binary(max_size=24),
    # What resembles a sample, so that guesses go wrong.
    st.binary(min_size=6, max_size=6).map(lambda t: b"\x12\x07\x10" + t),
    st.just(b"\x12\x10\x09" + bytes(8) + b"\x10" + b"\x80\x80\x80\x80\x80\x01"),
    st.just(b"\x12\x07\x10\x80\x80\x80\x80\x80\x01"),
)
values = st.one_of(
    st.floats(),
    st.just(0.0),
    st.just(-0.0),
    st.integers(0, 2**64 - 1).map(lambda b: struct.unpack("<d", struct.pack("<Q", b))[0]),
    st.just(struct.unpack("<d", b"\x01\x02\x12\x07\x10\x80\x12\x07")[0]),
)
times = st.one_of(
    st.integers(NOW - 10**6, NOW + 10**6),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, 2**35 - 1, 2**35, 2**42 - 1, 2**42]),
)
labels = st.one_of(
    st.fixed_dictionaries(
        {b"__name__": st.sampled_from([b"up", b"cpu"])}, optional={b"job": texts}
    ),
    st.dictionaries(texts, texts, max_size=4),
)


@st.composite
def requests(draw: st.DrawFn, usual: bool = False) -> bytes:
    request = WriteRequest()
    for _ in range(draw(st.integers(0, 6))):
        one = request.timeseries.add()
        for name, value in draw(labels).items():
            one.labels.add(name=name, value=value)
        for _ in range(draw(st.integers(1 if usual else 0, 4))):
            ts = draw(st.integers(NOW, NOW + 10**6) if usual else times)
            one.samples.add(timestamp=ts, value=draw(values))
        if not usual and draw(st.integers(0, 9)) == 0:
            alone = request.timeseries.add(labels=one.labels) if draw(st.booleans()) else one
            alone.exemplars.add(value=draw(st.integers(0, 3)), timestamp=draw(times))
        if not usual and draw(st.integers(0, 9)) == 0:
            one.histograms.add()
    return request.SerializeToString()


@given(requests())
@settings(max_examples=300, deadline=None)
def test_fast_and_slow_agree_on_any_request(body: bytes) -> None:
    decoder = DecoderV1()
    slow = decoder.decode_any(body)
    for _ in range(2):  # unseen series, then remembered ones
        fast = decoder.decode(padded(body))
        assert rows(fast) == rows(slow)
        assert fast.refused == slow.refused
        assert list(fast.batch.exemplars) == list(slow.batch.exemplars)


@given(requests(usual=True), st.data())
@settings(max_examples=300, deadline=None)
def test_fast_and_slow_agree_on_damaged_requests(body: bytes, data: st.DataObject) -> None:
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)))
    text = bytes(damaged[:end]) if data.draw(st.booleans()) else bytes(damaged)
    decoder = DecoderV1()
    decoder.decode(padded(body))
    try:
        slow = decoder.decode_any(text)
    except Malformed:
        with pytest.raises(Malformed):
            decoder.decode(padded(text))
        return
    fast = decoder.decode(padded(text))
    assert rows(fast) == rows(slow)
    assert fast.refused == slow.refused


@given(st.binary(max_size=300))
@example(b"")
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_read_alike_or_refused(body: bytes) -> None:
    decoder = DecoderV1()
    try:
        slow = decoder.decode_any(body)
    except Malformed:
        with pytest.raises(Malformed):
            decoder.decode(padded(body))
        return
    assert rows(decoder.decode(padded(body))) == rows(slow)


def test_what_prometheus_sends_takes_the_fast_way() -> None:
    stale = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
    usual = [(NOW, 1.5), (NOW + 1, 0.0), (NOW + 2, math.inf), (NOW + 3, stale)]
    long = {f"label_{i:02}": "v" * 1000 for i in range(20)}  # a length of three bytes
    sent = [
        series({"__name__": "up", "job": "node"}, *usual),
        series({"__name__": "cpu"}, (NOW, 2.0)),
        series({"__name__": "wide", **long}, (NOW, 3.0)),
    ]
    body = WriteRequest(timeseries=sent).SerializeToString()
    columns = regular_columns(padded(body))
    assert columns is not None
    assert columns.counts.tolist() == [4, 1, 1]
    found = rows(DecoderV1().decode(padded(body)))
    up = Labels({"__name__": "up", "job": "node"})
    assert found[:4] == [(up, ts, bits(value)) for ts, value in usual]
    assert found[3][2] == STALE_BITS


def test_a_body_with_anything_else_takes_the_slow_way() -> None:
    ordinary = series({"__name__": "up"}, (NOW, 1.0))
    for other in (
        series({"__name__": "up"}, exemplars=1),
        series({"__name__": "up"}, histograms=1),
        series({"__name__": "up"}, (5, 1.0)),
        series({"__name__": "up"}),
    ):
        body = WriteRequest(timeseries=[ordinary, other, ordinary]).SerializeToString()
        assert regular_columns(padded(body)) is None
        assert len(DecoderV1().decode(padded(body)).batch) == 2 + len(other.samples)


def test_only_the_series_with_invalid_labels_are_refused() -> None:
    sent = [
        series({"__name__": "up"}, (NOW, 1.0)),
        series({"job": "nameless"}, (NOW, 1.0), (NOW + 1, 1.0)),
        series({"__name__": "up", "": "x"}, (NOW, 1.0)),
        series({"__name__": "down"}, (NOW, 2.0)),
    ]
    twice = series({"__name__": "up", "a": "1"}, (NOW, 1.0))
    twice.labels.add(name=b"a", value=b"2")
    latin = series({"__name__": "up"}, (NOW, 1.0))
    latin.labels.add(name=b"city", value="Zürich".encode("latin-1"))
    body = WriteRequest(timeseries=[*sent, twice, latin]).SerializeToString()
    decoded = DecoderV1().decode(padded(body))
    assert [str(labels) for labels, _, _ in rows(decoded)] == ["up", "down"]
    assert decoded.refused.samples == {INVALID_LABELS: 5}
    assert decoded.refused.faults == [
        """{job="nameless"}: the label '__name__' is missing""",
        """{__name__="up", ="x"}: a label has no name""",
        """{__name__="up", a="1", a="2"}: the label 'a' occurs twice""",
        """{__name__="up", city="Z\\xfcrich"}: not UTF-8""",
    ]


def test_the_order_of_labels_and_labels_without_a_value_make_no_difference() -> None:
    one = series({"__name__": "up", "a": "1", "b": "2"}, (NOW, 1.0))
    same = series({"b": "2", "c": "", "__name__": "up", "a": "1"}, (NOW + 1, 2.0))
    body = WriteRequest(timeseries=[one, same]).SerializeToString()
    found = DecoderV1().decode(padded(body)).batch.ids.tolist()
    assert found[0] == found[1]


def test_native_histograms_are_refused_and_samples_beside_them_kept() -> None:
    sent = [series({"__name__": "h"}, histograms=2), series({"__name__": "up"}, (NOW, 1.0))]
    decoded = DecoderV1().decode(padded(WriteRequest(timeseries=sent).SerializeToString()))
    assert decoded.refused.samples == {NATIVE_HISTOGRAM: 2}
    assert decoded.refused.faults == ["h: native histograms are not supported"]
    assert len(decoded.batch) == 1


def test_exemplars_are_read_also_of_a_series_without_samples() -> None:
    one = series({"__name__": "up"}, (NOW, 1.0))
    other = series({"__name__": "down"})
    found = one.exemplars.add(value=0.5, timestamp=NOW)
    found.labels.add(name=b"trace_id", value=b"abc")
    found.labels.add(name=b"city", value=b"Z\xfcrich")
    other.exemplars.add(value=math.inf)
    body = WriteRequest(timeseries=[one, other, one]).SerializeToString()
    batch = DecoderV1().decode(padded(body)).batch
    assert [(str(batch.labels[i]), exemplar) for i, exemplar in batch.exemplars] == [
        ("up", Exemplar(Labels({"trace_id": "abc", "city": "Z\ufffdrich"}), 0.5, NOW)),
        ("down", Exemplar(Labels(), math.inf, 0, timed=False)),
        ("up", Exemplar(Labels({"trace_id": "abc", "city": "Z\ufffdrich"}), 0.5, NOW)),
    ]
    assert len(batch) == 2


def test_metadata_is_read() -> None:
    request = WriteRequest(timeseries=[series({"__name__": "up"}, (NOW, 1.0))])
    request.metadata.add(type=1, metric_family_name=b"up", help=b"Is it?", unit=b"ratio")
    request.metadata.add(type=99, metric_family_name=b"odd")  # type: ignore[arg-type] # newer
    decoded = DecoderV1().decode(padded(request.SerializeToString()))
    assert list(decoded.batch.metadata) == [
        MetricMetadata("up", "counter", "Is it?", "ratio"),
        MetricMetadata("odd", "unknown"),
    ]


def test_the_memory_of_series_is_bounded_and_batches_keep_their_labels() -> None:
    decoder = DecoderV1(capacity=10)
    held = [
        decoder.decode(
            padded(
                WriteRequest(
                    timeseries=[series({"__name__": "up", "i": str(i)}, (NOW, 1.0))]
                ).SerializeToString()
            )
        )
        for i in range(100)
    ]
    assert len(held[-1].batch.labels) <= 10
    assert [labels["i"] for one in held for labels, _, _ in rows(one)] == [
        str(i) for i in range(100)
    ]


def test_labels_can_be_asked_for_again_and_by_everyone() -> None:
    """They are kept as they were read until somebody asks, and read again after that."""
    decoder = DecoderV1()
    request = WriteRequest(timeseries=[series({"__name__": "up", "job": "a"}, (NOW, 1.0))])
    body = request.SerializeToString()
    first, again = (decoder.decode(padded(body)).batch for _ in range(2))
    up = int(first.ids[0])
    expected = Labels({"__name__": "up", "job": "a"})
    assert [first.labels[up], first.labels[up], again.labels[up]] == [expected] * 3


def test_exemplars_between_samples_do_not_slow_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    request = WriteRequest()
    for i in range(50):
        request.timeseries.append(series({"__name__": "up", "i": str(i)}, (NOW + i, i)))
        if i % 7 == 0:
            alone = series({"__name__": "up", "i": str(i)})
            alone.exemplars.add(value=i, timestamp=NOW).labels.add(name=b"id", value=b"x" * i)
            request.timeseries.append(alone)
    body = request.SerializeToString()
    slow = DecoderV1().decode_any(body)

    def not_needed(*_: object) -> Decoded:
        raise AssertionError("read object by object")

    monkeypatch.setattr(DecoderV1, "decode_any", not_needed)
    decoder = DecoderV1()
    for _ in range(2):
        fast = decoder.decode(padded(body))
        assert rows(fast) == rows(slow)
        assert list(fast.batch.exemplars) == list(slow.batch.exemplars)
        assert all(fast.batch.labels[i] == slow.batch.labels[i] for i, _ in fast.batch.exemplars)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_body_cut_off_inside_an_exemplar_is_malformed(cut: int) -> None:
    alone = series({"__name__": "up"})
    alone.exemplars.add(value=1.0, timestamp=NOW)
    request = WriteRequest(timeseries=[series({"__name__": "up"}, (NOW, 1.0)), alone])
    with pytest.raises(Malformed):
        DecoderV1().decode(padded(request.SerializeToString()[:-cut]))
