"""Reads what a remote read answers, bit by bit as the format says."""

from collections.abc import Iterator, Sequence

import cramjam

from pynomaly.api.prometheus.remote_read.messages_pb2 import (
    ChunkedReadResponse,
    LabelMatcher,
    Query,
    ReadRequest,
    ReadResponse,
)

Sample = tuple[int, int]
"""Milliseconds, and the bits of the value."""

SAMPLES, CHUNKS = ReadRequest.SAMPLES, ReadRequest.STREAMED_XOR_CHUNKS


def request(
    *matchers: tuple[str, str, str],
    start: int,
    end: int,
    accepts: Sequence[int] = (),
    queries: int = 1,
) -> bytes:
    """A packed request; a matcher is name, operator, value."""
    types = {"=": LabelMatcher.EQ, "!=": LabelMatcher.NEQ, "=~": LabelMatcher.RE}
    found = [LabelMatcher(name=n, type=types[op], value=v) for n, op, v in matchers]
    query = Query(start_timestamp_ms=start, end_timestamp_ms=end, matchers=found)
    message = ReadRequest(queries=[query] * queries, accepted_response_types=list(accepts))
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


def samples_of(body: bytes) -> list[list[tuple[dict[str, str], list[tuple[int, float]]]]]:
    """Query by query the series of an answer of type SAMPLES."""
    response = ReadResponse()
    response.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    return [
        [
            (
                {la.name: la.value for la in series.labels},
                [(s.timestamp, s.value) for s in series.samples],
            )
            for series in result.timeseries
        ]
        for result in response.results
    ]


def frames_of(body: bytes) -> Iterator[tuple[int, ChunkedReadResponse]]:
    """Checksum and message of each frame of a stream."""
    at = 0
    while at < len(body):
        size = shift = 0
        while True:
            byte, at = body[at], at + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        checksum = int.from_bytes(body[at : at + 4], "big")
        message = ChunkedReadResponse()
        message.ParseFromString(body[at + 4 : at + 4 + size])
        at += 4 + size
        yield checksum, message


def decoded(chunk: bytes) -> list[Sample]:
    """The samples of one XOR chunk."""
    bits = _Bits(chunk)
    count = bits.take(16)
    number = bits.varint()
    time, value = (number >> 1) ^ -(number & 1), bits.take(64)
    found = [(time, value)]
    step = leading = trailing = 0
    for place in range(1, count):
        step = bits.varint() if place == 1 else step + _change(bits)
        time += step
        if bits.take(1):
            if bits.take(1):
                leading, kept = bits.take(5), bits.take(6) or 64
                trailing = 64 - leading - kept
            value ^= bits.take(64 - leading - trailing) << trailing
        found.append((time, value))
    return found


def _change(bits: "_Bits") -> int:
    mark = 0
    while mark < 4 and bits.take(1):
        mark += 1
    size = (0, 14, 17, 20, 64)[mark]
    number = bits.take(size)
    negative = number >> 63 if size == 64 else size and number > 1 << (size - 1)
    return number - (1 << size) if negative else number


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._data, self._left = int.from_bytes(data, "big"), len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        assert self._left >= 0, "the chunk ends too early"
        return self._data >> self._left & ((1 << count) - 1)

    def varint(self) -> int:
        number = shift = 0
        while True:
            byte = self.take(8)
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
