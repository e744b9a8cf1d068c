"""What a commit does: check, name new series, store. Runs in one thread only."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.labels import Labels
from pynomaly.model.samples import (
    Appended,
    BoolArray,
    IdArray,
    MetricMetadata,
    SampleBatch,
    TimeArray,
    ValueArray,
)
from pynomaly.storage.engine.arrow import table
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.exemplars.contract import Taken
from pynomaly.storage.exemplars.store import ExemplarStore
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.head import Head, Rows
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.types import SlotArray

_SOURCES_REMEMBERED = 32

Number = TypeVar("Number", bound=np.generic)


@dataclass(eq=False)
class _Part:
    """What is left of a batch after the checks, and what was refused."""

    ids: IdArray
    ts: TimeArray
    values: ValueArray
    labels: Mapping[int, Labels]
    slots: SlotArray = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    names: Mapping[int, Labels] = field(default_factory=dict)
    """Of its series those that nobody named before."""
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, bad: BoolArray, reason: str, message: str) -> None:
        count = int(np.count_nonzero(bad))
        if not count:
            return
        self.refused[message] = self.refused.get(message, 0) + count
        metrics.REFUSED.labels(reason).inc(count)
        keep = ~bad
        self.ids, self.ts, self.values = self.ids[keep], self.ts[keep], self.values[keep]
        if len(self.slots):
            self.slots = self.slots[keep]


class Verified:
    """Remembers, for the last few sources, which series' labels were compared already.

    A source is known by its ``labels`` mapping, which it passes with every batch. That a mapping
    changes the labels of an id would mean that the source itself met two label sets with one id.
    """

    def __init__(self) -> None:
        self._sources: OrderedDict[int, tuple[Mapping[int, Labels], BoolArray]] = OrderedDict()

    def of(self, labels: Mapping[int, Labels], slots_used: int) -> BoolArray:
        """The mask over slots of a source; mark in it what was compared."""
        _, mask = self._sources.pop(id(labels), (labels, np.zeros(0, dtype=np.bool_)))
        if len(mask) < slots_used:
            grown = np.zeros(slots_used * 9 // 8 + 64, dtype=np.bool_)
            grown[: len(mask)] = mask
            mask = grown
        # The mapping is kept, so that its address is not given to another.
        self._sources[id(labels)] = (labels, mask)
        while len(self._sources) > _SOURCES_REMEMBERED:
            self._sources.popitem(last=False)
        return mask


class CommitWriter:
    """Stores batches in one go."""

    def __init__(
        self,
        engine: SignalEngine,
        index: SeriesIndex,
        head: Head,
        exemplars: ExemplarStore,
        clock: Clock,
        settings: SampleSettings,
    ) -> None:
        self._engine = engine
        self._index = index
        self._head = head
        self._exemplars = exemplars
        self._clock = clock
        self._settings = settings
        self._verified = Verified()
        self.metadata: dict[str, MetricMetadata] = {}
        self.newest_ms = 0

    def write(self, batches: Sequence[SampleBatch]) -> list[Appended | ValueError]:
        """Store batches, the later over the earlier; a broken batch spoils only itself.

        Raises:
            EngineError: none of them can be counted on; all may be sent again.
        """
        outcomes: list[_Part | ValueError] = [self._admit(batch) for batch in batches]
        self._name_new_series(outcomes)
        parts = [part for part in outcomes if isinstance(part, _Part)]
        self._store(parts)
        taken = self._store_exemplars(batches)
        self._store_metadata([m for batch in batches for m in batch.metadata])
        return [
            Appended(len(part.ids), part.refused, own.stored, own.refused)
            if isinstance(part, _Part)
            else part
            for part, own in zip(outcomes, taken, strict=True)
        ]

    def _admit(self, batch: SampleBatch) -> "_Part | ValueError":
        if not len(batch.ids) == len(batch.ts) == len(batch.values):
            return ValueError("the columns of a batch must have one length")
        part = _Part(batch.ids, batch.ts, batch.values, batch.labels)
        if not len(batch):
            return part
        oldest, latest = self._open_range()
        if part.ts.min() < oldest:
            days = f"{self._settings.retention_days:g}"
            part.refuse(part.ts < oldest, "too_old", f"older than the retention of {days} days")
        if len(part.ts) and part.ts.max() > latest:
            seconds = f"{self._settings.future_seconds:g}"
            message = f"more than {seconds} s ahead of the server's clock"
            part.refuse(part.ts > latest, "too_far_ahead", message)
        return part

    def _open_range(self) -> tuple[int, int]:
        """The first and the last time that may be stored now."""
        now = now_ms(self._clock)
        oldest = now - round(self._settings.retention_days * DAY_MS)
        return oldest, now + round(self._settings.future_seconds * 1000)

    def _name_new_series(self, outcomes: list[_Part | ValueError]) -> None:
        """Give every sample its series' slot."""
        new: dict[int, Labels] = {}
        waiting: list[_Part] = []
        for place, part in enumerate(outcomes):
            if not isinstance(part, _Part):
                continue
            part.slots = self._slots(part.ids)
            unknown = part.ids[part.slots < 0]
            if len(unknown):
                try:
                    part.names = {
                        series: part.labels[series]
                        for series in np.unique(unknown).tolist()
                        if series not in new
                    }
                except KeyError as error:
                    outcomes[place] = ValueError(f"the batch has no labels for id {error}")
                    continue
                new.update(part.names)
                waiting.append(part)
        if new:
            self._head.learn(new)
            metrics.SERIES.set(len(self._index))
        for part in waiting:
            part.slots = self._slots(part.ids)
            self._trust(part)
        for part in outcomes:
            if isinstance(part, _Part):
                self._refuse_collisions(part)

    def _slots(self, ids: IdArray) -> SlotArray:
        """Of each sample; a series that has several in a row is looked up once."""
        if not len(ids):
            return np.empty(0, dtype=np.int32)
        starts = np.flatnonzero(np.diff(ids, prepend=~ids[:1]))
        if 2 * len(starts) > len(ids):
            return self._index.find(ids)
        return np.repeat(self._index.find(ids[starts]), np.diff(starts, append=len(ids)))

    def _trust(self, part: _Part) -> None:
        """The series that this part named need no comparison with the names it gave."""
        ids = np.fromiter(part.names, dtype=np.uint64, count=len(part.names))
        self._verified.of(part.labels, self._index.slots_used)[self._index.find(ids)] = True

    def _refuse_collisions(self, part: _Part) -> None:
        if not len(part.ids):
            return
        verified = self._verified.of(part.labels, self._index.slots_used)
        if verified[part.slots].all():
            return
        slots = np.unique(part.slots[~verified[part.slots]])
        known = self._index.labels(slots)
        ids = self._index.ids(slots).tolist()
        same = np.fromiter(
            (part.labels.get(i, k) == k for i, k in zip(ids, known, strict=True)),
            dtype=np.bool_,
            count=len(ids),
        )
        verified[slots[same]] = True
        if not same.all():
            message = "its labels have the same hash as those of another series"
            part.refuse(np.isin(part.slots, slots[~same]), "hash_collision", message)

    def _store(self, parts: Sequence[_Part]) -> None:
        parts = [part for part in parts if len(part.ids)]
        if not parts:
            return
        ts = _joined([p.ts for p in parts])
        slots = _joined([p.slots for p in parts])
        self._head.commit(Rows(slots, ts, _joined([p.values for p in parts])))
        self.newest_ms = max(self.newest_ms, int(ts.max()))
        metrics.INGESTED.inc(len(ts))

    def _store_exemplars(self, batches: Sequence[SampleBatch]) -> list[Taken]:
        if not any(batch.exemplars for batch in batches):
            return [Taken()] * len(batches)
        return self._exemplars.append(batches, *self._open_range())

    def _store_metadata(self, received: Sequence[MetricMetadata]) -> None:
        new = {m.name: m for m in received if self.metadata.get(m.name) != m}
        if not new:
            return
        rows = list(new.values())
        columns = {
            "metric": [m.name for m in rows],
            "type": [m.type for m in rows],
            "help": [m.help for m in rows],
            "unit": [m.unit for m in rows],
        }
        self._engine.insert("metric_metadata", table(columns))
        self.metadata.update(new)


def _joined(columns: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Always a copy: the head keeps it, and a source may use its arrays again."""
    return np.concatenate(columns)
