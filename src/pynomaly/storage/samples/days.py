"""Which series have samples on which day (UTC)."""

import threading
from collections.abc import Sequence

import numpy as np

from pynomaly.model.samples import BoolArray
from pynomaly.storage.engine.arrow import numbers, table
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.types import SlotArray


class SeriesDays:
    """A mask over the index's slots for each day; a day is loaded when it is first needed."""

    def __init__(self, engine: SignalEngine, index: SeriesIndex) -> None:
        self._engine = engine
        self._index = index
        self._lock = threading.RLock()
        found = engine.query("SELECT DISTINCT day FROM series_days")
        self._masks: dict[int, BoolArray | None] = {int(d): None for d in found["day"].to_pylist()}

    def all(self) -> list[int]:
        """The days that have samples, ascending."""
        with self._lock:
            return sorted(self._masks)

    def absent(self, day: int, slots: SlotArray) -> SlotArray:
        """Those of the slots (each once) that have no sample on the day yet."""
        with self._lock:
            mask = self._mask(day)
            present = mask[slots]
            return slots[:0] if present.all() else np.unique(slots[~present])

    def store(self, marks: Sequence[tuple[int, SlotArray]]) -> None:
        """Store that these series have samples on these days, before the samples are stored."""
        if not marks:
            return
        days = [np.full(len(slots), day, dtype=np.int32) for day, slots in marks]
        ids = self._index.ids(np.concatenate([slots for _, slots in marks]))
        self._engine.insert("series_days", table({"day": np.concatenate(days), "id": ids}))

    def mark(self, day: int, slots: SlotArray) -> None:
        """Know from now on that these series have samples on the day."""
        with self._lock:
            mask = self._mask(day)
            mask[slots] = True
            self._masks[day] = mask

    def unmark(self, first: int, last: int, slots: SlotArray) -> None:
        """Know that these series have no samples on the days from ``first`` to ``last``."""
        with self._lock:
            for day in [day for day in self._masks if first <= day <= last]:
                mask = self._mask(day)
                mask[slots] = False
                self._masks[day] = mask

    def live(self, start_ms: int, end_ms: int) -> BoolArray:
        """A mask over all slots: the series with samples on a day that the range touches."""
        with self._lock:
            result = np.zeros(self._index.slots_used, dtype=np.bool_)
            for day in self.within(start_ms, end_ms):
                mask = self._mask(day)
                result[: len(mask)] |= mask[: len(result)]
            return result

    def within(self, start_ms: int, end_ms: int) -> list[int]:
        """The days with samples that a closed range touches."""
        with self._lock:
            return [d for d in self._masks if start_ms // DAY_MS <= d <= end_ms // DAY_MS]

    def count(self, day: int) -> int:
        """How many series have samples on the day."""
        with self._lock:
            return int(np.count_nonzero(self._mask(day)))

    def forget(self, day: int) -> None:
        """The day's samples are gone."""
        with self._lock:
            self._masks.pop(day, None)

    def _mask(self, day: int) -> BoolArray:
        mask = self._masks.get(day)
        if mask is None:
            mask = self._load(day) if day in self._masks else np.zeros(0, dtype=np.bool_)
        if len(mask) < self._index.slots_used:
            grown = np.zeros(self._index.slots_used * 9 // 8 + 64, dtype=np.bool_)
            grown[: len(mask)] = mask
            mask = grown
        if day in self._masks:
            self._masks[day] = mask
        return mask

    def _load(self, day: int) -> BoolArray:
        found = self._engine.query(
            "SELECT id FROM series_days WHERE day = {day:Int32}", {"day": day}
        )
        slots = self._index.find(numbers(found["id"]))
        mask = np.zeros(self._index.slots_used, dtype=np.bool_)
        mask[slots[slots >= 0]] = True
        return mask
