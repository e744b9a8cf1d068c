"""The last minutes of a few series in memory: what the product knows of itself without a store."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, all_match
from pynomaly.model.samples import Appended, MetricMetadata, SampleBatch, SeriesSamples

_SWEEP = 50
"""How many times batches are forgotten before labels that nothing uses any more are."""


class RecentSamples:
    """Both an ``Appender`` and a ``SampleReader``; forgets what is older than ``seconds``.

    Made for some thousand series: batches are kept as they came, 24 bytes a sample.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._keep_ms = round(seconds * 1000)
        self._batches: deque[SampleBatch] = deque()
        self._labels: dict[int, Labels] = {}
        self._metadata: dict[str, MetricMetadata] = {}
        self._forgotten = 0
        self._lock = threading.Lock()

    async def append(self, batch: SampleBatch) -> Appended:
        """Keep a batch; of samples with the same time the last one is kept."""
        oldest = now_ms(self._clock) - self._keep_ms
        with self._lock:
            self._metadata.update({each.name: each for each in batch.metadata})
            if len(batch):
                self._labels.update((i, batch.labels[i]) for i in set(batch.ids.tolist()))
                # Without the source's own mapping, which may grow.
                self._batches.append(SampleBatch(batch.ids, batch.ts, batch.values, {}))
            if self._batches and self._batches[0].ts.max() < oldest:
                self._forget(oldest)
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
        """Samples in a closed time range, in one chunk; see ``SampleReader``."""
        with self._lock:
            wanted = {i: each for i, each in self._labels.items() if all_match(matchers, each)}
            batches = [b for b in self._batches if b.ts.max() >= start_ms]
        if not wanted or not batches:
            return
        ids = np.concatenate([b.ids for b in batches])
        ts = np.concatenate([b.ts for b in batches])
        values = np.concatenate([b.values for b in batches])
        known = np.fromiter(wanted, dtype=np.uint64, count=len(wanted))
        mine = np.flatnonzero((ts >= start_ms) & (ts <= end_ms) & np.isin(ids, known))
        order = mine[np.lexsort((ts[mine], ids[mine]))]
        ids, ts, values = ids[order], ts[order], values[order]
        last = np.ones(len(ids), dtype=np.bool_)
        last[:-1] = (ids[1:] != ids[:-1]) | (ts[1:] != ts[:-1])
        ids, ts, values = ids[last], ts[last], values[last]
        if not len(ids):
            return
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
        labels = [wanted[i] for i in ids[starts].tolist()]
        yield SeriesSamples(labels, np.append(starts, len(ids)).astype(np.int64), ts, values)

    def series(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]:
        """The series that a selection names and that have samples in the range, sorted."""
        found: set[Labels] = set()
        for matchers in selections or [()]:
            for chunk in self.select(matchers, start_ms, end_ms):
                found.update(chunk.labels)
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
        with self._lock:
            known = dict(self._metadata)
        return {n: [m] for n, m in sorted(known.items()) if not metric or n == metric}

    def _forget(self, oldest: int) -> None:
        while self._batches and self._batches[0].ts.max() < oldest:
            self._batches.popleft()
        self._forgotten += 1
        if self._forgotten % _SWEEP or not self._batches:
            return
        left = set(np.unique(np.concatenate([b.ids for b in self._batches])).tolist())
        if len(left) < len(self._labels):
            self._labels = {i: each for i, each in self._labels.items() if i in left}
