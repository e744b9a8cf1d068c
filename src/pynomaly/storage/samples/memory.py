"""Samples in memory: the contract without an engine, for tests and small tools."""

import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, all_match
from pynomaly.model.samples import Appended, MetricMetadata, SampleBatch, SeriesSamples


class MemorySamples:
    """Both an ``Appender`` and a ``SampleReader``; keeps everything, forgets on exit."""

    def __init__(self) -> None:
        self._series: dict[Labels, dict[int, float]] = {}
        self._columns: dict[Labels, tuple[np.ndarray, np.ndarray]] = {}
        self._metadata: dict[str, list[MetricMetadata]] = {}
        self._lock = threading.Lock()

    async def append(self, batch: SampleBatch) -> Appended:
        """Store a batch; of samples with the same time the last one is kept."""
        values = np.ascontiguousarray(batch.values)
        with self._lock:
            for i, ts, at in zip(batch.ids.tolist(), batch.ts.tolist(), values, strict=True):
                labels = batch.labels[i]
                self._series.setdefault(labels, {})[ts] = at
                self._columns.pop(labels, None)
            for each in batch.metadata:
                known = self._metadata.setdefault(each.name, [])
                if each not in known:
                    known.append(each)
        return Appended(len(batch))

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        """Samples in a closed time range; see ``SampleReader``."""
        labels: list[Labels] = []
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        size = 0
        for each in self._matching([matchers]):
            ts, values = self._column(each)
            rows = slice(
                int(np.searchsorted(ts, start_ms, side="left")),
                int(np.searchsorted(ts, end_ms, side="right")),
            )
            if rows.start == rows.stop:
                continue
            if size and size + rows.stop - rows.start > chunk_samples:
                yield _chunk(labels, parts)
                labels, parts, size = [], [], 0
            labels.append(each)
            parts.append((ts[rows], values[rows]))
            size += rows.stop - rows.start
        if labels:
            yield _chunk(labels, parts)

    def series(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]:
        """The series that a selection names and that have samples in the range, sorted."""
        found = []
        for labels in self._matching(selections):
            ts, _ = self._column(labels)
            if ((ts >= start_ms) & (ts <= end_ms)).any():
                found.append(labels)
        return sorted(found)

    def label_names(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """The names of the labels of such series, sorted."""
        return sorted({name for each in self.series(selections, start_ms, end_ms) for name in each})

    def label_values(
        self, name: str, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """The values of one label among such series, sorted."""
        found = {each.get(name, "") for each in self.series(selections, start_ms, end_ms)}
        return sorted(found - {""})

    def metadata(self, metric: str = "") -> dict[str, list[MetricMetadata]]:
        """What sources said of each metric family, or of one."""
        if metric:
            return {metric: self._metadata[metric]} if metric in self._metadata else {}
        return dict(self._metadata)

    def _matching(self, selections: Sequence[Sequence[Matcher]]) -> Iterable[Labels]:
        with self._lock:
            known = list(self._series)
        return [
            labels
            for labels in known
            if not selections or any(all_match(matchers, labels) for matchers in selections)
        ]

    def _column(self, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
        with self._lock:
            if labels not in self._columns:
                rows = sorted(self._series[labels].items())
                ts = np.array([ts for ts, _ in rows], dtype=np.int64)
                values = np.array([value for _, value in rows], dtype=np.float64)
                self._columns[labels] = (ts, values)
            return self._columns[labels]


def _chunk(labels: list[Labels], parts: list[tuple[np.ndarray, np.ndarray]]) -> SeriesSamples:
    lengths = [len(ts) for ts, _ in parts]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    ts = np.concatenate([ts for ts, _ in parts])
    return SeriesSamples(labels, offsets, ts, np.concatenate([values for _, values in parts]))
