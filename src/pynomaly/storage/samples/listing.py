"""Which series have samples in a range of time, without reading the samples where that is known.

Of a day that lies in the range as a whole the list of its series says it. Of the others the newest
samples say it, which are in memory. What is left then (series that ended earlier on the day that
the range begins in, and ranges long ago that are a part of one day) the engine is asked.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import BoolArray
from pynomaly.storage.engine.arrow import numbers
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples.days import SeriesDays
from pynomaly.storage.samples.head import Head
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.newest import Newest
from pynomaly.storage.samples.reader import id_condition
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.types import SlotArray

_AT_ONCE = 65_536
"""Series looked for in memory at once. Nobody can write meanwhile."""

_FOREVER = 2**62

Range = tuple[int, int]
"""Milliseconds, both ends inside."""


class SeriesListing:
    """Answers which series there are. Thread-safe.

    ``newest_ms`` gives the greatest time stored so far: nothing lies beyond it.
    """

    def __init__(
        self,
        engine: SignalEngine,
        index: SeriesIndex,
        days: SeriesDays,
        head: Head,
        newest: Newest,
        newest_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._index = index
        self._days = days
        self._head = head
        self._newest = newest
        self._newest_ms = newest_ms

    def mask(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> BoolArray:
        """The slots that any of the selections names (all, if there is none) with samples in a
        closed range."""
        newest_ms = self._newest_ms()
        if end_ms >= newest_ms:
            end_ms = _FOREVER
        live = self._selected(selections, self._days.live(start_ms, end_ms))
        whole, parts = _divided(start_ms, end_ms)
        sure = self._days.live(*whole)[: len(live)] if whole else np.zeros_like(live)
        slots = np.flatnonzero(live & ~sure).astype(np.int32)
        if len(slots):
            parts = [(start, end) for start, end in parts if start <= newest_ms]
            live[slots[~self._occurring(slots, parts)]] = False
        return live

    def series(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]:
        """See ``SampleReader.series``."""
        slots = np.flatnonzero(self.mask(selections, start_ms, end_ms)).astype(np.int32)
        return sorted(self._index.labels(slots))

    def _selected(self, selections: Sequence[Sequence[Matcher]], live: BoolArray) -> BoolArray:
        if not selections:
            return live
        chosen = np.zeros(len(live), dtype=np.bool_)
        for matchers in selections:
            slots = self._index.select(matchers)
            chosen[slots[slots < len(live)]] = True
        return live & chosen

    def _occurring(self, slots: SlotArray, parts: Sequence[Range]) -> BoolArray:
        """Which of the series have samples in any of the ranges."""
        found = np.zeros(len(slots), dtype=np.bool_)
        for start, end in parts:
            if end >= self._newest.from_ms:
                found |= self._in_memory(slots, start, end)
        # Read when memory was asked: what it forgot meanwhile is looked for elsewhere.
        known_from = self._newest.from_ms
        before = [(start, min(end, known_from - 1)) for start, end in parts if start < known_from]
        # The head before the engine: what leaves it meanwhile is found in both.
        for search in (self._in_head, self._in_engine) if before else ():
            missing = np.flatnonzero(~found)
            if len(missing):
                found[missing] = search(slots[missing], before)
        return found

    def _in_memory(self, slots: SlotArray, start_ms: int, end_ms: int) -> BoolArray:
        pieces = np.array_split(slots, len(slots) // _AT_ONCE + 1)
        return np.concatenate([self._newest.occurring(p, start_ms, end_ms) for p in pieces])

    def _in_head(self, slots: SlotArray, parts: Sequence[Range]) -> BoolArray:
        found = np.zeros(len(slots), dtype=np.bool_)
        for start, end in parts:
            found |= self._head.occurring(slots, start, end)
        return found

    def _in_engine(self, slots: SlotArray, parts: Sequence[Range]) -> BoolArray:
        ids = np.sort(self._index.ids(slots))
        condition, params = id_condition(self._index, ids)
        times = " OR ".join(f"ts BETWEEN {start} AND {end}" for start, end in parts)
        found = self._engine.query(
            f"SELECT DISTINCT id FROM samples WHERE ({times}) AND {condition}", params
        )
        return _among(slots, self._index.find(numbers(found["id"])))


def _among(slots: SlotArray, others: SlotArray) -> BoolArray:
    """Which of the slots are among others; -1 is no slot."""
    there = np.zeros(1 + max(int(slots.max()), int(others.max(initial=-1))), dtype=np.bool_)
    there[others[others >= 0]] = True
    return there[slots]


def _divided(start_ms: int, end_ms: int) -> tuple[Range | None, list[Range]]:
    """The whole days (UTC) of a range, and what is left of it before and behind them."""
    first, last = -(-start_ms // DAY_MS) * DAY_MS, (end_ms + 1) // DAY_MS * DAY_MS - 1
    if last < first:
        return None, [(start_ms, end_ms)]
    parts = [(start_ms, first - 1), (last + 1, end_ms)]
    return (first, last), [(start, end) for start, end in parts if start <= end]
