"""The head: the newest samples, in memory and in the log, before they go to the engine together.

The engine takes samples by parts. A part costs some milliseconds to make and as much again to
merge away, whether it holds a thousand samples or a hundred thousand. The head gathers many commits
into one part. Reading sees the head's samples over those of the engine.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, IdArray, TimeArray, ValueArray
from pynomaly.storage.engine.arrow import map_column, table
from pynomaly.storage.engine.contract import EngineError, SignalEngine
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.days import SeriesDays
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.log import Entry, HeadLog
from pynomaly.storage.samples.newest import Newest
from pynomaly.storage.samples.replay import Replay
from pynomaly.storage.samples.schema import DAY_MS
from pynomaly.storage.samples.types import SlotArray

log = logging.getLogger(__name__)

_BEYOND = 4
"""How many times its size the head may grow when the engine does not take it."""

Marks = dict[int, SlotArray]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Samples of series by their slots, in the order received."""

    slots: SlotArray
    ts: TimeArray
    values: ValueArray

    def __len__(self) -> int:
        return len(self.ts)

    def where(self, keep: BoolArray) -> "Rows":
        """Only the rows of a mask."""
        return Rows(self.slots[keep], self.ts[keep], self.values[keep])


class Head:
    """Takes commits and hands them on. One thread commits and flushes; any thread reads.

    Without a log, and when a commit has half as many samples as the head is to hold, it goes to
    the engine directly, after what came before it. ``newest`` takes what was stored either way.
    """

    def __init__(
        self,
        engine: SignalEngine,
        index: SeriesIndex,
        days: SeriesDays,
        log: HeadLog | None,
        newest: Newest,
        size: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._index = index
        self._days = days
        self._log = log
        self._newest = newest
        self._size = size
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._chunks: list[Rows] = []
        self._held = 0
        # Known in memory, but neither in the log nor in the engine.
        self._unlogged: dict[int, Labels] = {}
        # In the log, but not in the engine.
        self._series: dict[int, Labels] = {}
        self._marks: list[Marks] = []
        self.last_error: EngineError | None = None
        self.replay = Replay()

    def __len__(self) -> int:
        """How many samples it holds."""
        return self._held

    @property
    def full(self) -> bool:
        """Whether it is time to flush."""
        return len(self) >= self._size

    @property
    def log_bytes(self) -> int:
        """What it takes on disk."""
        return self._log.size if self._log is not None else 0

    def newest_ms(self) -> int:
        """The greatest time among its samples; 0 without samples."""
        rows = self._joined()
        return int(rows.ts.max()) if rows is not None else 0

    def span_ms(self) -> tuple[int, int] | None:
        """The first and the last time among its samples."""
        rows = self._joined()
        return (int(rows.ts.min()), int(rows.ts.max())) if rows is not None else None

    def learn(self, series: Mapping[int, Labels]) -> None:
        """Take series that the index does not know; they are stored with the next commit."""
        self._index.add(series)
        self._unlogged.update(series)

    def commit(self, rows: Rows) -> None:
        """Store samples: when it returns they survive a kill.

        Raises:
            EngineError: they are not stored.
        """
        marks = self._new_marks(rows)
        if self._log is None or len(rows) * 2 >= self._size:
            self.flush()
            self._insert_now(marks, rows)
        else:
            if len(self) + len(rows) > _BEYOND * self._size:
                self.flush()
            ids = self._index.ids(rows.slots)
            self._log.append(Entry(self._unlogged, ids, rows.ts, rows.values))
            self._series.update(self._unlogged)
            self._hold(rows, marks)
        self._unlogged.clear()
        self._mark(marks)
        if len(rows):
            self._newest.add(rows.slots, rows.ts, rows.values)

    def _insert_now(self, marks: Marks, rows: Rows) -> None:
        try:
            self._insert(self._unlogged, [marks], rows)
        except EngineError:
            self._newest.doubt(rows.ts)
            raise

    def flush(self) -> None:
        """Hand everything to the engine; what it takes over leaves the log.

        Raises:
            EngineError: everything stays here, and can be read.
        """
        rows = self._joined()
        if rows is None and not self._series:
            return
        try:
            with metrics.FLUSH_SECONDS.time():
                self._insert(self._series, self._marks, rows)
            if self._log is not None:
                self._log.clear()
        except EngineError as error:
            metrics.FLUSH_FAILURES.inc()
            self.last_error = error
            raise
        self.last_error = None
        self._series.clear()
        self._marks.clear()
        self._replace([])

    def try_flush(self) -> bool:
        """The same, but only says whether it worked."""
        try:
            self.flush()
        except EngineError as error:
            log.warning("the samples of the log stay in it: %s", error)
            return False
        return True

    def restore(self) -> int:
        """Take what the log holds, at the start; returns the number of samples."""
        count = 0
        entries = self._log.read() if self._log is not None else []
        corruptions = self._log.corruptions if self._log is not None else 0
        for number, entry in enumerate(entries):
            self.replay = Replay(len(entries), number, corruptions)
            known = self._index.find(np.fromiter(entry.series, np.uint64, len(entry.series)))
            pairs = zip(entry.series.items(), known.tolist(), strict=True)
            new = {i: labels for (i, labels), slot in pairs if slot < 0}
            self._index.add(new)
            self._series.update(new)
            slots = self._index.find(entry.ids)
            if (slots < 0).any():
                log.error("the log has %d samples without a series", np.count_nonzero(slots < 0))
            rows = Rows(slots, entry.ts, entry.values).where(slots >= 0)
            marks = self._new_marks(rows)
            self._hold(rows, marks)
            self._mark(marks)
            count += len(rows)
        self.replay = Replay(len(entries), len(entries), corruptions)
        return count

    def within(
        self, ids: IdArray, start_ms: int, end_ms: int
    ) -> tuple[IdArray, TimeArray, ValueArray] | None:
        """The samples of some series in a closed range, by id and time, without duplicates."""
        rows = self._joined()
        if rows is None:
            return None
        slots = self._index.find(ids)
        wanted = np.zeros(1 + max(int(slots.max()), int(rows.slots.max())), dtype=np.bool_)
        wanted[slots[slots >= 0]] = True
        keep = wanted[rows.slots] & (rows.ts >= start_ms) & (rows.ts <= end_ms)
        if not keep.any():
            return None
        rows = rows.where(keep)
        return newest_of_each(self._index.ids(rows.slots), rows.ts, rows.values)

    def erase(self, slots: SlotArray, start_ms: int, end_ms: int) -> None:
        """Leave out the samples of series in a closed range that are deleted from the engine.

        They are none of those that wait for it.
        """
        self._newest.forget(start_ms, end_ms, slots)

    def occurring(self, slots: SlotArray, start_ms: int, end_ms: int) -> BoolArray:
        """Which of the series (at least one) have samples here in a closed range."""
        rows = self._joined()
        if rows is None:
            return np.zeros(len(slots), dtype=np.bool_)
        there = np.zeros(1 + max(int(slots.max()), int(rows.slots.max())), dtype=np.bool_)
        there[rows.slots[(rows.ts >= start_ms) & (rows.ts <= end_ms)]] = True
        return there[slots]

    def forget(self, days: Sequence[int]) -> None:
        """Leave out the samples of days that are removed from the engine."""
        for day in days:
            self._newest.forget(day * DAY_MS, (day + 1) * DAY_MS - 1)
        rows = self._joined()
        if rows is None:
            return
        kept = rows.where(~np.isin(rows.ts // DAY_MS, days))
        self._replace([kept] if len(kept) else [])
        self._marks = [{d: s for d, s in m.items() if d not in days} for m in self._marks]

    def close(self) -> None:
        """Hand over what it holds, which otherwise stays in the log, and close that."""
        self.try_flush()
        if self._log is not None:
            self._log.close()

    def _joined(self) -> Rows | None:
        """All rows as one; None if there are none."""
        with self._lock:
            if len(self._chunks) > 1:
                self._chunks = [
                    Rows(
                        np.concatenate([c.slots for c in self._chunks]),
                        np.concatenate([c.ts for c in self._chunks]),
                        np.concatenate([c.values for c in self._chunks]),
                    )
                ]
            return self._chunks[0] if self._chunks else None

    def _hold(self, rows: Rows, marks: Marks) -> None:
        if not len(rows):
            return
        if marks:
            self._marks.append(marks)
        with self._lock:
            self._chunks.append(rows)
            self._held += len(rows)
        metrics.HEAD.set(self._held)

    def _replace(self, chunks: list[Rows]) -> None:
        with self._lock:
            self._chunks = chunks
            self._held = sum(map(len, chunks))
        metrics.HEAD.set(self._held)

    def _new_marks(self, rows: Rows) -> Marks:
        """The days on which these series have no sample yet."""
        if not len(rows):
            return {}
        first, last = int(rows.ts.min()) // DAY_MS, int(rows.ts.max()) // DAY_MS
        if first == last:
            found = {first: self._days.absent(first, rows.slots)}
        else:
            days = rows.ts // DAY_MS
            found = {
                day: self._days.absent(day, rows.slots[days == day])
                for day in np.unique(days).tolist()
            }
        return {day: slots for day, slots in found.items() if len(slots)}

    def _mark(self, marks: Marks) -> None:
        for day, slots in marks.items():
            self._days.mark(day, slots)

    def _insert(
        self, series: Mapping[int, Labels], marks: Sequence[Marks], rows: Rows | None
    ) -> None:
        """In this order: series without samples do no harm, samples without series are lost."""
        if series:
            self._engine.insert("series", self._series_rows(series))
        self._days.store([pair for each in marks for pair in each.items()])
        if rows is None:  # their days were removed
            return
        ids = self._index.ids(rows.slots)
        self._engine.insert("samples", table({"id": ids, "ts": rows.ts, "value": rows.values}))

    def _series_rows(self, new: Mapping[int, Labels]) -> pa.Table:
        label_sets = list(new.values())
        return table(
            {
                "id": np.fromiter(new, dtype=np.uint64, count=len(new)),
                "metric_name": [labels.name for labels in label_sets],
                "labels": map_column([labels.pairs for labels in label_sets]),
                "created_ms": np.full(len(new), self._now_ms(), dtype=np.int64),
            }
        )


def newest_of_each(
    ids: IdArray, ts: TimeArray, values: ValueArray
) -> tuple[IdArray, TimeArray, ValueArray]:
    """Rows by id and time; of those with the same id and time only the last."""
    order = np.lexsort((ts, ids))
    ids, ts, values = ids[order], ts[order], values[order]
    last = np.ones(len(ids), dtype=np.bool_)
    last[:-1] = (ids[1:] != ids[:-1]) | (ts[1:] != ts[:-1])
    return (ids, ts, values) if last.all() else (ids[last], ts[last], values[last])
