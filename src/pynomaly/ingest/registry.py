"""From prometheus_client's registries to samples, without a detour through text."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from prometheus_client.core import Metric

from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import STALE, MetricMetadata, SampleBatch
from pynomaly.storage.samples.contract import Appender

_Key = tuple[str, tuple[tuple[str, str], ...]]
_TYPES = {"unknown", "counter", "gauge", "histogram", "summary", "info", "stateset"}


@dataclass(frozen=True, slots=True)
class Source:
    """Something that observes itself: a registry's or a collector's ``collect``.

    ``job`` and ``instance`` are the labels that a scrape would add.
    """

    job: str
    instance: str
    collect: Callable[[], Iterable[Metric]]


@dataclass(slots=True)
class Sampler:
    """Turns one source into batches; remembers ids, so that a series is hashed once.

    Not thread-safe; one call at a time. A series that is gone since the last call gets a
    staleness marker.
    """

    source: Source
    _ids: dict[_Key, int] = field(default_factory=dict)
    _labels: dict[int, Labels] = field(default_factory=dict)
    _last: frozenset[int] = frozenset()
    _described: dict[str, MetricMetadata] = field(default_factory=dict)

    def sample(self, at_ms: int) -> SampleBatch:
        """Collect now; every sample carries ``at_ms``. Includes ``up`` and the scrape series."""
        began = time.perf_counter()
        values: dict[int, float] = {}
        metadata: list[MetricMetadata] = []
        for family in self.source.collect():
            self._describe(family, metadata)
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    key = (sample.name, tuple(sample.labels.items()))
                    values[self._ids.get(key) or self._learn(key)] = sample.value
        count = len(values)
        for name, value in (
            ("up", 1.0),
            ("scrape_samples_scraped", float(count)),
            ("scrape_duration_seconds", time.perf_counter() - began),
        ):
            values[self._ids.get((name, ())) or self._learn((name, ()))] = value
        return self._batch(values, at_ms, metadata)

    def _batch(
        self, values: Mapping[int, float], at_ms: int, metadata: Sequence[MetricMetadata]
    ) -> SampleBatch:
        current = frozenset(values)
        gone = self._last - current
        self._last = current
        batch = SampleBatch(
            ids=np.array([*values, *gone], dtype=np.uint64),
            ts=np.full(len(values) + len(gone), at_ms, dtype=np.int64),
            values=np.concatenate(
                [np.fromiter(values.values(), np.float64), np.full(len(gone), STALE)]
            ),
            labels={i: self._labels[i] for i in (*values, *gone)} if gone else self._labels,
            metadata=metadata,
        )
        if gone:
            self._forget(gone)
        return batch

    def _learn(self, key: _Key) -> int:
        name, pairs = key
        own = {"job": self.source.job, "instance": self.source.instance}
        # As in a scrape without honor_labels: what the source said moves aside.
        theirs = {f"exported_{n}" if n in own else n: v for n, v in pairs}
        labels = Labels({**theirs, **own, "__name__": name})
        number = self._ids[key] = series_id(labels)
        self._labels[number] = labels
        return number

    def _forget(self, gone: frozenset[int]) -> None:
        # New dictionaries: a batch that is still being written may hold the old ones.
        self._ids = {key: i for key, i in self._ids.items() if i not in gone}
        self._labels = {i: labels for i, labels in self._labels.items() if i not in gone}

    def _describe(self, family: Metric, into: list[MetricMetadata]) -> None:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name in self._described:
            return
        kind = family.type if family.type in _TYPES else "unknown"
        self._described[name] = MetricMetadata(name, kind, family.documentation, family.unit)
        into.append(self._described[name])


class SelfObservation:
    """Periodic work for the scheduler: samples every source and appends it.

    ``await observation(due)`` stores everything with the time ``due`` (epoch seconds), so that
    a newcomer sees data without configuring anything.
    """

    def __init__(self, appender: Appender, sources: Sequence[Source]) -> None:
        self._appender = appender
        self._samplers = [Sampler(source) for source in sources]

    async def __call__(self, due: float) -> None:
        """Sample and store once.

        Raises:
            EngineBusy, DiskFull: nothing was stored; the next run tries again with new samples.
        """
        at_ms = round(due * 1000)
        batches = await asyncio.to_thread(lambda: [s.sample(at_ms) for s in self._samplers])
        await self._appender.append(joined(batches))


def joined(batches: Sequence[SampleBatch]) -> SampleBatch:
    """One batch of several, so that they are committed at once."""
    labels: dict[int, Labels] = {}
    for batch in batches:
        labels.update(batch.labels)
    return SampleBatch(
        ids=np.concatenate([b.ids for b in batches]),
        ts=np.concatenate([b.ts for b in batches]),
        values=np.concatenate([b.values for b in batches]),
        labels=labels,
        metadata=[m for b in batches for m in b.metadata],
    )
