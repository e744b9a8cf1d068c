"""Where dead letters are kept."""

import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.alerting.contract import Notification
from pynomaly.alerting.delivery.letter import DeadLetter
from pynomaly.alerting.notifications.entry import State
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.tables import Json
from pynomaly.storage.records.upsert import upsert


class DeadLetterRow(Base):
    """What one integration could not be told of one group."""

    __tablename__ = "dead_letters"

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    receiver: Mapped[str] = mapped_column(sa.Text)
    integration: Mapped[str] = mapped_column(sa.Text)
    group_key: Mapped[str] = mapped_column(sa.Text)
    first_at: Mapped[float] = mapped_column(sa.Double)
    last_at: Mapped[float] = mapped_column(sa.Double)
    times: Mapped[int] = mapped_column(sa.Integer)
    reason: Mapped[str] = mapped_column(sa.Text)
    notification: Mapped[dict[str, Any]] = mapped_column(Json)


_TABLE: Any = DeadLetterRow.__table__


def load(records: Records) -> list[DeadLetter]:
    """All of them.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    with records.reading() as session:
        return [_letter(row) for row in session.execute(sa.select(_TABLE))]


def save(session: Session, letter: DeadLetter) -> None:
    """Store a letter in place of what its place could not be told before."""
    row = {
        "key": letter.id,
        **letter.place._asdict(),
        "first_at": letter.first_at,
        "last_at": letter.last_at,
        "times": letter.times,
        "reason": letter.reason,
        "notification": _as_json(letter.notification),
    }
    upsert(session, _TABLE, [row])


def delete(session: Session, identity: str) -> None:
    """Forget a letter."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.key == identity))


def _letter(row: Any) -> DeadLetter:
    told = row.notification
    notification = Notification(
        receiver=row.receiver,
        group_key=row.group_key,
        group_labels=Labels(told["group_labels"]),
        alerts=tuple(_alert(alert) for alert in told["alerts"]),
        at=told["at"],
        reason=told["reason"],
        id=told["id"],
        memory=told["memory"],
        route_labels=Labels(told["route_labels"]),
        integration=row.integration,
        route=told["route"],
        repeat_interval=told["repeat_interval"] or math.inf,
        state=State(frozenset(told["firing"]), frozenset(told["resolved"])),
    )
    return DeadLetter(notification, row.first_at, row.last_at, row.times, row.reason)


def _as_json(told: Notification) -> dict[str, Any]:
    every = told.repeat_interval
    return {
        "id": told.id,
        "at": told.at,
        "reason": told.reason,
        "group_labels": dict(told.group_labels),
        "route_labels": dict(told.route_labels),
        "route": told.route,
        "memory": dict(told.memory),
        "repeat_interval": every if math.isfinite(every) else 0.0,  # JSON has no infinity
        "firing": sorted(told.state.firing),
        "resolved": sorted(told.state.resolved),
        "alerts": [_alert_as_json(alert) for alert in told.alerts],
    }


def _alert_as_json(alert: Alert) -> dict[str, Any]:
    # The value is left out: it may be NaN, which JSON has not, and no receiver is told it.
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "generator_url": alert.generator_url,
    }


def _alert(data: Mapping[str, Any]) -> Alert:
    return Alert(
        labels=Labels(data["labels"]),
        annotations=Labels(data["annotations"]),
        state=AlertState(data["state"]),
        value=float("nan"),
        active_at=data["active_at"],
        fired_at=data["fired_at"],
        resolved_at=data["resolved_at"],
        generator_url=data["generator_url"],
    )
