"""Decodes a remote write 1.0 request: in bulk when it is regular, object by object otherwise.

A regular body holds nothing but time series of labels followed by samples with a timestamp
between 1971 and 2109. That is what Prometheus and its kin send nearly all the time. Exemplars in
series of their own, as Prometheus sends them, are read beside; a request with exemplars after
samples, native histograms or metadata takes the slower way.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from google.protobuf.message import DecodeError

from pynomaly.ingest.remote_write.decoded import (
    INVALID_LABELS,
    NATIVE_HISTOGRAM,
    Decoded,
    Malformed,
    Refused,
    metric_type,
)
from pynomaly.ingest.remote_write.regular_v1 import (
    PADDING,
    Bytes,
    Columns,
    regular_columns,
    set_aside,
)
from pynomaly.ingest.remote_write.series import REFUSED, SeriesCache, SeriesIds, labels_of
from pynomaly.ingest.remote_write.v1_pb2 import Exemplar as WireExemplar
from pynomaly.ingest.remote_write.v1_pb2 import MetricMetadata as WireMetadata
from pynomaly.ingest.remote_write.v1_pb2 import TimeSeries, WriteRequest
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata, SampleBatch

Pairs = tuple[tuple[bytes, bytes], ...]


class _Irregular(Exception):
    """What stands before the samples of a series is not only labels."""


class DecoderV1:
    """Remembers the series it has seen, up to ``capacity`` of them. Threads may share it."""

    def __init__(self, capacity: int = 500_000) -> None:
        self._by_bytes: SeriesCache[bytes] = SeriesCache(_labels_of_bytes, capacity)
        self._by_pairs: SeriesCache[Pairs] = SeriesCache(labels_of, capacity)

    def decode(self, padded: Bytes) -> Decoded:
        """Decode a body that ``PADDING`` zero bytes follow.

        Raises:
            Malformed: not a ``prometheus.WriteRequest``.
        """
        columns, others = regular_columns(padded), list[bytes]()
        if columns is None and (divided := set_aside(padded)) is not None:
            columns, others = regular_columns(divided[0]), divided[1]
        if columns is not None:
            ids = self._by_bytes.ids()
            with contextlib.suppress(_Irregular):
                return _with_exemplars(_from_columns(columns, ids), others, ids)
        return self.decode_any(padded[:-PADDING].tobytes())

    def decode_any(self, body: bytes) -> Decoded:
        """Decode object by object: slower, and knows the whole schema.

        Raises:
            Malformed: not a ``prometheus.WriteRequest``.
        """
        try:
            request = WriteRequest.FromString(body)
        except DecodeError as error:
            raise Malformed(f"the body is not a prometheus.WriteRequest: {error}") from error
        return _from_objects(request, self._by_pairs.ids())


def _labels_of_bytes(block: bytes) -> Labels:
    try:
        series = TimeSeries.FromString(block)
    except DecodeError:
        raise _Irregular from None
    if series.samples or series.exemplars or series.histograms:
        raise _Irregular
    return labels_of([(label.name, label.value) for label in series.labels])


def _from_columns(columns: Columns, ids: SeriesIds[bytes]) -> Decoded:
    found = np.fromiter(map(ids.__getitem__, columns.labels), np.uint64, len(columns.labels))
    refused = Refused()
    ts, values, counts = columns.ts, columns.values, columns.counts
    if not found.all():
        for i in np.flatnonzero(found == REFUSED).tolist():
            refused.add(INVALID_LABELS, int(counts[i]), ids.fault(columns.labels[i]))
        keep = np.repeat(found != REFUSED, counts)
        ts, values = ts[keep], values[keep]
        counts = np.where(found == REFUSED, 0, counts)
    batch = SampleBatch(np.repeat(found, counts), ts, values, ids.labels)
    return Decoded(batch, refused)


def _with_exemplars(decoded: Decoded, blocks: list[bytes], ids: SeriesIds[bytes]) -> Decoded:
    """Add the exemplars of series that have nothing else."""
    exemplars: list[tuple[int, Exemplar]] = []
    for block in blocks:
        try:
            series = TimeSeries.FromString(block)
        except DecodeError:
            raise _Irregular from None
        own = [_exemplar(each) for each in series.exemplars]
        series.ClearField("exemplars")
        if series.samples or series.histograms:
            raise _Irregular
        if own and (one := ids[series.SerializeToString()]) == REFUSED:
            raise _Irregular
        exemplars += [(one, each) for each in own]
    decoded.batch = replace(decoded.batch, exemplars=exemplars) if exemplars else decoded.batch
    return decoded


def _from_objects(request: WriteRequest, ids: SeriesIds[Pairs]) -> Decoded:
    refused = Refused()
    exemplars: list[tuple[int, Exemplar]] = []
    found: list[int] = []
    ts: list[int] = []
    values: list[float] = []
    for series in request.timeseries:
        key = tuple([(label.name, label.value) for label in series.labels])
        samples, histograms = series.samples, len(series.histograms)
        if not samples and not histograms and not series.exemplars:
            continue
        if (one := ids[key]) == REFUSED:
            refused.add(INVALID_LABELS, len(samples) + histograms, ids.fault(key))
            continue
        if histograms:
            refused.add(NATIVE_HISTOGRAM, histograms, f"{ids.labels[one]}: {NATIVE_HISTOGRAM}")
        found.extend([one] * len(samples))
        ts.extend([sample.timestamp for sample in samples])
        values.extend([sample.value for sample in samples])
        if series.exemplars:
            exemplars.extend([(one, _exemplar(each)) for each in series.exemplars])
    batch = SampleBatch(
        ids=np.array(found, dtype=np.uint64),
        ts=np.array(ts, dtype=np.int64),
        values=np.array(values, dtype=np.float64),
        labels=ids.labels,
        metadata=_metadata(request.metadata),
        exemplars=exemplars,
    )
    return Decoded(batch, refused)


def _exemplar(wire: WireExemplar) -> Exemplar:
    # No exemplar is lost by text that is not UTF-8: its labels are for people.
    pairs = [(label.name, label.value) for label in wire.labels]
    labels = Labels({n.decode(errors="replace"): v.decode(errors="replace") for n, v in pairs})
    return Exemplar(labels, wire.value, wire.timestamp, timed=wire.timestamp != 0)


def _metadata(entries: Sequence[WireMetadata]) -> list[MetricMetadata]:
    return [
        MetricMetadata(
            name=entry.metric_family_name.decode(errors="replace"),
            type=metric_type(entry.type),
            help=entry.help.decode(errors="replace"),
            unit=entry.unit.decode(errors="replace"),
        )
        for entry in entries
        if entry.metric_family_name
    ]
