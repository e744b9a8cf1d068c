"""The sample store: the local implementation of ``Appender`` and ``SampleReader``."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import Appended, MetricMetadata, SampleBatch, SeriesSamples
from pynomaly.storage.engine.arrow import column, numbers
from pynomaly.storage.engine.contract import EngineError, QueryCancelled, SignalEngine
from pynomaly.storage.engine.migrations import migrate
from pynomaly.storage.exemplars.config import ExemplarSettings
from pynomaly.storage.exemplars.store import ExemplarStore
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.cardinality import Cardinality
from pynomaly.storage.samples.commit import GroupCommit, Outcome
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.days import SeriesDays
from pynomaly.storage.samples.deletion import SeriesDeleter
from pynomaly.storage.samples.flusher import Flusher
from pynomaly.storage.samples.head import Head
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.listing import SeriesListing
from pynomaly.storage.samples.log import FILE_NAME, HeadLog
from pynomaly.storage.samples.newest import Newest
from pynomaly.storage.samples.reader import Reader
from pynomaly.storage.samples.replay import Replay
from pynomaly.storage.samples.retention import Removed, Retention
from pynomaly.storage.samples.schema import AREA, DAY_MS, MIGRATIONS
from pynomaly.storage.samples.snapshot import Snapshot, discard_unfinished
from pynomaly.storage.samples.stats import StoreStats, TableSize, table_sizes
from pynomaly.storage.samples.verify import TABLES, VerifyReport, verify
from pynomaly.storage.samples.writer import CommitWriter

log = logging.getLogger(__name__)

Result = TypeVar("Result")
_FROM_THE_BEGINNING, _NEVER = -(2**62), 2**62
_LOOK_SECONDS, _LOOK_AGAIN_SECONDS = 0.02, 1.0

OnCommit = Callable[[int, int], None]


class SampleStore:
    """Samples in a log and the engine's tables, their series in memory.

    The log is in ``data_dir``; without a folder every commit goes to the engine directly. With
    ``fsync`` a commit reaches the disk before it is acknowledged.

    ``on_commit(samples, newest_ms)`` is called on the event loop after each commit with the
    number of samples it stored and the greatest timestamp stored so far.
    """

    def __init__(
        self,
        engine: SignalEngine,
        clock: Clock,
        settings: SampleSettings | None = None,
        data_dir: Path | None = None,
        *,
        fsync: bool = False,
        on_commit: OnCommit | None = None,
        exemplars: ExemplarSettings | None = None,
    ) -> None:
        self.engine = engine
        self.settings = settings or SampleSettings()
        self.exemplars = ExemplarStore(engine, exemplars, data_dir, fsync=fsync)
        self.data_dir = data_dir
        self._clock = clock
        self._fsync = fsync
        self._on_commit = on_commit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="samples")
        self.index = SeriesIndex(self.settings.label_cache)
        self._commit: GroupCommit | None = None
        self._flusher: Flusher | None = None
        self._head: Head | None = None
        self._watchers: list[Callable[[int], None]] = []
        self._removing = asyncio.Lock()
        self._settling: set[asyncio.Task[None]] = set()
        self._not_deleted = ""

    def watch(self, changed: Callable[[int], None]) -> None:
        """Call ``changed(oldest_ms)`` on the event loop whenever samples from then on may differ.

        That is before a commit is acknowledged, also if it failed, and after samples were removed.
        """
        self._watchers.append(changed)

    async def start(self) -> None:
        """Bring the tables to this version, load the series, and take over what is in the log.

        Raises:
            DataFolderUnusable: the folder is of a newer version.
        """
        await self._in_thread(self._load)
        self._flusher = Flusher(self._hand_over, self.settings.flush_interval)
        self._commit = GroupCommit(self._write, self.settings)
        if (await asyncio.to_thread(self._deleter.unfinished)).mutations:
            self._settle_later(_FROM_THE_BEGINNING)
        metrics.LIMIT.set(self.settings.retention_bytes)
        if self.data_dir is not None:
            metrics.watch_disk(self.data_dir)

    async def close(self) -> None:
        """Store what waits and stop; the engine stays open. Idempotent."""
        if self._commit is not None:
            commit, self._commit = self._commit, None
            await commit.close()
        if self._flusher is not None:
            await self._flusher.close()
        for task in self._settling:
            task.cancel()
        if self._head is not None:
            head, self._head = self._head, None
            await self._in_thread(head.close)
            await self._in_thread(self.exemplars.close)
        await asyncio.to_thread(self._thread.shutdown)

    def trouble(self) -> str | None:
        """Why samples are not stored, or not deleted, right now; None when all is well."""
        if self._commit is not None and (error := self._commit.last_error) is not None:
            return f"Samples are not stored: {error}"
        if self._head is not None and (error := self._head.last_error) is not None:
            return f"Samples stay in the log, since the engine does not take them: {error}"
        if self._not_deleted:
            return f"Samples that are to be deleted are still there: {self._not_deleted}"
        return None

    async def append(self, batch: SampleBatch) -> Appended:
        """See ``Appender.append``. The order of calls is the order of "received"."""
        if self._commit is None:
            raise QueryCancelled("The sample store is not running.")
        return await self._commit.append(batch)

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        """See ``SampleReader.select``."""
        return self._reader.select(
            matchers, start_ms, end_ms, chunk_samples=chunk_samples, query_id=query_id
        )

    def series(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]:
        """See ``SampleReader.series``."""
        return self._listing.series(selections, start_ms, end_ms)

    def label_names(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """See ``SampleReader.label_names``."""
        return self.index.label_names(self._listing.mask(selections, start_ms, end_ms))

    def label_values(
        self, name: str, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """See ``SampleReader.label_values``."""
        return self.index.label_values(name, self._listing.mask(selections, start_ms, end_ms))

    def metadata(self, metric: str = "") -> dict[str, list[MetricMetadata]]:
        """See ``SampleReader.metadata``: the last received of each metric family."""
        known = self._writer.metadata
        if metric:
            return {metric: [known[metric]]} if metric in known else {}
        return {name: [m] for name, m in sorted(known.copy().items())}

    async def flush(self) -> None:
        """Hand what is in the log to the engine now.

        Raises:
            EngineError: it stays in the log, and can be read.
        """
        if self._head is not None:
            await self._in_thread(self._head.flush)
            await self._in_thread(self.exemplars.flush)

    async def verify(self) -> VerifyReport:
        """See ``verify.verify``, of everything acknowledged so far.

        Raises:
            EngineError: the engine does not take what is in the log, or cannot read.
        """
        async with self._removing:
            await self._settle()
            await self.flush()
            return await asyncio.to_thread(verify, self.engine)

    async def delete(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> int:
        """Delete the samples of the series that any of the selections names, in a closed range
        of milliseconds; returns how many series had some. What is appended afterwards stays.

        When it returns no query finds them, after a kill neither. Appending goes on meanwhile.

        Raises:
            EngineError: they are not all deleted yet; what the engine has taken of it goes on.
        """
        async with self._removing:
            try:
                begin = partial(self._deleter.begin, selections, start_ms, end_ms)
                series = await self._in_thread(begin)
                if series:
                    await self._settle()
                    if self._fsync:
                        await asyncio.to_thread(os.sync)
            except BaseException:
                self._settle_later(start_ms)
                raise
            finally:
                self._changed(start_ms)
            self._retention.look_for_empty_series()
            return series

    async def clean_tombstones(self) -> None:
        """Take deleted samples off the disk now, rather than with the next merges.

        Raises:
            EngineError: they are not all off the disk.
        """
        async with self._removing:
            await self._settle()
            await asyncio.to_thread(self._deleter.clean)

    async def count(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> tuple[int, int]:
        """How many series and samples ``delete`` would delete; reads them all."""

        def read() -> tuple[int, int]:
            found: dict[Labels, int] = {}
            for matchers in selections:
                for chunk in self.select(matchers, start_ms, end_ms):
                    found.update(zip(chunk.labels, np.diff(chunk.offsets).tolist(), strict=True))
            return len(found), sum(found.values())

        return await asyncio.to_thread(read)

    async def snapshot(self, add: Callable[[Path], None], *, skip_head: bool = False) -> Path:
        """Copy everything acknowledged so far into a folder below ``snapshots`` of the data
        folder, which the product can be started on; returns where it is.

        ``add`` puts more into that folder, in a worker thread. ``skip_head`` leaves out what is
        in the log only. Appending waits for the milliseconds in which files are linked.

        Raises:
            EngineError: there is no snapshot; nothing is left of it.
        """
        if self.data_dir is None:
            raise EngineError("There is no data folder to copy.")
        async with self._removing:
            await self._settle()
            if not skip_head:  # their log is not copied
                await self._in_thread(self.exemplars.flush)
            copy = Snapshot(self.data_dir, self._clock.now())
            try:
                await self._in_thread(partial(copy.take, self.engine, log=not skip_head))
                await asyncio.to_thread(copy.assemble)
                await asyncio.to_thread(add, copy.folder)
                return await asyncio.to_thread(copy.complete)
            except BaseException:
                await asyncio.to_thread(copy.discard)
                raise

    async def enforce_retention(self) -> Removed:
        """Remove what the settings say is too old or too much; for the scheduler, say hourly.

        Commits wait while it runs (it drops whole partitions, which takes milliseconds).
        """
        try:
            return await self._in_thread(self._enforce)
        finally:
            self._changed(_FROM_THE_BEGINNING)

    def _enforce(self) -> Removed:
        removed = self._retention.enforce()
        oldest = now_ms(self._clock) - self.settings.retention_days * DAY_MS
        self.exemplars.enforce_retention(round(oldest))
        return removed

    def memory_from_ms(self) -> int:
        """From when on everything stored is in memory as well."""
        return self._newest.from_ms

    def stats(self) -> StoreStats:
        """Figures of the store. Asks the engine: call it from worker threads."""
        sizes = table_sizes(self.engine)
        samples = sizes.get("samples", TableSize())
        ours = [sizes.get(name, TableSize()) for name in TABLES]
        days = self._days.all()
        head = self._head
        in_head, log_bytes = (len(head), head.log_bytes) if head is not None else (0, 0)
        return StoreStats(
            series=len(self.index),
            samples=samples.rows + in_head,
            bytes=samples.bytes + log_bytes,
            all_bytes=sum(size.bytes for size in ours) + log_bytes,
            parts=samples.parts,
            days=len(days),
            pending_samples=self._commit.pending if self._commit else 0,
            last_commit_seconds=self._commit.last_seconds if self._commit else 0.0,
            newest_ms=self._writer.newest_ms,
            oldest_day_ms=days[0] * DAY_MS if days else 0,
        )

    def cardinality(self, limit: int) -> Cardinality:
        """How many series there are by metric, label and value; the ``limit`` greatest of each."""
        return self.index.cardinality(limit)

    def span_ms(self) -> tuple[int, int]:
        """The first and last time of a sample; (2**63 - 1, -2**63) without samples.

        Asks the engine, which knows it without reading: call it from worker threads.
        """
        recent = self._head.span_ms() if self._head is not None else None
        found = self.engine.query(
            "SELECT min(ts) AS first, max(ts) AS last FROM samples HAVING count() > 0"
        )
        known = [(r["first"], r["last"]) for r in found.to_pylist()] + ([recent] if recent else [])
        first = min((first for first, _ in known), default=2**63 - 1)
        return first, max((last for _, last in known), default=-(2**63))

    def replay(self) -> Replay:
        """How far the log of an earlier process has been read."""
        return self._head.replay if self._head is not None else Replay()

    async def _settle(self) -> None:
        """Wait for the deletions that go on.

        Raises:
            EngineError: the last attempt at one failed; the engine tries again by itself.
        """
        while (found := await asyncio.to_thread(self._deleter.unfinished)).mutations:
            self._not_deleted = found.reason
            if found.reason:
                raise EngineError(
                    f"The engine has not finished deleting: {found.reason}",
                    hint="It tries again by itself.",
                )
            await asyncio.sleep(_LOOK_SECONDS)
        self._not_deleted = ""
        await self._in_thread(self._deleter.forget)

    def _settle_later(self, start_ms: int) -> None:
        """Look until the deletions that go on have ended, and say then what differs."""

        async def settle() -> None:
            while True:
                try:
                    async with self._removing:
                        await self._settle()
                    break
                except EngineError:
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            self._changed(start_ms)

        task = asyncio.create_task(settle(), name="deletions")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _changed(self, oldest_ms: int) -> None:
        for changed in self._watchers:
            changed(oldest_ms)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _write(self, batches: Sequence[SampleBatch]) -> Sequence[Outcome]:
        try:
            outcomes = await self._in_thread(partial(self._writer.write, batches))
        finally:
            oldest = (int(batch.ts.min()) for batch in batches if len(batch.ts))
            self._changed(min(oldest, default=_NEVER))
        stored = sum(o.stored for o in outcomes if isinstance(o, Appended))
        if stored and self._on_commit is not None:
            self._on_commit(stored, self._writer.newest_ms)
        if self._flusher is not None and self._head is not None and len(self._head):
            self._flusher.committed(full=self._head.full)
        elif self._flusher is not None and self.exemplars.pending:
            self._flusher.committed(full=False)
        return outcomes

    async def _hand_over(self) -> bool:
        if self._head is None:
            return True
        flushed = await self._in_thread(self._head.try_flush)
        return await self._in_thread(self.exemplars.try_flush) and flushed

    def _load(self) -> None:
        if self.data_dir is not None:
            discard_unfinished(self.data_dir)
        migrate(self.engine, AREA, MIGRATIONS)
        found = self.engine.query("SELECT id, metric_name, labels FROM series")
        ids, first = np.unique(numbers(found["id"]), return_index=True)
        if len(ids) < found.num_rows:
            found = found.take(column(first))
        found = found.combine_chunks()
        if found.num_rows:
            columns = [found[name].chunk(0) for name in ("id", "metric_name", "labels")]
            self.index.load(numbers(columns[0]), columns[1], columns[2])
        metrics.SERIES.set(len(self.index))
        self._days = SeriesDays(self.engine, self.index)
        now = partial(now_ms, self._clock)
        keep_ms = round(self.settings.memory_seconds * 1000)
        self._newest = Newest(self.settings.memory_samples, keep_ms, now)
        head = self._head = self._open_head()
        self._reader = Reader(self.engine, self.index, self._days, head, self._newest)
        self.exemplars.open()
        self._writer = CommitWriter(
            self.engine, self.index, head, self.exemplars, self._clock, self.settings
        )
        self._listing = SeriesListing(
            self.engine, self.index, self._days, head, self._newest, lambda: self._writer.newest_ms
        )
        self._deleter = SeriesDeleter(self.engine, self.index, self._days, head)
        self._retention = Retention(
            self.engine, self.index, self._days, head, self._clock, self.settings
        )
        self._writer.newest_ms = max(self._newest_stored(), head.newest_ms())
        self._newest.begin(self._writer.newest_ms)
        rows = self.engine.query("SELECT metric, type, help, unit FROM metric_metadata FINAL")
        self._writer.metadata = {
            r["metric"]: MetricMetadata(r["metric"], r["type"], r["help"], r["unit"])
            for r in rows.to_pylist()
        }

    def _open_head(self) -> Head:
        """With what an earlier process left in the log, handed over if the engine takes it."""
        file = None
        if self.data_dir is not None:
            file = HeadLog(self.data_dir / FILE_NAME, fsync=self._fsync)
        now = partial(now_ms, self._clock)
        size = self.settings.flush_samples
        head = Head(self.engine, self.index, self._days, file, self._newest, size, now)
        if restored := head.restore():
            log.info("restored %d samples from the log", restored)
            metrics.SERIES.set(len(self.index))
        head.try_flush()
        return head

    def _newest_stored(self) -> int:
        days = self._days.all()
        if not days:
            return 0
        found = self.engine.query(
            "SELECT max(ts) AS newest FROM samples WHERE ts >= {from:Int64}",
            {"from": days[-1] * DAY_MS},
        )
        return int(found["newest"][0].as_py())
