"""The calendar of silences and events: what is planned, what it hides, and planning it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.alerting.alertmanager.matchers import matcher_text
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.silences.silence import Silence
from pynomaly.calendar.documents import event_document, occurrence_document
from pynomaly.calendar.drafts import EventDraft, RecurrenceDraft
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.service import Calendar
from pynomaly.model.alert import AlertState
from pynomaly.model.clock import Clock
from pynomaly.web.alerts.board import AlertBoard, Standing, alert_row
from pynomaly.web.alerts.silences import read_matchers
from pynomaly.web.panels import encode

Snapshot = dict[str, Any]

MOST = 2_000
_PREVIEWED = 50
_NEXT = 5
_TEN_YEARS = 10 * 366 * 86_400.0
_DAY = 86_400.0

_READ = [Depends(require(Action.EVENTS_READ))]
_WRITE = [Depends(require(Action.EVENTS_WRITE))]
_Writer = Annotated[Principal, Depends(require(Action.EVENTS_WRITE))]
_Moment = Annotated[float, Query(ge=0, le=1e11)]
_Text = Annotated[str, Field(max_length=2_000)]


class PlanSpec(BaseModel):
    """An event as the page plans it. Each text of ``matchers`` is one matcher or several.

    Times are epoch seconds; of what comes again, wall-clock times of ``time_zone`` without a zone
    (``2026-11-22T02:00``). ``rule`` is an RRULE or a word such as ``daily``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: EventKind = EventKind.MAINTENANCE
    title: _Text = ""
    text: Annotated[str, Field(max_length=10_000)] = ""
    link: _Text = ""
    matchers: Annotated[tuple[_Text, ...], Field(max_length=100)] = ()
    starts_at: float | str
    ends_at: float | str
    rule: _Text = ""
    time_zone: Annotated[str, Field(max_length=60)] = "UTC"
    until: float | str | None = None

    def event(self, now: float, created_by: str) -> Event:
        """The event.

        Raises:
            BadEvent: a time or the rule is none.
            BadMatcher: a text is no matcher.
        """
        again = None
        if self.rule:
            again = RecurrenceDraft(rule=self.rule, time_zone=self.time_zone, until=self.until)
        draft = EventDraft(
            kind=self.kind,
            title=self.title.strip(),
            text=self.text.strip(),
            link=self.link.strip(),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            recurrence=again,
        )
        texts = [text for text in self.matchers if text.strip()]
        event = draft.event(now, self.time_zone, created_by)
        return replace(event, matchers=read_matchers(texts))


