"""Samples as remote readers take them: in one message, or as a stream of chunks.

Blocking and proportional to the samples read: call it from worker threads.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import cramjam
import numpy as np

from pynomaly.api.prometheus.remote_read import xor
from pynomaly.api.prometheus.remote_read.crc32c import crc32c
from pynomaly.api.prometheus.remote_read.messages_pb2 import (
    Chunk,
    ChunkedReadResponse,
    ChunkedSeries,
    Label,
)
from pynomaly.api.prometheus.remote_read.request import Query
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.state import QueryState
from pynomaly.storage.samples.remote_encoding import encode

_LARGEST_FRAME = 48 * 1024
"""Bytes of chunks in a frame: with its labels less than what the checksum is fast for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One request while it is answered: ``state`` counts, and says when it is to stop."""

    state: QueryState
    external_labels: Mapping[str, str]

    def chunks(self, query: Query) -> Iterator[SeriesSamples]:
        """The samples of a query.

        Raises:
            BadInput: there are more than one request may have.
            QueryTimeout, QueryCanceled: it took too long, or nobody waits for it.
        """
        state, most = self.state, self.state.settings.max_samples
        selected = state.select(tuple(query.matchers), query.start_ms, query.end_ms)
        with closing(selected) as chunks:
            for chunk in chunks:
                if state.samples_read > most:
                    raise BadInput(f"exceeded sample limit ({most})")
                yield chunk

    def named(self, labels: Labels) -> Labels:
        """With the external labels that the series does not have itself."""
        if not self.external_labels:
            return labels
        return Labels({**self.external_labels, **dict(labels.pairs)})


def as_samples(reading: Reading, queries: Sequence[Query]) -> bytes:
    """The body of an answer of type SAMPLES: a ``ReadResponse``, packed by snappy."""
    results = [b"".join(_timeseries(reading, query)) for query in queries]
    message = b"".join(b"\x0a" + _varint(len(result)) + result for result in results)
    return bytes(cramjam.snappy.compress_raw(message))


def _timeseries(reading: Reading, query: Query) -> Iterator[bytes]:
    """The pieces of a ``QueryResult``, which is on the wire what a remote write's request is."""
    for chunk in reading.chunks(query):
        numbers = np.repeat(np.arange(len(chunk), dtype=np.uint64), np.diff(chunk.offsets))
        labels = {number: reading.named(each) for number, each in enumerate(chunk.labels)}
        yield encode(numbers, chunk.ts, chunk.values, labels)


def as_chunks(reading: Reading, queries: Sequence[Query]) -> list[bytes]:
    """The frames of an answer of type STREAMED_XOR_CHUNKS: the series of each query in order."""
    frames: list[bytes] = []
    for index, query in enumerate(queries):
        # Written before they are put in order: chunks take a fraction of what samples do.
        series: list[tuple[Labels, list[xor.Chunk]]] = []
        for chunk in reading.chunks(query):
            encoded = xor.encode(chunk.ts, chunk.values, chunk.offsets)
            series += [(chunk.labels[number], chunks) for number, chunks in encoded]
        for labels, chunks in sorted(series, key=lambda each: each[0]):
            frames += _frames(reading.named(labels), chunks, index)
    return frames


def _frames(labels: Labels, chunks: Sequence[xor.Chunk], index: int) -> Iterator[bytes]:
    """One series, in as many frames as it takes."""
    pairs = [Label(name=name, value=value) for name, value in labels.pairs]
    some: list[Chunk] = []
    size = 0
    for chunk in chunks:
        if some and size + len(chunk.data) > _LARGEST_FRAME:
            yield _frame(pairs, some, index)
            some, size = [], 0
        some.append(
            Chunk(
                min_time_ms=chunk.min_time_ms,
                max_time_ms=chunk.max_time_ms,
                type=Chunk.XOR,
                data=chunk.data,
            )
        )
        size += len(chunk.data) + 32
    yield _frame(pairs, some, index)


def _frame(labels: Sequence[Label], chunks: Sequence[Chunk], index: int) -> bytes:
    """A message with its length and checksum before it (storage/remote/chunked.go)."""
    series = ChunkedSeries(labels=labels, chunks=chunks)
    body = ChunkedReadResponse(chunked_series=[series], query_index=index).SerializeToString()
    return _varint(len(body)) + crc32c(body).to_bytes(4, "big") + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
