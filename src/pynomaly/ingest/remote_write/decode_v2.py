"""Decodes a remote write 2.0 request, whose labels are references into a table of symbols."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from google.protobuf.message import DecodeError

from pynomaly.ingest.remote_write.decoded import (
    INVALID_LABELS,
    INVALID_REFERENCE,
    NATIVE_HISTOGRAM,
    NO_SAMPLES,
    Decoded,
    Malformed,
    Refused,
    metric_type,
)
from pynomaly.ingest.remote_write.series import REFUSED, SeriesCache, SeriesIds, labels_of
from pynomaly.ingest.remote_write.v2_pb2 import Exemplar as WireExemplar
from pynomaly.ingest.remote_write.v2_pb2 import Metadata, Request, TimeSeries
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata, SampleBatch

Symbols = tuple[bytes, ...]

_FAMILY_SUFFIXES = {
    "histogram": ("_bucket", "_sum", "_count"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "summary": ("_sum", "_count"),
}


class DecoderV2:
    """Remembers the series it has seen, up to ``capacity`` of them. Threads may share it."""

    def __init__(self, capacity: int = 500_000) -> None:
        self._series: SeriesCache[Symbols] = SeriesCache(_labels_of_symbols, capacity)

    def decode(self, body: bytes) -> Decoded:
        """Decode a request.

        Raises:
            Malformed: not an ``io.prometheus.write.v2.Request``, or without its table of symbols.
        """
        try:
            request = Request.FromString(body)
        except DecodeError as error:
            raise Malformed(
                f"the body is not an io.prometheus.write.v2.Request: {error}"
            ) from error
        symbols = list(request.symbols)
        if request.timeseries and (not symbols or symbols[0]):
            raise Malformed("the table of symbols must begin with an empty string")
        reading = _Reading(symbols, self._series.ids())
        for series in request.timeseries:
            reading.add(series)
        return reading.result()


def _labels_of_symbols(symbols: Symbols) -> Labels:
    return labels_of(list(zip(symbols[::2], symbols[1::2], strict=True)))


@dataclass(slots=True)
class _Reading:
    """What has been read of one request so far."""

    symbols: list[bytes]
    ids: SeriesIds[Symbols]
    found: list[int] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    described: set[bytes] = field(default_factory=set)
    metadata: dict[str, MetricMetadata] = field(default_factory=dict)
    refused: Refused = field(default_factory=Refused)
    exemplars: list[tuple[int, Exemplar]] = field(default_factory=list)

    def add(self, series: TimeSeries) -> None:
        samples, histograms = list(series.samples), len(series.histograms)
        refs = list(series.labels_refs)
        if not refs or len(refs) % 2 or max(refs) >= len(self.symbols):
            fault = f"labels_refs {refs[:24]}: {_fault_of(refs, len(self.symbols))}"
            self.refused.add(INVALID_REFERENCE, len(samples) + histograms, fault)
            return
        key = itemgetter(*refs)(self.symbols)
        if (one := self.ids[key]) == REFUSED:
            self.refused.add(INVALID_LABELS, len(samples) + histograms, self.ids.fault(key))
            return
        if histograms:
            fault = f"{self.ids.labels[one]}: {NATIVE_HISTOGRAM}"
            self.refused.add(NATIVE_HISTOGRAM, histograms, fault)
        elif not samples and not series.exemplars:
            self.refused.add(NO_SAMPLES, 0, f"{self.ids.labels[one]}: {NO_SAMPLES}")
        self.found.extend([one] * len(samples))
        self.ts.extend([sample.timestamp for sample in samples])
        self.values.extend([sample.value for sample in samples])
        if series.exemplars:
            self._exemplars(one, series.exemplars)
        name = key[2 * key[::2].index(b"__name__") + 1]
        if name not in self.described:
            self._describe(name, series.metadata)

    def _exemplars(self, series: int, received: Iterable[WireExemplar]) -> None:
        for wire in received:
            refs = list(wire.labels_refs)
            if len(refs) % 2 or max(refs, default=0) >= len(self.symbols):
                fault = (
                    f"an exemplar's labels_refs {refs[:24]}: {_fault_of(refs, len(self.symbols))}"
                )
                self.refused.add(INVALID_REFERENCE, 0, fault)
                continue
            texts = [self.symbols[ref].decode(errors="replace") for ref in refs]
            labels = Labels(zip(texts[::2], texts[1::2], strict=True))
            timed = wire.timestamp != 0
            self.exemplars.append((series, Exemplar(labels, wire.value, wire.timestamp, timed)))

    def _describe(self, metric: bytes, said: Metadata) -> None:
        count = len(self.symbols)
        if not (said.type or said.help_ref or said.unit_ref):
            return
        self.described.add(metric)
        if said.help_ref >= count or said.unit_ref >= count:
            fault = f"metadata refers to symbol {max(said.help_ref, said.unit_ref)} of {count}"
            self.refused.add(INVALID_REFERENCE, 0, fault)
            return
        kind = metric_type(said.type)
        name = _family(metric.decode(), kind)
        self.metadata[name] = MetricMetadata(
            name=name,
            type=kind,
            help=self.symbols[said.help_ref].decode(errors="replace"),
            unit=self.symbols[said.unit_ref].decode(errors="replace"),
        )

    def result(self) -> Decoded:
        batch = SampleBatch(
            ids=np.array(self.found, dtype=np.uint64),
            ts=np.array(self.ts, dtype=np.int64),
            values=np.array(self.values, dtype=np.float64),
            labels=self.ids.labels,
            metadata=list(self.metadata.values()),
            exemplars=self.exemplars,
        )
        return Decoded(batch, self.refused)


def _fault_of(refs: Sequence[int], symbols: int) -> str:
    if not refs:
        return "a time series without labels"
    if len(refs) % 2:
        return f"{len(refs)} references do not make pairs of name and value"
    return f"symbol {max(refs)} of a table of {symbols}"


def _family(name: str, kind: str) -> str:
    for suffix in _FAMILY_SUFFIXES.get(kind, ()):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
