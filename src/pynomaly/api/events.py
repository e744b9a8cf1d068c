"""``/api/events``: what people do to systems, and when."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action, Principal
from pynomaly.calendar.documents import event_document, occurrence_document
from pynomaly.calendar.drafts import EventDraft
from pynomaly.calendar.events import EventKind
from pynomaly.calendar.matchers import parse_matcher
from pynomaly.calendar.service import Calendar
from pynomaly.model.clock import Clock
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import MatchOp
from pynomaly.model.times import parse_moment

_WEEK = 7 * 86_400.0
_MOST = 1000
_LONGEST = 10 * 366 * 86_400.0

Who = Annotated[Principal, Depends(require(Action.EVENTS_WRITE))]


def router(calendar: Calendar, clock: Clock) -> APIRouter:
    """List, create, change, end and delete."""
    routes = APIRouter(prefix="/api/events", tags=["events"])
    read = [Depends(require(Action.EVENTS_READ))]

    @routes.get("", dependencies=read)
    async def found(
        from_: Annotated[str, Query(alias="from")] = "7d",
        to: str = "",
        kind: Annotated[list[EventKind] | None, Query()] = None,
        label: Annotated[list[str] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = _MOST,
    ) -> dict[str, Any]:
        """What lies at least partly between, each time it comes, in the order of its begin."""
        now = clock.now()
        since = _moment("from", from_, now)
        until = _moment("to", to, now) if to else now + _WEEK
        if not since <= until <= since + _LONGEST:
            raise BadInput(f"from {from_} to {to or 'in a week'} is not up to ten years forward")
        occurrences = calendar.between(
            since, until, kinds=kind or (), labels=_labels(label) if label else None
        )
        return {
            "events": [occurrence_document(each, now) for each in occurrences[:limit]],
            "left_out": max(0, len(occurrences) - limit),
            "holiday_like": calendar.settings.holiday_like,
        }

    @routes.post("", status_code=201)
    async def create(draft: EventDraft, request: Request, who: Who) -> dict[str, Any]:
        """Keep a new one."""
        event = draft.event(clock.now(), calendar.settings.time_zone, who.name)
        kept = await calendar.create(event)
        audit_detail(request, id=kept.id, kind=kept.kind.value, title=kept.title)
        return event_document(kept)

    @routes.get("/{event_id}", dependencies=read)
    async def one(event_id: str) -> dict[str, Any]:
        """One, with its recurrence."""
        return event_document(calendar.get(event_id))

    @routes.put("/{event_id}")
    async def update(
        event_id: str, draft: EventDraft, request: Request, who: Who
    ) -> dict[str, Any]:
        """Put another in its place."""
        event = draft.event(clock.now(), calendar.settings.time_zone, who.name)
        kept = await calendar.update(event_id, event)
        audit_detail(request, kind=kept.kind.value, title=kept.title)
        return event_document(kept)

    @routes.post("/{event_id}/end", dependencies=[Depends(require(Action.EVENTS_WRITE))])
    async def end(event_id: str) -> dict[str, Any]:
        """Let it be over now."""
        return event_document(await calendar.end(event_id))

    @routes.delete("/{event_id}", dependencies=[Depends(require(Action.EVENTS_WRITE))])
    async def delete(event_id: str) -> dict[str, Any]:
        """Forget it."""
        await calendar.delete(event_id)
        return {"deleted": event_id}

    return routes


def _moment(name: str, text: str, now: float) -> float:
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from None


def _labels(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        matcher = parse_matcher(text)
        if matcher.op is not MatchOp.EQUAL:
            raise BadInput(f"label: {text!r} is no label such as service=checkout")
        found[matcher.name] = matcher.value
    return found