class Planner:
    """What the calendar page asks for, and does."""

    def __init__(
        self, calendar: Calendar, manager: AlertManager, board: AlertBoard, clock: Clock
    ) -> None:
        self._calendar = calendar
        self._manager = manager
        self._board = board
        self._clock = clock

    async def between(self, since: float, until: float) -> Snapshot:
        """Everything in ``[since, until]``: events each time they come, and silences."""
        now, alerts = self._clock.now(), await self._board.all()
        found = self._calendar.between(since, until)
        hides = self._hides(alerts, now)
        silences = [s for s in self._manager.silences.all() if since <= s.ends_at]
        silences = [s for s in silences if s.starts_at <= until]
        silenced = Counter(one for each in alerts for one in each.silenced)
        held = sum(bool(each.silenced or each.maintenance) for each in alerts)
        return {
            "events": [
                self._event(each, now) | {"hides": hides[each.event.id]} for each in found[:MOST]
            ],
            "held": held,
            "left_out": max(0, len(found) - MOST),
            "silences": [
                _silence(each, now) | {"hides": silenced[each.id]} for each in silences[:MOST]
            ],
        }

    async def preview(self, spec: PlanSpec) -> Snapshot:
        """What it would hold back if it were active now, and when it comes.

        Raises:
            BadEvent, BadMatcher: it cannot be kept as given.
        """
        now = self._clock.now()
        event = spec.event(now, "")
        replace(event, title=event.title or "to be named").check()
        window = Occurrence(event, event.starts_at, event.ends_at)
        found: list[Standing] = []
        if event.kind is EventKind.MAINTENANCE:
            holds, every = self._manager.maintenance.holds, await self._board.all()
            found = [each for each in every if holds(window, each.alert.labels)]
        found.sort(key=lambda each: (each.alert.state is not AlertState.FIRING, each.alert.name))
        firing = sum(each.alert.state is AlertState.FIRING for each in found)
        soon = await asyncio.to_thread(_next, event, now)
        return {
            "matchers": [matcher_text(matcher) for matcher in event.matchers],
            "firing": firing,
            "pending": len(found) - firing,
            "alerts": [alert_row(each) for each in found[:_PREVIEWED]],
            "next": [[each.starts_at, each.ends_at] for each in soon],
        }

    async def plan(self, spec: PlanSpec, author: str) -> Event:
        """Keep a new one.

        Raises:
            BadEvent, BadMatcher, TooManyEvents: it cannot be kept.
            RecordsError: it could not be stored.
        """
        return await self._calendar.create(spec.event(self._clock.now(), author))

    async def change(self, event_id: str, spec: PlanSpec) -> Event:
        """Put another in its place; whether it is learnt from, and who made it, stays.

        Raises:
            EventNotFound, EventIsConfigured: there is none of this id that can be changed.
            BadEvent, BadMatcher: it cannot be kept as given.
            RecordsError: it could not be stored; nothing has changed.
        """
        old, new = self._calendar.get(event_id), spec.event(self._clock.now(), "")
        if old.kind is new.kind:
            new = replace(new, learn=old.learn, alarm=old.alarm)
        return await self._calendar.update(event_id, new)

    def _hides(self, alerts: Sequence[Standing], now: float) -> Counter[str]:
        windows = [each for each in self._manager.maintenance.between(now, now) if each.active(now)]
        holds = self._manager.maintenance.holds
        return Counter(
            window.event.id
            for each in alerts
            if each.alert.state is AlertState.FIRING
            for window in windows
            if holds(window, each.alert.labels)
        )

    def _event(self, found: Occurrence, now: float) -> Snapshot:
        """One time that an event comes; ``first`` is the first of them."""
        event = found.event
        return occurrence_document(found, now) | {
            "state": _state(found.starts_at, found.ends_at, now),
            "matchers": [matcher_text(matcher) for matcher in event.matchers],
            "first": [event.starts_at, event.ends_at],
        }


def _next(event: Event, now: float) -> list[Occurrence]:
    since = now if event.recurrence else min(now, event.starts_at)
    until = max(now, event.starts_at) + _TEN_YEARS
    return list(islice(event.occurrences(since, until), _NEXT))


def _state(starts_at: float, ends_at: float, now: float) -> str:
    if now < starts_at:
        return "pending"
    return "active" if now < ends_at else "expired"


def _silence(silence: Silence, now: float) -> Snapshot:
    return {
        "id": silence.id,
        "kind": "silence",
        "state": silence.state(now).value,
        "title": silence.comment,
        "matchers": [matcher_text(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
    }


def add_calendar(routes: APIRouter, calendar: Calendar, planner: Planner) -> None:
    """Everything that the calendar page asks for."""

    @routes.get("/calendar", dependencies=_READ)
    async def between(since: _Moment, until: _Moment) -> Response:
        """What is planned, lasts, or is over within a range."""
        return _json(await planner.between(since, min(until, since + 400 * _DAY)))

    @routes.post("/events/preview", dependencies=_READ)
    async def preview(spec: PlanSpec) -> Response:
        """What an event would hold back now, and when it comes next."""
        return _json(await planner.preview(spec))

    @routes.post("/events")
    async def plan(spec: PlanSpec, request: Request, who: _Writer) -> Response:
        """Plan an event."""
        kept = await planner.plan(spec, who.name)
        audit_detail(request, id=kept.id, kind=kept.kind.value, title=kept.title)
        return _json(event_document(kept))

    @routes.post("/events/{event_id}", dependencies=_WRITE)
    async def change(event_id: str, spec: PlanSpec, request: Request) -> Response:
        """Change an event."""
        kept = await planner.change(event_id, spec)
        audit_detail(request, kind=kept.kind.value, title=kept.title)
        return _json(event_document(kept))

    @routes.post("/events/{event_id}/end", dependencies=_WRITE)
    async def end(event_id: str) -> Response:
        """Let it be over, and not come again."""
        return _json(event_document(await calendar.end(event_id)))

    @routes.post("/events/{event_id}/delete", dependencies=_WRITE)
    async def delete(event_id: str) -> Response:
        """Forget it."""
        await calendar.delete(event_id)
        return _json({"id": event_id})


def _json(data: Any) -> Response:
    return Response(encode(data), media_type="application/json")
