"""Notifications that could not be delivered: kept until they are, or somebody drops them."""

import asyncio
import logging
from dataclasses import replace

from sqlalchemy.orm import Session

from pynomaly.alerting.contract import Notification, Stage, Stopped
from pynomaly.alerting.delivery import repository
from pynomaly.alerting.delivery.errors import NoSuchDeadLetter
from pynomaly.alerting.delivery.letter import DeadLetter
from pynomaly.alerting.delivery.metrics import DEAD
from pynomaly.alerting.notifications.entry import Place
from pynomaly.model.clock import Clock
from pynomaly.storage.records import Records, RecordsError
from pynomaly.storage.records.group_commit import GroupCommit

log = logging.getLogger(__name__)

MOST = 10_000
"""Letters that are kept: one for each group and integration that cannot be told."""


class DeadLetters:
    """The list. It is read from memory and written through to the records.

    Where the records are away, a letter is in memory only, until ``maintain`` finds them back.
    """

    def __init__(self, records: Records, commits: GroupCommit, clock: Clock) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._letters: dict[str, DeadLetter] = {}
        self._unwritten: set[str] = set()

    async def start(self) -> None:
        """Take up what is stored.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        found = await asyncio.to_thread(repository.load, self._records)
        self._letters = {letter.id: letter for letter in found}
        DEAD.set(len(self._letters))

    def all(self) -> list[DeadLetter]:
        """All of them, the newest first."""
        return sorted(self._letters.values(), key=lambda letter: -letter.last_at)

    def get(self, identity: str) -> DeadLetter:
        """The letter of an id, or of the beginning of one.

        Raises:
            NoSuchDeadLetter: there is none, or several begin so.
        """
        found = [letter for key, letter in self._letters.items() if key.startswith(identity)]
        if len(found) != 1 or not identity:
            which = "Several dead letters begin" if found else "No dead letter begins"
            raise NoSuchDeadLetter(
                f"{which} with {identity!r}.", hint="`pynomaly notify dead list` shows them."
            )
        return found[0]

    async def put(self, notification: Notification, stopped: Stopped) -> None:
        """Keep what could not be delivered, in place of what its group could not tell before."""
        now = self._clock.now()
        new = DeadLetter(notification, now, now, 1, stopped.reason)
        if (old := self._letters.get(new.id)) is not None:
            new = replace(new, first_at=old.first_at, times=old.times + 1)
        self._letters[new.id] = new
        await self._write(new.id)
        if len(self._letters) > MOST:
            oldest = min(self._letters.values(), key=lambda letter: letter.last_at)
            log.error("more than %d dead letters; the oldest is lost: %s", MOST, oldest.place)
            await self.drop(oldest.id)

    async def told(self, place: Place) -> None:
        """A place was told: what it could not be told before is part of that."""
        if self._letters.pop(place.digest, None) is not None:
            await self._write(place.digest)

    async def drop(self, identity: str) -> DeadLetter:
        """Forget a letter.

        Raises:
            NoSuchDeadLetter: as ``get``.
        """
        letter = self.get(identity)
        del self._letters[letter.id]
        await self._write(letter.id)
        return letter

    async def maintain(self, _: float = 0.0) -> None:
        """Write what is not written yet; run it every few seconds."""
        for identity in list(self._unwritten):
            await self._write(identity)

    async def _write(self, identity: str) -> None:
        DEAD.set(len(self._letters))
        letter = self._letters.get(identity)

        def work(session: Session) -> None:
            if letter is None:
                repository.delete(session, identity)
            else:
                repository.save(session, letter)

        try:
            await self._commits.write(work)
            self._unwritten.discard(identity)
        except RecordsError as error:
            self._unwritten.add(identity)
            log.warning("dead letters are kept in memory for now: %s", error)


class OrKeep:
    """A stage of delivery; what it does not deliver becomes a dead letter."""

    def __init__(self, deliver: Stage, letters: DeadLetters) -> None:
        self._deliver = deliver
        self._letters = letters

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Deliver, and keep or forget the letter of its place."""
        told = await self._deliver(notification)
        if isinstance(told, Stopped):
            await self._letters.put(notification, told)
        else:
            await self._letters.told(Place(told.receiver, told.integration, told.group_key))
        return told
