"""The exemplar store: what Prometheus's circular buffer keeps, in a log and a table instead.

Which exemplars are taken follows Prometheus 3 (tsdb/exemplar.go, with its default of no window for
what is out of order): a series' exemplars come in the order of time, one that repeats the newest is
dropped in silence, an older one is refused. The newest of each series is in memory for that; all
others are in the table, and in the log for the seconds before.
"""

import logging
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xxhash

from pynomaly.model.exemplars import MAX_LABEL_CHARACTERS, Exemplar, SeriesExemplars
from pynomaly.model.labels import Labels, canonical
from pynomaly.model.matcher import Matcher, all_match
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.engine.contract import EngineError, SignalEngine
from pynomaly.storage.engine.migrations import migrate
from pynomaly.storage.exemplars import metrics
from pynomaly.storage.exemplars.config import ExemplarSettings
from pynomaly.storage.exemplars.contract import Taken
from pynomaly.storage.exemplars.rows import FILE_NAME, ExemplarLog, Row, from_table, to_table
from pynomaly.storage.exemplars.schema import AREA, BLOCK, MIGRATIONS

log = logging.getLogger(__name__)

OUT_OF_ORDER = "out_of_order"

_DAY_MS = 86_400_000
_COLUMNS = "seq, id, labels, exemplar, value, ts, timed"


