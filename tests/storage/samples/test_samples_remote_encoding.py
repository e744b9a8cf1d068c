"""The message of remote write 1.0, judged by the official protobuf."""

import math

import numpy as np

from pynomaly.ingest.remote_write import v1_pb2
from pynomaly.ingest.remote_write.decode_v1 import DecoderV1
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import STALE, MetricMetadata
from pynomaly.storage.samples.remote_encoding import encode, encode_exemplars

A = Labels({"__name__": "a", "x": "ü" * 200})
B = Labels({"__name__": "b"})


def decoded(
    ids: list[int], ts: list[int], values: list[float], *metadata: MetricMetadata
) -> v1_pb2.WriteRequest:
    request = v1_pb2.WriteRequest()
    request.ParseFromString(
        encode(
            np.array(ids, dtype=np.uint64),
            np.array(ts, dtype=np.int64),
            np.array(values),
            {series_id(A): A, series_id(B): B},
            metadata,
        )
    )
    return request


def test_series_hold_their_labels_and_samples() -> None:
    now = 1_700_000_000_000
    a, b = series_id(A), series_id(B)
    request = decoded([a, a, b], [now, now + 15_000, now], [1.5, -2.0, 3.0])
    first, second = request.timeseries
    assert [(x.name.decode(), x.value.decode()) for x in first.labels] == list(A.pairs)
    assert [(s.timestamp, s.value) for s in first.samples] == [(now, 1.5), (now + 15_000, -2.0)]
    assert [(x.name.decode(), x.value.decode()) for x in second.labels] == list(B.pairs)
    assert [(s.timestamp, s.value) for s in second.samples] == [(now, 3.0)]


def test_every_time_is_written_right() -> None:
    times = [0, 1, 127, 128, 2**35 - 1, 2**35, 2**42 - 1, 2**42, 2**62, -1, -(2**62)]
    for some in (times, [t for t in times if 2**35 <= t < 2**42]):
        request = decoded([series_id(A)] * len(some), some, [float(t) for t in some])
        assert [s.timestamp for s in request.timeseries[0].samples] == some
        assert [s.value for s in request.timeseries[0].samples] == [float(t) for t in some]


def test_a_staleness_marker_keeps_its_bits() -> None:
    for at in (1_700_000_000_000, 1):
        request = decoded([series_id(A)], [at], [float(STALE)])
        found = np.array([request.timeseries[0].samples[0].value])
        assert found.view(np.uint64).tolist() == np.array([STALE]).view(np.uint64).tolist()


def test_metadata_is_carried() -> None:
    said = MetricMetadata("a", "histogram", "How long.", "seconds")
    (found,) = decoded([], [], [], said).metadata
    assert (found.type, found.metric_family_name, found.help, found.unit) == (
        v1_pb2.MetricMetadata.HISTOGRAM,
        b"a",
        b"How long.",
        b"seconds",
    )


def test_exemplars_are_carried_as_we_read_them() -> None:
    sent = [
        (
            series_id(A),
            Exemplar(Labels({"trace_id": "ü", "span_id": "b"}), 0.25, 1_700_000_000_123),
        ),
        (series_id(B), Exemplar(Labels(), -math.inf, -5)),
    ]
    body = encode_exemplars(sent, {series_id(A): A, series_id(B): B})
    batch = DecoderV1().decode_any(body).batch
    assert list(batch.exemplars) == sent
    assert [batch.labels[i] for i, _ in sent] == [A, B]
