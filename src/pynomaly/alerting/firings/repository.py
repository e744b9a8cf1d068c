"""Where it is kept how often alerts fired, and how often somebody was told."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.alerting.firings.firing import Firing
from pynomaly.storage.records import Base, Records
from pynomaly.storage.records.upsert import upsert


class FiringRow(Base):
    """One time that an alert fired; ``minute`` is the epoch minute it began in."""

    __tablename__ = "alert_firings"

    fingerprint: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    started_at: Mapped[float] = mapped_column(sa.Double, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    severity: Mapped[str] = mapped_column(sa.Text)
    minute: Mapped[int] = mapped_column(sa.BigInteger, index=True)
    ended_at: Mapped[float | None] = mapped_column(sa.Double, index=True)
    notifications: Mapped[int] = mapped_column(sa.Integer)
    acknowledged_at: Mapped[float | None] = mapped_column(sa.Double)
    silenced_at: Mapped[float | None] = mapped_column(sa.Double)
    flapping: Mapped[bool] = mapped_column(sa.Boolean)
    again: Mapped[bool] = mapped_column(sa.Boolean)


class RuleNotificationsRow(Base):
    """How many notifications told a receiver of alerts of a name, by the epoch hour."""

    __tablename__ = "rule_notifications"

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    receiver: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    hour: Mapped[int] = mapped_column(
        sa.BigInteger, primary_key=True, autoincrement=False, index=True
    )
    notifications: Mapped[int] = mapped_column(sa.Integer)
    repeats: Mapped[int] = mapped_column(sa.Integer)


class Cell(NamedTuple):
    """What notifications are counted by; ``hour`` is the epoch hour."""

    name: str
    receiver: str
    hour: int


class Count(NamedTuple):
    """Notifications, and how many of them repeated what was told before."""

    notifications: int
    repeats: int


FIRINGS: Any = FiringRow.__table__
NOTIFICATIONS: Any = RuleNotificationsRow.__table__


def load(records: Records, since: float) -> list[Firing]:
    """Those that have not ended, and those that began or ended at ``since`` or later, in order.

    Raises:
        RecordsUnavailable: the database does not answer.
    """
    table = FIRINGS
    recent = sa.or_(
        table.c.ended_at.is_(None), table.c.ended_at >= since, table.c.minute >= int(since // 60)
    )
    with records.reading() as session:
        rows = session.execute(sa.select(table).where(recent).order_by(table.c.started_at))
        return [_firing(row) for row in rows]


def save(session: Session, firings: Sequence[Firing]) -> None:
    """Store firings in place of what was stored of them."""
    upsert(session, FIRINGS, [_row(firing) for firing in firings])


def add_notifications(session: Session, counts: Mapping[Cell, Count]) -> None:
    """Add to what is counted."""
    table = NOTIFICATIONS
    for cell, count in counts.items():
        where = sa.and_(*(table.c[name] == value for name, value in cell._asdict().items()))
        added = {name: table.c[name] + number for name, number in count._asdict().items()}
        result: Any = session.execute(sa.update(table).where(where).values(added))
        if not result.rowcount:
            upsert(session, table, [{**cell._asdict(), **count._asdict()}])


def delete(session: Session, before: float) -> None:
    """Forget what ended, and was told, before this time."""
    session.execute(sa.delete(FIRINGS).where(FIRINGS.c.ended_at < before))
    oldest = int(before // 3600)
    session.execute(sa.delete(NOTIFICATIONS).where(NOTIFICATIONS.c.hour < oldest))


def _row(firing: Firing) -> dict[str, Any]:
    return {
        "fingerprint": firing.fingerprint,
        "started_at": firing.started_at,
        "name": firing.name,
        "severity": firing.severity,
        "minute": int(firing.started_at // 60),
        "ended_at": firing.ended_at,
        "notifications": firing.notifications,
        "acknowledged_at": firing.acknowledged_at,
        "silenced_at": firing.silenced_at,
        "flapping": firing.flapping,
        "again": firing.again,
    }


def _firing(row: Any) -> Firing:
    data = row._asdict()
    del data["minute"]
    return Firing(**data)