class ExemplarStore:
    """Takes exemplars with the commits of samples. One thread writes, any thread reads.

    The log is in ``data_dir``; without a folder every commit goes to the table directly. With
    ``fsync`` a commit reaches the disk before it is acknowledged.
    """

    def __init__(
        self,
        engine: SignalEngine,
        settings: ExemplarSettings | None = None,
        data_dir: Path | None = None,
        *,
        fsync: bool = False,
    ) -> None:
        self._engine = engine
        self._most = (settings or ExemplarSettings()).max_exemplars
        self._data_dir = data_dir
        self._fsync = fsync
        self._log: ExemplarLog | None = None
        self._lock = threading.Lock()
        self._newest: dict[int, Row] = {}
        self._pending: list[Row] = []
        self._last = self._kept = 0
        self._oldest_block = 0
        metrics.LIMIT.set(self._most)

    def open(self) -> None:
        """Bring the table to this version, and take over what is in the log.

        Raises:
            DataFolderUnusable: the folder is of a newer version.
        """
        migrate(self._engine, AREA, MIGRATIONS)
        found = self._engine.query("SELECT max(seq) AS last, min(seq) AS first FROM exemplars")
        self._last = int(found["last"][0].as_py())
        self._oldest_block = int(found["first"][0].as_py()) // BLOCK
        if self._data_dir is not None:
            self._log = ExemplarLog(self._data_dir / FILE_NAME, fsync=self._fsync)
            entries = self._log.read()
            # A kill between the table and the log leaves rows in both.
            self._pending = [row for rows in entries for row in rows if row.seq > self._last]
        self._last = max([self._last, *(row.seq for row in self._pending)])
        found = self._engine.query(
            f"SELECT {_COLUMNS} FROM exemplars WHERE seq > {self._bound} ORDER BY seq DESC"
            " LIMIT 1 BY id"
        )
        self._newest = {row.series: row for row in (*from_table(found), *self._pending)}
        self.try_flush()
        self._count()

    @property
    def _bound(self) -> int:
        """The last number that is beyond the limit."""
        return max(self._last - self._most, 0)

    def append(self, batches: Sequence[SampleBatch], oldest_ms: int, latest_ms: int) -> list[Taken]:
        """Store the exemplars of batches between two times; when it returns they survive a kill.

        Raises:
            EngineError: none of them is stored.
        """
        if not self._most:
            return [Taken()] * len(batches)
        new = _New(self._newest, self._last, self._most)
        taken = [new.take(batch, oldest_ms, latest_ms) for batch in batches]
        if new.rows:
            self._store(new)
        return taken

    def _store(self, new: "_New") -> None:
        if self._log is None:
            self._insert(new.rows)
        else:
            self._log.append(new.rows)
        with self._lock:
            if self._log is not None:
                self._pending += new.rows
            self._newest |= new.newest
            self._last = new.rows[-1].seq
        self._kept = min(self._kept + len(new.rows), self._most)
        metrics.STORED.inc(len(new.rows))
        metrics.KEPT.set(self._kept)
        metrics.SERIES.set(len(self._newest))
        if self._log is None:
            self._trim()

    @property
    def pending(self) -> int:
        """How many are in the log and not in the table."""
        return len(self._pending)

    def flush(self) -> None:
        """Hand what is in the log to the table, and drop what is beyond the limit.

        Raises:
            EngineError: it stays in the log, and can be read.
        """
        if not self._pending or self._log is None:
            return
        try:
            self._insert(self._pending)
            self._log.clear()
        except EngineError:
            metrics.FLUSH_FAILURES.inc()
            raise
        with self._lock:
            self._pending = []
        self._trim()

    def try_flush(self) -> bool:
        """The same, but only says whether it worked."""
        try:
            self.flush()
        except EngineError as error:
            log.warning("the exemplars of the log stay in it: %s", error)
            return False
        return True

    def enforce_retention(self, oldest_ms: int) -> None:
        """Remove what is of days (UTC) wholly before a time, and count what is left.

        Raises:
            EngineError: it is still there.
        """
        self.try_flush()
        before = {"before": oldest_ms // _DAY_MS * _DAY_MS}
        condition = "ts < {before:Int64}"
        found = self._engine.query(f"SELECT count() FROM exemplars WHERE {condition}", before)
        if found.column(0)[0].as_py():
            self._engine.execute(
                f"ALTER TABLE exemplars DELETE WHERE {condition}",
                before,
                settings={"mutations_sync": 1},
            )
            self._forget(lambda row: row.exemplar.ts < before["before"])
        self._count()

    def exemplars(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[SeriesExemplars]:
        """See ``ExemplarReader.exemplars``."""
        with self._lock:  # before the table is asked: what leaves the log meanwhile is in both
            bound, every, recent = self._bound, list(self._newest.values()), list(self._pending)
        wanted = {
            row.series: row.labels
            for row in every
            if row.seq > bound
            and row.exemplar.ts >= start_ms
            and any(all_match(matchers, row.labels) for matchers in selections)
        }
        if not wanted:
            return []
        some = list(wanted) if len(wanted) < len(every) else ()
        rows = {row.seq: row for row in self._stored(some, bound, start_ms, end_ms)}
        rows |= {
            row.seq: row
            for row in recent
            if row.seq > bound and start_ms <= row.exemplar.ts <= end_ms
        }
        return _by_series(rows.values(), wanted)

    def close(self) -> None:
        """Hand over what is in the log, which otherwise stays there, and close that."""
        if self._log is not None:
            self.try_flush()
            file, self._log = self._log, None
            file.close()

    def _stored(self, series: Sequence[int], bound: int, start_ms: int, end_ms: int) -> list[Row]:
        params: dict[str, object] = {"start": start_ms, "end": end_ms, "bound": bound}
        condition = ""
        if series:
            params["ids"] = np.fromiter(series, np.uint64, len(series))
            condition = " AND id IN {ids:Array(UInt64)}"
        return from_table(
            self._engine.query(
                f"SELECT {_COLUMNS} FROM exemplars WHERE seq > {{bound:UInt64}}"
                f" AND ts BETWEEN {{start:Int64}} AND {{end:Int64}}{condition}",
                params,
            )
        )

    def _insert(self, rows: Sequence[Row]) -> None:
        """In their order, a partition at a time: then the greatest number says what is there."""
        by_block: dict[int, list[Row]] = {}
        for row in rows:
            by_block.setdefault(row.seq // BLOCK, []).append(row)
        for block in sorted(by_block):
            token = f"exemplars-{by_block[block][0].seq}-{by_block[block][-1].seq}"
            self._engine.insert("exemplars", to_table(by_block[block]), token=token)

    def _trim(self) -> None:
        """Drop the partitions that hold nothing within the limit."""
        bound = self._bound
        if (self._oldest_block + 1) * BLOCK > bound + 1:
            return
        while (self._oldest_block + 1) * BLOCK <= bound + 1:
            self._engine.execute(f"ALTER TABLE exemplars DROP PARTITION ID '{self._oldest_block}'")
            self._oldest_block += 1
        self._forget(lambda row: row.seq <= bound)

    def _forget(self, gone: Callable[[Row], bool]) -> None:
        with self._lock:
            self._newest = {i: row for i, row in self._newest.items() if not gone(row)}
        metrics.SERIES.set(len(self._newest))

    def _count(self) -> None:
        found = self._engine.query(
            f"SELECT count() AS kept, argMin(ts, seq) AS oldest FROM exemplars"
            f" WHERE seq > {self._bound}"
        )
        self._kept = int(found["kept"][0].as_py()) + len(self._pending)
        metrics.KEPT.set(self._kept)
        metrics.SERIES.set(len(self._newest))
        metrics.OLDEST.set(int(found["oldest"][0].as_py()) / 1000)


def _by_series(rows: Iterable[Row], wanted: Mapping[int, Labels]) -> list[SeriesExemplars]:
    found: dict[int, list[Exemplar]] = {}
    for row in sorted(rows, key=lambda row: (row.exemplar.ts, row.seq)):
        found.setdefault(row.series, []).append(row.exemplar)
    series = [SeriesExemplars(wanted[i], own) for i, own in found.items() if i in wanted]
    return sorted(series, key=lambda each: each.labels)


class _New:
    """The exemplars that a commit adds, before they are stored."""

    def __init__(self, newest: dict[int, Row], last: int, most: int) -> None:
        self._before = newest
        self._last = last
        self._most = most
        self.newest: dict[int, Row] = {}
        self.rows: list[Row] = []

    def take(self, batch: SampleBatch, oldest_ms: int, latest_ms: int) -> Taken:
        """Take what may be taken of a batch."""
        taken, refused = 0, Tally[str]()
        for series, exemplar in batch.exemplars:
            newest = self._newest_of(series)
            if newest is not None and exemplar.repeats(newest.exemplar):
                taken += 1
                continue
            reason = _fault(exemplar, newest, oldest_ms, latest_ms)
            labels = newest.labels if newest is not None else batch.labels.get(series)
            if reason or labels is None:
                refused[reason or "unnamed_series"] += 1
                continue
            row = Row(self._last + 1 + len(self.rows), series, labels, exemplar)
            self.rows.append(row)
            self.newest[series] = row
            taken += 1
        for reason, count in refused.items():
            metrics.REFUSED.labels(reason).inc(count)
        return Taken(taken, refused)

    def _newest_of(self, series: int) -> Row | None:
        newest = self.newest.get(series) or self._before.get(series)
        # What is beyond the limit is forgotten, as if the series had none.
        return newest if newest and newest.seq > self._last + len(self.rows) - self._most else None


def _fault(exemplar: Exemplar, newest: Row | None, oldest_ms: int, latest_ms: int) -> str:
    """Why an exemplar is not taken; empty if it is."""
    if exemplar.characters() > MAX_LABEL_CHARACTERS:
        return "labels_too_long"
    if exemplar.ts < oldest_ms:
        return "too_old"
    if exemplar.ts > latest_ms:
        return "too_far_ahead"
    return OUT_OF_ORDER if newest and _precedes(exemplar, newest.exemplar) else ""


def _precedes(exemplar: Exemplar, newest: Exemplar) -> bool:
    """Whether it comes before the newest, by time, value and hash of the labels."""
    if exemplar.ts != newest.ts:
        return exemplar.ts < newest.ts
    if exemplar.value != newest.value:
        return exemplar.value < newest.value
    return _hash(exemplar.labels) < _hash(newest.labels)


def _hash(labels: Labels) -> int:
    return xxhash.xxh64_intdigest(canonical(labels))
