"""Where it is kept what receivers were told: the last of each group, and the history."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.alerting.contract import Attempt, Outcome
from pynomaly.alerting.notifications.entry import Entry, Intent, Place, State
from pynomaly.alerting.notifications.history import HistoryFilter, Sent
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json
from pynomaly.storage.records.upsert import upsert


class TellingRow(Base):
    """What one integration was told last of one group; fingerprints stand in a row each."""

    __tablename__ = "told_groups"

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    receiver: Mapped[str] = mapped_column(sa.Text)
    integration: Mapped[str] = mapped_column(sa.Text)
    group_key: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[float] = mapped_column(sa.Double)
    expires_at: Mapped[float] = mapped_column(sa.Double, index=True)
    notification_id: Mapped[str] = mapped_column(sa.Text)
    firing: Mapped[str] = mapped_column(sa.Text)
    resolved: Mapped[str] = mapped_column(sa.Text)
    memory: Mapped[dict[str, str]] = mapped_column(Json)
    intent_id: Mapped[str] = mapped_column(sa.Text)
    intent_at: Mapped[float] = mapped_column(sa.Double)
    intent_firing: Mapped[str] = mapped_column(sa.Text)
    intent_resolved: Mapped[str] = mapped_column(sa.Text)


class SentRow(Base):
    """One notification, delivered or not, with every attempt."""

    __tablename__ = "notifications"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    at: Mapped[float] = mapped_column(sa.Double, index=True)
    receiver: Mapped[str] = mapped_column(sa.Text)
    integration: Mapped[str] = mapped_column(sa.Text)
    route: Mapped[str] = mapped_column(sa.Text)
    group_key: Mapped[str] = mapped_column(sa.Text)
    group_labels: Mapped[dict[str, str]] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(sa.Text)
    outcome: Mapped[str] = mapped_column(sa.Text)
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    firing: Mapped[str] = mapped_column(sa.Text)
    resolved: Mapped[str] = mapped_column(sa.Text)


_TOLD: Any = TellingRow.__table__
_SENT: Any = SentRow.__table__


def load(records: Records) -> dict[Place, Entry]:
    """Everything that was told and is not forgotten yet.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        rows = session.execute(sa.select(_TOLD))
        return {Place(row.receiver, row.integration, row.group_key): _entry(row) for row in rows}


def save(session: Session, entries: Mapping[Place, Entry]) -> None:
    """Store what places were told, or were about to be, instead of what is stored."""
    upsert(session, _TOLD, [_told_row(place, entry) for place, entry in entries.items()])


def delete(session: Session, places: Collection[Place]) -> None:
    """Forget that these were told anything."""
    keys = [place.digest for place in places]
    session.execute(sa.delete(_TOLD).where(_TOLD.c.key.in_(keys)))


def add_history(session: Session, sent: Sequence[Sent]) -> None:
    """Write down notifications; one of the same id is continued."""
    upsert(session, _SENT, [_sent_row(one) for one in sent])


def delete_history(session: Session, before: float) -> None:
    """Forget the notifications of before this time."""
    session.execute(sa.delete(_SENT).where(_SENT.c.at < before))


def history(records: Records, wanted: HistoryFilter) -> list[Sent]:
    """Notifications, the newest first.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    query = sa.select(_SENT).order_by(_SENT.c.at.desc()).limit(wanted.limit)
    query = query.where(_SENT.c.at >= wanted.since, _SENT.c.at <= wanted.until)
    if wanted.receiver:
        query = query.where(_SENT.c.receiver == wanted.receiver)
    if wanted.group_key:
        query = query.where(_SENT.c.group_key == wanted.group_key)
    if wanted.fingerprints is not None:
        anywhere = _SENT.c.firing + " " + _SENT.c.resolved
        query = query.where(sa.or_(*(anywhere.contains(one) for one in wanted.fingerprints)))
    with records.reading() as session:
        return [_sent(row) for row in session.execute(query)]


def _told_row(place: Place, entry: Entry) -> dict[str, Any]:
    intent = entry.intent or Intent("", 0.0, State())
    return {
        "key": place.digest,
        **place._asdict(),
        "at": entry.at,
        "expires_at": entry.expires_at,
        "notification_id": entry.notification_id,
        "firing": _joined(entry.state.firing),
        "resolved": _joined(entry.state.resolved),
        "memory": dict(entry.memory),
        "intent_id": intent.id,
        "intent_at": intent.at,
        "intent_firing": _joined(intent.state.firing),
        "intent_resolved": _joined(intent.state.resolved),
    }


def _entry(row: Any) -> Entry:
    intent = Intent(
        row.intent_id,
        row.intent_at,
        State(frozenset(row.intent_firing.split()), frozenset(row.intent_resolved.split())),
    )
    return Entry(
        state=State(frozenset(row.firing.split()), frozenset(row.resolved.split())),
        at=row.at,
        expires_at=row.expires_at,
        notification_id=row.notification_id,
        memory=row.memory,
        intent=intent if intent.id else None,
    )


def _sent_row(sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.id,
        "at": sent.at,
        **sent.place._asdict(),
        "route": sent.route,
        "group_labels": dict(sent.group_labels),
        "reason": sent.reason,
        "outcome": sent.outcome.value,
        "attempts": [asdict(attempt) for attempt in sent.attempts],
        "firing": _joined(sent.state.firing),
        "resolved": _joined(sent.state.resolved),
    }


def _sent(row: Any) -> Sent:
    return Sent(
        id=row.id,
        at=row.at,
        place=Place(row.receiver, row.integration, row.group_key),
        route=row.route,
        group_labels=row.group_labels,
        reason=row.reason,
        outcome=Outcome(row.outcome),
        attempts=tuple(_attempt(attempt) for attempt in row.attempts),
        state=State(frozenset(row.firing.split()), frozenset(row.resolved.split())),
    )


def _attempt(data: dict[str, Any]) -> Attempt:
    return Attempt(data["at"], data["seconds"], Outcome(data["outcome"]), data["reason"])


def _joined(fingerprints: Collection[str]) -> str:
    return " ".join(sorted(fingerprints))
