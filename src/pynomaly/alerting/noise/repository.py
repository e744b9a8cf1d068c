"""The numbers of the noise report: each a few aggregates over all firings of a range."""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pynomaly.alerting.firings.repository import FIRINGS, NOTIFICATIONS

LONGER = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
"""Seconds by which ``for`` could be longer, of which it is counted what would not have fired."""

_BY_DESIGN = "none"
"""The severity of alerts that always fire: a watchdog is no noise."""


class Span(NamedTuple):
    """Firings that began in ``[since, until)``, epoch seconds; of one rule if ``name`` says so."""

    since: float
    until: float
    name: str = ""

    def firings(self) -> Any:
        """The condition on firings."""
        column = FIRINGS.c
        inside = sa.and_(
            column.minute >= int(self.since // 60),
            column.minute < int(self.until // 60),
            column.severity != _BY_DESIGN,
        )
        return sa.and_(inside, column.name == self.name) if self.name else inside

    def notifications(self) -> Any:
        """The condition on counts of notifications, which are by the hour."""
        column = NOTIFICATIONS.c
        inside = sa.and_(
            column.hour >= int(self.since // 3600), column.hour <= int((self.until - 1) // 3600)
        )
        return sa.and_(inside, column.name == self.name) if self.name else inside


class Cell(NamedTuple):
    """Firings of a rule that began in an hour of the day and lasted about as long.

    ``lasted``: the first of ``LONGER`` that they did not last longer than, by its number;
    ``len(LONGER)`` if they lasted longer, and one more while they fire. ``acted``: whether
    somebody acknowledged or silenced them. The others are counts; ``again_notifications``: of
    firings within an hour of one before.
    """

    name: str
    hour: int
    lasted: int
    acted: bool
    severity: str
    firings: int
    notifications: int
    acknowledged: int
    silenced: int
    flapping: int
    again: int
    again_notifications: int


class ReceiverCount(NamedTuple):
    """Notifications with alerts of a rule that a receiver was sent, and repetitions among them."""

    name: str
    receiver: str
    notifications: int
    repeats: int


def cells(session: Session, span: Span, offset: float) -> list[Cell]:
    """All that is counted of firings, in one look at them; ``offset``: seconds from UTC."""
    column = FIRINGS.c
    acted = sa.or_(column.acknowledged_at.is_not(None), column.silenced_at.is_not(None))
    keys = [
        column.name,
        (column.minute + int(offset // 60)) // 60 % 24,
        _lasted(),
        sa.case((acted, 1), else_=0),
    ]
    again = sa.func.sum(sa.case((column.again, column.notifications), else_=0))
    query = sa.select(
        *keys,
        sa.func.max(column.severity),
        sa.func.count(),
        sa.func.sum(column.notifications),
        sa.func.count(column.acknowledged_at),
        sa.func.count(column.silenced_at),
        sa.func.sum(sa.case((column.flapping, 1), else_=0)),
        sa.func.sum(sa.case((column.again, 1), else_=0)),
        again,
    )
    rows = session.execute(query.where(span.firings()).group_by(*keys))
    return [
        Cell(name, int(hour), int(lasted), bool(acted), severity, *map(int, counts))
        for name, hour, lasted, acted, severity, *counts in rows
    ]


def _lasted() -> Any:
    column = FIRINGS.c
    seconds = column.ended_at - column.started_at
    shorter = [(seconds <= limit, number) for number, limit in enumerate(LONGER)]
    still = (column.ended_at.is_(None), len(LONGER) + 1)
    return sa.case(still, *shorter, else_=len(LONGER))


def durations(session: Session, span: Span) -> dict[str, dict[int, int]]:
    """How many firings that have ended lasted how long, by rule.

    By the second up to ten minutes, by the minute up to ten hours, then by the hour, each given
    as seconds: with these a median is known to within 5%, and costs no sorting.
    """
    column = FIRINGS.c
    seconds = sa.cast(column.ended_at - column.started_at, sa.Integer)
    about = sa.case(
        (seconds < 600, seconds),
        (seconds < 36_000, seconds // 60 * 60),
        else_=seconds // 3600 * 3600,
    )
    ended = sa.and_(span.firings(), column.ended_at.is_not(None))
    query = sa.select(column.name, about, sa.func.count()).where(ended)
    found: dict[str, dict[int, int]] = {}
    for name, lasted, number in session.execute(query.group_by(column.name, about)):
        found.setdefault(name, {})[int(lasted)] = number
    return found


def receivers(session: Session, span: Span) -> list[ReceiverCount]:
    """Who was told of which rule how often, the most first."""
    column = NOTIFICATIONS.c
    number = sa.func.sum(column.notifications)
    query = (
        sa.select(column.name, column.receiver, number, sa.func.sum(column.repeats))
        .where(span.notifications())
        .group_by(column.name, column.receiver)
        .order_by(number.desc(), column.receiver)
    )
    return [ReceiverCount(n, r, int(all_), int(of)) for n, r, all_, of in session.execute(query)]
