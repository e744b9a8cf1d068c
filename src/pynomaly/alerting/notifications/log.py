"""The notification log: what every integration was told last of every group.

It is read from memory. Before a delivery it is written down what is about to be told, and after
it that it was, so that after a crash in between the same is told under the same id.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from prometheus_client import Gauge
from sqlalchemy.orm import Session

from pynomaly.alerting.notifications import repository
from pynomaly.alerting.notifications.entry import Entry, Intent, Place
from pynomaly.alerting.notifications.history import HistoryFilter, Sent
from pynomaly.model.clock import Clock
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Records, RecordsError
from pynomaly.storage.records.group_commit import GroupCommit

log = logging.getLogger(__name__)

_UNWRITTEN = Gauge(
    "pynomaly_notification_log_unwritten",
    "Groups whose last notification is not written down yet, since the records do not take it; "
    "a crash now would tell them again.",
    registry=REGISTRY,
)


class NotificationLog:
    """What was told.

    A database that is away delays no notification: what it did not take is kept in memory, and
    written by ``maintain``.
    """

    def __init__(
        self, records: Records, commits: GroupCommit, clock: Clock, *, retention: float
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._retention = retention
        self._entries: dict[Place, Entry] = {}
        self._unwritten: dict[Place, list[Sent]] = {}
        self._waiting: dict[Place, list[Sent]] = {}
        self._written: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._turns: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Take up what is stored.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        self._entries = await asyncio.to_thread(repository.load, self._records)

    def turn(self, place: Place) -> asyncio.Lock:
        """Hold it while a place is told: after a reload two may want to, and must not both."""
        lock = self._turns.get(place)
        if lock is None:
            lock = self._turns[place] = asyncio.Lock()
        return lock

    def get(self, place: Place) -> Entry | None:
        """What a place was told or was about to be told; None if nothing, or too long ago."""
        return self._entries.get(place)

    async def begin(self, place: Place, intent: Intent, *, expires_at: float) -> None:
        """Write down that this is about to be told."""
        entry = self.get(place) or Entry(expires_at=expires_at)
        await self._keep(place, replace(entry, intent=intent), [])

    async def finish(self, place: Place, entry: Entry, sent: Sequence[Sent]) -> None:
        """Write down what a place knows now, and how it was told."""
        await self._keep(place, entry, list(sent))

    async def fail(self, place: Place, sent: Sent) -> None:
        """Write down that it could not be told; what was told before stands."""
        if (entry := self._entries.get(place)) is not None:
            await self._keep(place, entry, [sent])

    async def history(self, wanted: HistoryFilter) -> list[Sent]:
        """Notifications of the retention period, the newest first.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        return await asyncio.to_thread(repository.history, self._records, wanted)

    async def maintain(self, _: float = 0.0) -> None:
        """Write what is not written yet, and forget what is old; run it every few seconds.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        now = self._clock.now()
        if self._unwritten:
            await self._write(dict(self._unwritten))
        old = [place for place, entry in self._entries.items() if entry.expires_at <= now]
        if old:
            await self._commits.write(lambda session: repository.delete(session, old))
        for place in old:
            if self._entries[place].expires_at <= now:  # it may have been told meanwhile
                del self._entries[place]

    async def prune(self, _: float = 0.0) -> None:
        """Forget the history that is older than the retention; run it once an hour or so.

        Raises:
            RecordsError: the database refused it or is away.
        """
        oldest = self._clock.now() - self._retention
        await self._commits.write(lambda session: repository.delete_history(session, oldest))

    async def _keep(self, place: Place, entry: Entry, sent: list[Sent]) -> None:
        """Return when it is written, or has to wait for the records.

        What comes while something is being written is written together.
        """
        self._entries[place] = entry
        self._waiting.setdefault(place, []).extend(sent)
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        written = self._written
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting(), name="notification log")
        await asyncio.shield(written)

    async def _write_waiting(self) -> None:
        while self._waiting and self._written is not None:
            batch, written = self._waiting, self._written
            self._waiting, self._written = {}, None
            for place, sent in self._unwritten.items():
                batch[place] = [*sent, *batch.get(place, ())]
            try:
                await self._write(batch)
            except RecordsError as error:
                self._unwritten = batch
                log.warning("the notification log is kept in memory for now: %s", error)
            finally:
                _UNWRITTEN.set(len(self._unwritten))
                written.set_result(None)

    async def _write(self, batch: Mapping[Place, list[Sent]]) -> None:
        entries = {place: self._entries[place] for place in batch if place in self._entries}
        sent = [one for each in batch.values() for one in each]

        def work(session: Session) -> None:
            repository.save(session, entries)
            repository.add_history(session, sent)

        await self._commits.write(work)
        for place in batch:
            self._unwritten.pop(place, None)
