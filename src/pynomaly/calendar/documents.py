"""Events as JSON, for the API and the pages. Times are epoch seconds."""

import math
from typing import Any

from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matchers

Document = dict[str, Any]


def event_document(event: Event) -> Document:
    """An event; ``ends_at`` is null for a moment, ``recurrence`` unless it comes again."""
    again = event.recurrence
    return {
        "id": event.id,
        "kind": event.kind.value,
        "title": event.title,
        "text": event.text,
        "link": event.link,
        "starts_at": event.starts_at,
        "ends_at": None if event.is_moment else event.ends_at,
        "matchers": [str(each) for each in event.matchers],
        "learn": event.learn,
        "alarm": event.alarm,
        "recurrence": again
        and {
            "rule": again.rule,
            "time_zone": again.time_zone,
            "until": again.until if math.isfinite(again.until) else None,
        },
        "created_by": event.created_by,
        "created_at": event.created_at,
        "updated_at": event.updated_at,
        "configured": event.configured,
    }


def occurrence_of(document: Document) -> Occurrence:
    """The occurrence that a document is of: without its recurrence, which it has no part in.

    Raises:
        KeyError, ValueError: it is no such document.
    """
    begin = float(document["starts_at"])
    end = begin if document["ends_at"] is None else float(document["ends_at"])
    event = Event(
        kind=EventKind(document["kind"]),
        title=document["title"],
        starts_at=begin,
        ends_at=end,
        text=document.get("text", ""),
        link=document.get("link", ""),
        matchers=parse_matchers(document.get("matchers", ())),
        learn=document.get("learn", True),
        alarm=document.get("alarm", True),
        created_by=document.get("created_by", ""),
        id=document["id"],
        configured=document.get("configured", False),
    )
    return Occurrence(event, begin, end)


def occurrence_document(occurrence: Occurrence, now: float) -> Document:
    """An event at one of its times, and whether it lasts ``now``."""
    moment = occurrence.starts_at == occurrence.ends_at
    return {
        **event_document(occurrence.event),
        "starts_at": occurrence.starts_at,
        "ends_at": None if moment else occurrence.ends_at,
        "active": occurrence.active(now),
    }
