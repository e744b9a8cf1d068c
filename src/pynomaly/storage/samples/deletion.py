"""Deleting the samples of chosen series: masked in the engine, taken off the disk by merges.

A deletion is three statements of the engine, each kept in its files once it was taken: the ids
that it is about, then two mutations, of ``samples`` and of ``series_days``. A mutation is about
what was inserted before it and nothing after, and one that was cut short by a kill is taken up
when the engine starts again. The log is empty when they are given, so nothing of them comes back
from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import IdArray
from pynomaly.storage.engine.arrow import numbers, table
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples.days import SeriesDays
from pynomaly.storage.samples.head import Head
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.types import SlotArray

_DELETED_SERIES = """
CREATE TABLE IF NOT EXISTS deleted_series (number Int64, id UInt64)
ENGINE = MergeTree ORDER BY (number, id)
"""
"""The ids that a mutation is about, as long as one is under way; a list in the statement itself
would be read again for each part."""

_UNFINISHED = (
    "SELECT count() AS mutations, max(latest_fail_reason) AS reason FROM system.mutations"
    " WHERE database = currentDatabase() AND table IN ('samples', 'series_days') AND NOT is_done"
)
_LATER = {"lightweight_deletes_sync": 0}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How many mutations go on, and why the last attempt at one failed (empty if none did)."""

    mutations: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _Emptied:
    """Days from ``first`` to ``last`` on which some series have no sample left."""

    first: int
    last: int
    slots: SlotArray


class SeriesDeleter:
    """``begin`` and ``forget`` run in the thread that commits; the rest in any."""

    def __init__(
        self, engine: SignalEngine, index: SeriesIndex, days: SeriesDays, head: Head
    ) -> None:
        self._engine = engine
        self._index = index
        self._days = days
        self._head = head

    def begin(self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> int:
        """Give the engine the deletion of samples in a closed range; returns how many series it
        is about. They are gone once ``unfinished`` says 0.

        Raises:
            EngineError: it does not take it; what it has taken already goes on.
        """
        slots = self._selected(selections, start_ms, end_ms)
        if not len(slots):
            return 0
        self._head.flush()
        number = self._keep(slots)
        emptied = self._emptied(slots, start_ms, end_ms, number)
        self._engine.execute(
            f"DELETE FROM samples WHERE {_within(start_ms, end_ms)} AND {_of(number)}",
            settings=_LATER,
        )
        self._head.erase(slots, start_ms, end_ms)
        # Samples first: a series listed on a day without samples does no harm.
        self._unlist(emptied)
        return len(slots)

    def unfinished(self) -> Unfinished:
        """What goes on of this and earlier deletions, those of earlier processes too."""
        found = self._engine.query(_UNFINISHED).to_pylist()[0]
        return Unfinished(int(found["mutations"]), str(found["reason"]))

    def forget(self) -> None:
        """Leave the ids behind, if nothing is unfinished."""
        if not self.unfinished().mutations:
            self._engine.execute("TRUNCATE TABLE IF EXISTS deleted_series")

    def clean(self) -> None:
        """Take what is masked off the disk now; rewrites the parts that have such rows."""
        for name in ("samples", "series_days"):
            self._engine.execute(
                f"ALTER TABLE {name} APPLY DELETED MASK", settings={"mutations_sync": 1}
            )

    def _selected(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> SlotArray:
        live = self._days.live(start_ms, end_ms)
        chosen = np.zeros(len(live), dtype=np.bool_)
        for matchers in selections:
            slots = self._index.select(matchers)
            chosen[slots[slots < len(live)]] = True
        return np.flatnonzero(live & chosen).astype(np.int32)

    def _keep(self, slots: SlotArray) -> int:
        """Store the ids of slots under a number of their own."""
        self._engine.execute(_DELETED_SERIES)
        found = self._engine.query("SELECT max(number) AS number FROM deleted_series")
        number = int(found["number"][0].as_py()) + 1
        numbers_ = np.full(len(slots), number, dtype=np.int64)
        self._engine.insert(
            "deleted_series", table({"number": numbers_, "id": self._index.ids(slots)})
        )
        return number

    def _emptied(self, slots: SlotArray, start_ms: int, end_ms: int, number: int) -> list[_Emptied]:
        """Whole days of the range as one, and the days that it begins or ends in."""
        found: list[_Emptied] = []
        whole = []
        for day in self._days.within(start_ms, end_ms):
            first, last = day * DAY_MS, (day + 1) * DAY_MS - 1
            if start_ms <= first and last <= end_ms:
                whole.append(day)
                continue
            kept = self._index.find(self._kept(first, last, start_ms, end_ms, number))
            found.append(_Emptied(day, day, np.setdiff1d(slots, kept)))
        if whole:
            found.append(_Emptied(min(whole), max(whole), slots))
        return found

    def _kept(self, first: int, last: int, start_ms: int, end_ms: int, number: int) -> IdArray:
        """Those that have samples on a day before or after the range."""
        found = self._engine.query(
            f"SELECT DISTINCT id FROM samples WHERE {_within(first, last)}"
            f" AND NOT ({_within(start_ms, end_ms)}) AND {_of(number)}"
        )
        return numbers(found["id"])

    def _unlist(self, emptied: Sequence[_Emptied]) -> None:
        emptied = [each for each in emptied if len(each.slots)]
        if not emptied:
            return
        conditions = [
            f"(day BETWEEN {each.first} AND {each.last} AND {_of(self._keep(each.slots))})"
            for each in emptied
        ]
        self._engine.execute(
            f"DELETE FROM series_days WHERE {' OR '.join(conditions)}", settings=_LATER
        )
        for each in emptied:
            self._days.unmark(each.first, each.last, each.slots)


def _within(start_ms: int, end_ms: int) -> str:
    return f"ts BETWEEN {start_ms} AND {end_ms}"


def _of(number: int) -> str:
    return f"id IN (SELECT id FROM deleted_series WHERE number = {number})"
