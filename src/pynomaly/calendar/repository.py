"""Where events are kept. Blocking: call it in a worker thread."""

import math
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.calendar.events import Event, EventKind
from pynomaly.calendar.matchers import new_matcher
from pynomaly.calendar.recurrence import Recurrence
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json
from pynomaly.storage.records.upsert import upsert


class EventRow(Base):
    """One event; ``matchers`` are triples of name, operator and value.

    ``rule`` is empty in what does not come again; ``over_at`` is when it no longer does, 0 if that
    is not known.
    """

    __tablename__ = "calendar_events"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    text: Mapped[str] = mapped_column(sa.Text)
    link: Mapped[str] = mapped_column(sa.Text)
    matchers: Mapped[list[list[str]]] = mapped_column(Json)
    starts_at: Mapped[float] = mapped_column(sa.Double)
    ends_at: Mapped[float] = mapped_column(sa.Double)
    learn: Mapped[bool] = mapped_column(sa.Boolean)
    alarm: Mapped[bool] = mapped_column(sa.Boolean)
    rule: Mapped[str] = mapped_column(sa.Text)
    time_zone: Mapped[str] = mapped_column(sa.Text)
    over_at: Mapped[float] = mapped_column(sa.Double)
    created_by: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[float] = mapped_column(sa.Double)
    updated_at: Mapped[float] = mapped_column(sa.Double)


_TABLE: Any = EventRow.__table__
_COPIED = (
    "id",
    "title",
    "text",
    "link",
    "starts_at",
    "ends_at",
    "learn",
    "alarm",
    "created_by",
    "created_at",
    "updated_at",
)


def load(records: Records) -> list[Event]:
    """Every event, in the order of their begin.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        rows = session.scalars(sa.select(EventRow).order_by(EventRow.starts_at, EventRow.id))
        return [_event(row) for row in rows]


def save(session: Session, event: Event) -> None:
    """Store it in place of the one of the same id."""
    upsert(session, _TABLE, [_row(event)])


def delete(session: Session, ids: Collection[str]) -> None:
    """Forget them."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), 500):  # a statement takes so many values everywhere
        part = ordered[start : start + 500]
        session.execute(sa.delete(EventRow).where(EventRow.id.in_(part)))


def _row(event: Event) -> dict[str, Any]:
    again = event.recurrence
    over_at = again.until if again else math.inf
    return {
        **{name: getattr(event, name) for name in _COPIED},
        "kind": event.kind.value,
        "matchers": [[m.name, m.op.value, m.value] for m in event.matchers],
        "rule": again.rule if again else "",
        "time_zone": again.time_zone if again else "",
        "over_at": over_at if math.isfinite(over_at) else 0.0,
    }


def _event(row: EventRow) -> Event:
    again = Recurrence(row.rule, row.time_zone, row.over_at or math.inf) if row.rule else None
    return Event(
        **{name: getattr(row, name) for name in _COPIED},
        kind=EventKind(row.kind),
        matchers=tuple(new_matcher(name, op, value) for name, op, value in row.matchers),
        recurrence=again,
    )
