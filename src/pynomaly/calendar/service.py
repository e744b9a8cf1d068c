"""The calendar: what happens when, kept in the records and asked in memory.

It is changed on the event loop, and what changes is stored before it is answered for. It may be
asked from any thread.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from operator import attrgetter

from prometheus_client import Gauge

from pynomaly.calendar import repository
from pynomaly.calendar.config import CalendarSettings
from pynomaly.calendar.days_off import DaysOff
from pynomaly.calendar.errors import BadEvent, EventIsConfigured, EventNotFound, TooManyEvents
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.index import EventIndex
from pynomaly.calendar.recurrence import first_span, spans
from pynomaly.model.clock import Clock
from pynomaly.observability import REGISTRY
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

TOPIC = "events"
"""Each change of an event is told on the bus: ``{"id": …, "change": created|updated|deleted}``;
``configured``, with an empty id, where the settings changed."""

_KEPT = Gauge(
    "pynomaly_calendar_events", "Events of the calendar that are kept.", registry=REGISTRY
)

_ORDER = attrgetter("starts_at", "ends_at", "event.id")


class Calendar:
    """Create, change, end and find events; the configured holidays are among them.

    ``version`` counts up with each change.
    """

    def __init__(
        self,
        records: Records,
        clock: Clock,
        settings: CalendarSettings | None = None,
        *,
        bus: Bus | None = None,
    ) -> None:
        self.settings = settings or CalendarSettings()
        self.version = 0
        self._records = records
        self._commits = GroupCommit(records)
        self._clock = clock
        self._bus = bus
        self._index = EventIndex()
        self._days_off = DaysOff(self.settings)
        self._changing = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Take up what is stored.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        self._put(await asyncio.to_thread(_read, self._records))

    async def close(self) -> None:
        """Return when everything is stored."""
        await self._commits.close()

    def configure(self, settings: CalendarSettings) -> None:
        """From now on these settings hold, their holidays among them; events stay as they are."""
        if settings == self.settings:
            return
        self.settings, self._days_off = settings, DaysOff(settings)
        self.version += 1
        self._tell("", "configured")

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this whenever events are added, changed or removed."""
        self._listeners.append(listener)

    def get(self, event_id: str) -> Event:
        """The event of an id.

        Raises:
            EventNotFound: there is none.
        """
        found = self._index.by_id.get(event_id) or self._days_off.by_id(event_id)
        if found is None:
            raise EventNotFound(event_id)
        return found

    def between(
        self,
        since: float,
        until: float,
        *,
        kinds: Collection[EventKind] = (),
        labels: Mapping[str, str] | None = None,
    ) -> list[Occurrence]:
        """What lies at least partly in ``[since, until]``, in the order of its begin.

        ``kinds``: only these, if any are given. ``labels``: only what may concern something that
        has these labels, whatever others it has.
        """
        index = self._index
        found = [*index.between(since, until), *self._days_off.between(since, until)]
        if kinds:
            found = [each for each in found if each.event.kind in kinds]
        if labels is not None:
            found = [each for each in found if each.event.may_concern(labels)]
        return sorted(found, key=_ORDER)

    def active(self, at: float, labels: Mapping[str, str] | None = None) -> list[Occurrence]:
        """What lasts at a time, in the order of its begin.

        ``labels``: only what concerns a series or an alert with exactly these labels.
        """
        found = list(self._index.at(at))
        if day_off := self._days_off.at(at):
            found.append(day_off)
        if labels is not None:
            found = [each for each in found if each.event.concerns(labels)]
        return sorted(found, key=_ORDER)

    async def create(self, event: Event) -> Event:
        """Keep a new event; returns it as it is kept, with its id.

        What comes again begins with the first time that its rule comes true.

        Raises:
            BadEvent: it cannot be kept as given.
            TooManyEvents: there are as many as the settings allow.
            RecordsError: it could not be stored.
        """
        async with self._changing:
            if len(self._index) >= self.settings.max_events:
                raise TooManyEvents(self.settings.max_events)
            now = self._clock.now()
            named = replace(event, id=str(uuid.uuid4()), created_at=now, updated_at=now)
            return await self._store(await _checked(named), "created")

    async def update(self, event_id: str, event: Event) -> Event:
        """Replace an event; who created it, and when, stays.

        Raises:
            EventNotFound, EventIsConfigured: there is none of this id that can be changed.
            BadEvent: it cannot be kept as given.
            RecordsError: it could not be stored; nothing has changed.
        """
        async with self._changing:
            old = self._kept(event_id)
            new = replace(
                event,
                id=old.id,
                created_by=old.created_by,
                created_at=old.created_at,
                updated_at=self._clock.now(),
                configured=False,
            )
            return await self._store(await _checked(new), "updated")

    async def end(self, event_id: str) -> Event:
        """Let it be over now; of what comes again, this time and all to come.

        A moment that was told of as it began gets an end by it. What is over stays as it is.

        Raises:
            EventNotFound, EventIsConfigured: there is none of this id that can be changed.
            BadEvent: it has not begun yet.
            RecordsError: it could not be stored; nothing has changed.
        """
        async with self._changing:
            old, now = self._kept(event_id), self._clock.now()
            if now < old.starts_at:
                raise BadEvent(
                    f"The event {event_id} has not begun yet.", hint="Delete it, or change it."
                )
            if (ended := _ended(old, now)) == old:
                return old
            return await self._store(replace(ended, updated_at=now), "updated")

    async def delete(self, event_id: str) -> None:
        """Forget an event.

        Raises:
            EventNotFound, EventIsConfigured: there is none of this id that can be deleted.
            RecordsError: it could not be deleted; nothing has changed.
        """
        async with self._changing:
            self._kept(event_id)
            await self._forget({event_id})

    async def collect_garbage(self, _: float = 0.0) -> None:
        """Forget what ended longer ago than the retention; run it now and then.

        Raises:
            RecordsError: the database refused it; nothing was forgotten.
        """
        async with self._changing:
            oldest = self._clock.now() - self.settings.retention
            events = list(self._index.by_id.values())
            old = await asyncio.to_thread(_over, events, oldest)
            if old:
                await self._forget(old)

    def _kept(self, event_id: str) -> Event:
        found = self.get(event_id)
        if found.configured:
            raise EventIsConfigured(event_id)
        return found

    async def _store(self, event: Event, change: str) -> Event:
        await self._commits.write(lambda session: repository.save(session, event))
        # In a thread: with 100,000 events it takes some tenths of a second.
        events = {**self._index.by_id, event.id: event}.values()
        self._put(await asyncio.to_thread(EventIndex, events))
        self._tell(event.id, change)
        return event

    async def _forget(self, ids: Collection[str]) -> None:
        await self._commits.write(lambda session: repository.delete(session, ids))
        kept = [event for key, event in self._index.by_id.items() if key not in ids]
        self._put(await asyncio.to_thread(EventIndex, kept))
        for event_id in ids:
            self._tell(event_id, "deleted")

    def _put(self, index: EventIndex) -> None:
        self._index = index
        self.version += 1
        _KEPT.set(len(index))

    def _tell(self, event_id: str, change: str) -> None:
        for listener in self._listeners:
            listener()
        if self._bus is not None:
            self._bus.publish(TOPIC, {"id": event_id, "change": change})


def _read(records: Records) -> EventIndex:
    return EventIndex(repository.load(records))


async def _checked(event: Event) -> Event:
    event.check()
    if event.recurrence is None:
        return event
    span = (event.starts_at, event.ends_at)
    begin, end = await asyncio.to_thread(first_span, event.recurrence, span)
    return replace(event, starts_at=begin, ends_at=end)


def _ended(event: Event, now: float) -> Event:
    again = event.recurrence
    if again is not None:
        return replace(event, recurrence=replace(again, until=min(again.until, now)))
    if event.is_moment or event.ends_at > now:
        return replace(event, ends_at=now)
    return event


def _over(events: list[Event], before: float) -> set[str]:
    """Those of which nothing lies at ``before`` or later."""
    return {event.id for event in events if _is_over(event, before)}


def _is_over(event: Event, before: float) -> bool:
    again = event.recurrence
    if again is None:
        return event.ends_at < before
    if again.until < before:
        return True
    later = spans(again, (event.starts_at, event.ends_at), before, float("inf"))
    return next(later, None) is None
