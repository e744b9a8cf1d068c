"""Remote write 1.0: the protobuf message ``prometheus.WriteRequest``, written without a library.

``WriteRequest {TimeSeries timeseries = 1; MetricMetadata metadata = 3}``,
``TimeSeries {Label labels = 1; Sample samples = 2; Exemplar exemplars = 3}``,
``Label {string name = 1, value = 2}``, ``Sample {double value = 1; int64 timestamp = 2}``,
``Exemplar {Label labels = 1; double value = 2; int64 timestamp = 3}``,
``MetricMetadata {MetricType type = 1; string metric_family_name = 2, help = 4, unit = 5}``
(prometheus/prometheus, prompb/*.proto).
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.samples import IdArray, MetricMetadata, TimeArray, ValueArray

_TYPES = {
    "counter": 1,
    "gauge": 2,
    "histogram": 3,
    "gaugehistogram": 4,
    "summary": 5,
    "info": 6,
    "stateset": 7,
}
_REMEMBERED = 100_000
"""Series whose encoded labels are kept, some 100 bytes each; the same ones come again and again."""
_SAMPLE_BYTES = 18
# The times whose varint has exactly six bytes: from February 1971 to May 2109.
_SHORTEST, _LONGEST = 1 << 35, 1 << 42


def encode(
    ids: IdArray,
    ts: TimeArray,
    values: ValueArray,
    labels: Mapping[int, Labels],
    metadata: Sequence[MetricMetadata] = (),
) -> bytes:
    """The message for samples; neighbours of one id share a series. Values keep their bits."""
    message = [_metadata(each) for each in metadata]
    if not len(ids):
        return b"".join(message)
    samples, offsets = _samples(ts, values)
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    ends = np.append(starts[1:], len(ids))
    for first, begin, end in zip(
        ids[starts].tolist(), offsets[starts].tolist(), offsets[ends].tolist(), strict=True
    ):
        head = _labels(labels[first])
        message += (b"\x0a", _varint(len(head) + end - begin), head, samples[begin:end])
    return b"".join(message)


def encode_exemplars(
    exemplars: Sequence[tuple[int, Exemplar]], labels: Mapping[int, Labels]
) -> bytes:
    """The message for exemplars alone, each after the id of its series."""
    return b"".join(
        _field(1, _labels(labels[series]) + _field(3, _exemplar(each)))
        for series, each in exemplars
    )


def _exemplar(exemplar: Exemplar) -> bytes:
    value = b"\x11" + struct.pack("<d", exemplar.value)
    return _pairs(exemplar.labels) + value + b"\x18" + _varint(exemplar.ts % (1 << 64))


def _samples(ts: TimeArray, values: ValueArray) -> tuple[bytes, NDArray[np.int64]]:
    """Every sample as field 2 of its series, one after the other, and where each begins."""
    if ((ts < _SHORTEST) | (ts >= _LONGEST)).any():
        return _odd_samples(ts, values)
    rows = np.empty((len(ts), _SAMPLE_BYTES), dtype=np.uint8)
    rows[:, :3] = (0x12, _SAMPLE_BYTES - 2, 0x09)
    rows[:, 3:11] = np.ascontiguousarray(values, dtype="<f8").view(np.uint8).reshape(-1, 8)
    rows[:, 11] = 0x10
    for byte in range(6):
        more = 0x80 if byte < 5 else 0
        rows[:, 12 + byte] = ((ts >> (7 * byte)) & 0x7F) | more
    return rows.tobytes(), np.arange(len(ts) + 1, dtype=np.int64) * _SAMPLE_BYTES


def _odd_samples(ts: TimeArray, values: ValueArray) -> tuple[bytes, NDArray[np.int64]]:
    """The same for times whose varints differ in length; negative ones take ten bytes."""
    raw = np.ascontiguousarray(values, dtype="<f8").tobytes()
    found = []
    for number, at in enumerate(ts.tolist()):
        body = b"\x09" + raw[8 * number : 8 * number + 8] + b"\x10" + _varint(at % (1 << 64))
        found.append(b"\x12" + _varint(len(body)) + body)
    offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
    return b"".join(found), offsets


def _pairs(labels: Labels) -> bytes:
    return b"".join(
        _field(1, _field(1, n.encode()) + _field(2, v.encode())) for n, v in labels.pairs
    )


_labels = lru_cache(maxsize=_REMEMBERED)(_pairs)


def _metadata(each: MetricMetadata) -> bytes:
    body = b""
    if kind := _TYPES.get(each.type, 0):
        body += b"\x08" + _varint(kind)
    for number, text in ((2, each.name), (4, each.help), (5, each.unit)):
        if text:
            body += _field(number, text.encode())
    return _field(3, body)


def _field(number: int, body: bytes) -> bytes:
    """A field of bytes (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
