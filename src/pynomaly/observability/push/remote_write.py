"""A remote write 1.0 request, by hand, so that the base install needs no protobuf or snappy.

Source: prometheus.io/docs/specs/prw/remote_write_spec (1.0) and protobuf's encoding guide. The
messages are WriteRequest{1: TimeSeries{1: Label{1: name, 2: value}, 2: Sample{1: double, 2:
int64}, 3: Exemplar{1: Label, 2: double, 3: int64}}}. The body is snappy's block format in literals
only, which every decoder takes; a batch job's few hundred kilobytes are not worth a compressor.
"""

import struct
from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.samples import Exemplar

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
_LITERAL = 65536  # bytes; its length fits the two bytes of tag 61
_DOUBLE, _BYTES = 1, 2  # protobuf's wire types


def write_request(
    families: Iterable[Metric], now_ms: int, labels: Mapping[str, str]
) -> tuple[bytes, int]:
    """The compressed body, and the number of samples in it.

    ``labels`` go on every series, and win over a metric's own. ``_created`` samples, which only
    OpenMetrics knows, are left out.
    """
    parts = []
    for family in families:
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                named = {**sample.labels, **labels, "__name__": sample.name}
                series = _series(named, float(sample.value), now_ms)
                parts.append(_field(1, series + _exemplar(sample.exemplar, now_ms)))
    return snappy_literals(b"".join(parts)), len(parts)


def snappy_literals(data: bytes) -> bytes:
    """Snappy's block format without compression (its format_description.txt, 2.1)."""
    parts = [_varint(len(data))]
    for at in range(0, len(data), _LITERAL):
        chunk = data[at : at + _LITERAL]
        # Up to 60 bytes the tag itself holds the length; decoders want the short form there.
        short = len(chunk) <= 60
        tag = [(len(chunk) - 1) << 2] if short else [61 << 2, *struct.pack("<H", len(chunk) - 1)]
        parts.append(bytes(tag) + chunk)
    return b"".join(parts)


def _series(labels: Mapping[str, str], value: float, now_ms: int) -> bytes:
    sample = _key(1, _DOUBLE) + struct.pack("<d", value) + _key(2, 0) + _varint(now_ms)
    return _labels(labels) + _field(2, sample)


def _exemplar(exemplar: Exemplar | None, now_ms: int) -> bytes:
    if exemplar is None:
        return b""
    when = int(float(exemplar.timestamp) * 1000) if exemplar.timestamp else now_ms
    value = _key(2, _DOUBLE) + struct.pack("<d", exemplar.value) + _key(3, 0) + _varint(when)
    return _field(3, _labels(exemplar.labels) + value)


def _labels(labels: Mapping[str, str]) -> bytes:
    # The specification wants labels sorted by name, and none that are empty.
    pairs = sorted((k, v) for k, v in labels.items() if v)
    return b"".join(_field(1, _field(1, k.encode()) + _field(2, v.encode())) for k, v in pairs)


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
