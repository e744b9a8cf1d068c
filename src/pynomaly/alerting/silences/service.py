"""The silences there are, by Alertmanager's rules of what may be changed.

Everything that decides runs on the event loop and in memory; what changes is stored before it is
answered for.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from prometheus_client import Gauge

from pynomaly.alerting.silences import repository
from pynomaly.alerting.silences.errors import SilenceNotFound
from pynomaly.alerting.silences.index import SilenceIndex
from pynomaly.alerting.silences.silence import Silence, SilenceState
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

log = logging.getLogger(__name__)

_SILENCES = Gauge(
    "pynomaly_silences", "Silences that are kept, by state.", ["state"], registry=REGISTRY
)

_EVERY_STATE = frozenset(SilenceState)
_UNEXPIRED = frozenset({SilenceState.PENDING, SilenceState.ACTIVE})
_FEW_NEW = 16
"""So many new silences are asked one by one; for more the index is faster."""

Changed = Callable[[], None]


class SilenceKeeper(Protocol):
    """Who keeps the silences where that is not done here."""

    async def all(self) -> list[Silence]:
        """Every silence that is kept."""
        ...

    async def set(self, silence: Silence) -> str:
        """Create or change one; returns the id it has then."""
        ...

    async def expire(self, silence_id: str) -> None:
        """End one now."""
        ...


class Silences:
    """Create, change, expire and find silences.

    They are stored here, or kept by a ``SilenceKeeper``: then those in memory are a copy, which
    ``refresh`` renews.

    ``version`` counts up with each silence that is added. A silence's matchers never change, so
    what matched an alert at a version can only have gained those added since.
    """

    def __init__(
        self, records: Records, commits: GroupCommit, clock: Clock, *, retention: float
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._retention = retention
        self._silences: dict[str, Silence] = {}
        self._added: list[tuple[int, str]] = []
        self._index = SilenceIndex()
        self._changing = asyncio.Lock()
        self._listeners: list[Changed] = []
        self._keeper: SilenceKeeper | None = None
        self.version = 0

    async def start(self) -> None:
        """Take up what is stored.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        for silence in await asyncio.to_thread(repository.load, self._records):
            self._keep(silence)
        self._count()

    async def keep_in(self, keeper: SilenceKeeper | None) -> None:
        """Leave them to a keeper from now on; None: store them here.

        Those that are stored here hold no longer meanwhile, and again afterwards.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        if self._keeper is None and keeper is None:
            return
        own = await asyncio.to_thread(repository.load, self._records) if keeper is None else []
        async with self._changing:
            if keeper is None or self._keeper is None:
                self._replace(own)
            self._keeper = keeper

    async def refresh(self) -> None:
        """Copy what the keeper has, if there is one.

        Raises:
            PynomalyError: the keeper does not answer; the copy stays as it is.
        """
        keeper = self._keeper
        if keeper is None:
            return
        found = await keeper.all()
        async with self._changing:
            if keeper is self._keeper:
                self._replace(found)

    def on_change(self, listener: Changed) -> None:
        """Call this whenever silences are added, changed or removed."""
        self._listeners.append(listener)

    async def set(self, silence: Silence) -> Silence:
        """Create a silence, or change the one of its id; returns it as it is kept.

        Where the change would rewrite what was silenced before, the old one expires and a new
        one, with an id of its own, takes its place.

        Raises:
            BadSilence: it cannot be kept as given.
            SilenceNotFound: it has an id that no silence has.
            RecordsError: it could not be stored; nothing has changed.
            PynomalyError: its keeper does not answer.
        """
        if self._keeper is not None:
            return await self._entrust(silence, self._keeper)
        async with self._changing:
            now = self._clock.now()
            silence = replace(silence, starts_at=silence.starts_at or now, updated_at=now)
            silence.check()
            old = self.get(silence.id) if silence.id else None
            if old is not None and old.can_become(silence, now):
                await self._store([silence])
                return silence
            return await self._create(silence, old, now)

    async def expire(self, silence_id: str) -> None:
        """End a silence now; one that has expired stays as it is.

        Raises:
            SilenceNotFound: there is none of this id.
            RecordsError: it could not be stored; nothing has changed.
            PynomalyError: its keeper does not answer.
        """
        if self._keeper is not None:
            await self._keeper.expire(silence_id)
            await self._look_again()
            return
        async with self._changing:
            now = self._clock.now()
            old = self.get(silence_id)
            if old.state(now) is not SilenceState.EXPIRED:
                await self._store([_expired(old, now)])

    def get(self, silence_id: str) -> Silence:
        """The silence of an id, whatever its state.

        Raises:
            SilenceNotFound: there is none.
        """
        found = self._silences.get(silence_id)
        if found is None:
            raise SilenceNotFound(f"silence {silence_id} not found")
        return found

    def all(self, states: Collection[SilenceState] = _EVERY_STATE) -> list[Silence]:
        """Those in these states, in the order in which they were added."""
        now = self._clock.now()
        return [s for s in self._silences.values() if s.state(now) in states]

    def unexpired(self, ids: Iterable[str]) -> Iterator[Silence]:
        """Those of these ids that are active or pending."""
        now = self._clock.now()
        found = (self._silences.get(silence_id) for silence_id in ids)
        return (s for s in found if s is not None and s.state(now) in _UNEXPIRED)

    def matching(self, labels: Labels, since: int = 0) -> Iterator[Silence]:
        """The active and pending silences, added after version ``since``, that match."""
        now = self._clock.now()
        return (
            silence
            for silence in self._possible(labels, since)
            if silence.state(now) in _UNEXPIRED and silence.matches(labels)
        )

    async def collect_garbage(self, _: float = 0.0) -> None:
        """Forget those whose end is longer ago than the retention; run it now and then.

        Raises:
            RecordsError: it could not be stored; nothing was forgotten.
        """
        if self._keeper is not None:
            return
        async with self._changing:
            oldest = self._clock.now() - self._retention
            old = [s for s in self._silences.values() if s.ends_at <= oldest]
            if old:
                ids = {silence.id for silence in old}
                await self._commits.write(lambda session: repository.delete(session, ids))
                self._drop(old)
            self._tell()

    async def _entrust(self, silence: Silence, keeper: SilenceKeeper) -> Silence:
        silence = replace(silence, starts_at=silence.starts_at or self._clock.now())
        silence.check()
        kept = await keeper.set(silence)
        await self._look_again()
        return self._silences.get(kept, replace(silence, id=kept))

    async def _look_again(self) -> None:
        try:
            await self.refresh()
        except PynomalyError as error:
            log.warning("what was changed is shown later: %s", error)

    def _replace(self, silences: Sequence[Silence]) -> None:
        """These and no others; what they are is told if it differs."""
        ids = {silence.id for silence in silences}
        gone = [silence for silence in self._silences.values() if silence.id not in ids]
        changed = [each for each in silences if self._silences.get(each.id) != each]
        self._drop(gone)
        for silence in changed:
            self._keep(silence)
        if gone or changed:
            self._tell()

    def _drop(self, silences: Sequence[Silence]) -> None:
        for silence in silences:
            del self._silences[silence.id]
            self._index.remove(silence)
        self._added = [(at, one) for at, one in self._added if one in self._silences]

    async def _create(self, silence: Silence, old: Silence | None, now: float) -> Silence:
        new = replace(silence, id=str(uuid.uuid4()), starts_at=max(silence.starts_at, now))
        replaced = old is not None and old.state(now) is not SilenceState.EXPIRED
        await self._store([*([_expired(old, now)] if old and replaced else []), new])
        return new

    async def _store(self, silences: list[Silence]) -> None:
        await self._commits.write(lambda session: repository.save(session, silences))
        for silence in silences:
            self._keep(silence)
        self._tell()

    def _keep(self, silence: Silence) -> None:
        if silence.id not in self._silences:
            self.version += 1
            self._added.append((self.version, silence.id))
        self._silences[silence.id] = silence
        self._index.put(silence)

    def _possible(self, labels: Labels, since: int) -> Iterable[Silence]:
        new = 0
        while new < _FEW_NEW and new < len(self._added) and self._added[-1 - new][0] > since:
            new += 1
        if new == _FEW_NEW:
            return self._index.candidates(labels)
        return [self._silences[one] for _, one in self._added[len(self._added) - new :]]

    def _tell(self) -> None:
        self._count()
        for listener in self._listeners:
            listener()

    def _count(self) -> None:
        now = self._clock.now()
        states = [silence.state(now) for silence in self._silences.values()]
        for state in SilenceState:
            _SILENCES.labels(state.value).set(states.count(state))


def _expired(silence: Silence, now: float) -> Silence:
    starts_at = min(silence.starts_at, now)
    return replace(silence, starts_at=starts_at, ends_at=now, updated_at=now)
