"""Anomalies in the records: what was found, and what people said of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from pynomaly.calendar.events import Occurrence
from pynomaly.detection.budget import Telling
from pynomaly.detection.events import Anomaly
from pynomaly.detection.excluded import Happenings
from pynomaly.detection.joint import Event, Relations, events_of, gather
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from pynomaly.storage.records.tables import Base, Json


class AnomalyRow(Base):
    """One anomaly."""

    __tablename__ = "anomalies"

    id: Mapped[str] = mapped_column(sa.Text(), primary_key=True)
    metric: Mapped[str] = mapped_column(sa.Text())
    service: Mapped[str] = mapped_column(sa.Text())
    labels: Mapped[dict[str, str]] = mapped_column(Json)
    started_at: Mapped[float] = mapped_column(sa.Double(), index=True)
    peaked_at: Mapped[float] = mapped_column(sa.Double())
    ended_at: Mapped[float] = mapped_column(sa.Double())
    score: Mapped[float] = mapped_column(sa.Double())
    confidence: Mapped[float] = mapped_column(sa.Double())
    value: Mapped[float] = mapped_column(sa.Double())
    expected: Mapped[float] = mapped_column(sa.Double())
    lower: Mapped[float] = mapped_column(sa.Double())
    upper: Mapped[float] = mapped_column(sa.Double())
    direction: Mapped[str] = mapped_column(sa.Text())
    cause: Mapped[str] = mapped_column(sa.Text())
    feedback: Mapped[str] = mapped_column(sa.Text())
    # With defaults, since they came to a table that had rows.
    group_id: Mapped[str] = mapped_column(sa.Text(), index=True, server_default=sa.text("''"))
    together: Mapped[float] = mapped_column(sa.Double(), server_default="0")
    peer: Mapped[str] = mapped_column(sa.Text(), server_default=sa.text("''"))
    siblings: Mapped[int] = mapped_column(sa.Integer(), server_default="0")
    siblings_median: Mapped[float] = mapped_column(sa.Double(), server_default="0")
    note: Mapped[str] = mapped_column(sa.Text(), server_default=sa.text("''"))
    told: Mapped[bool] = mapped_column(sa.Boolean(), server_default=sa.true())
    watched: Mapped[str] = mapped_column(sa.Text(), server_default=sa.text("''"))
    expr: Mapped[str] = mapped_column(sa.Text(), server_default=sa.text("''"))


_AT_ONCE = 200
_MOST = 10_000

_COPIED = (
    "id",
    "started_at",
    "peaked_at",
    "ended_at",
    "score",
    "confidence",
    "value",
    "expected",
    "lower",
    "upper",
    "direction",
    "cause",
    "feedback",
    "group_id",
    "together",
    "peer",
    "siblings",
    "siblings_median",
    "note",
    "told",
    "watched",
    "expr",
)
_STAYS = ("feedback", "group_id")
"""What the newer state of an anomaly does not change."""


class AnomalyLog(Protocol):
    """Remembers anomalies."""

    def save(self, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        """Add them, or take their newer state; feedback that was given stays.

        Returns the events that they are: a trouble that two found is one.
        """
        ...

    def open(self) -> list[Anomaly]:
        """Those that have not ended."""
        ...


class AnomalyRepository:
    """The queries of the table of anomalies. Blocking: call it in a worker thread."""

    def __init__(
        self,
        records: Records,
        relations: Relations | None = None,
        calendar: Happenings | None = None,
    ) -> None:
        self._records = records
        self._calendar = calendar
        self._relations = relations or Relations()
        self.changes = 0
        """Rises whenever what is kept has changed, so that a page knows when to read it again."""

    def save(self, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        """Add them, or take their newer state; feedback that was given and groups stay.

        New ones are gathered into groups with each other, and with what began shortly before. Of
        two of one id the last counts. In an outage thousands come at once.
        """
        if not anomalies:
            return anomalies
        with self._records.writing() as session:
            newest = {each.id: each for each in anomalies}
            rows = _rows(session, list(newest))
            new = [each for each in newest.values() if each.id not in rows]
            groups = self._gathered(session, new) if new else {}
            session.add_all(_row(replace(each, group_id=groups[each.id])) for each in new)
            for anomaly_id, row in rows.items():
                _renew(row, newest[anomaly_id])
        self.changes += 1
        return anomalies

    def _gathered(self, session: Session, new: Sequence[Anomaly]) -> dict[str, str]:
        """The group of each of these."""
        relations = self._relations
        began = [each.started_at for each in new]
        around = AnomalyRow.started_at.between(
            min(began) - relations.longest, max(began) + relations.within
        )
        earlier = [_anomaly(row) for row in session.scalars(sa.select(AnomalyRow).where(around))]
        return gather(new, earlier, relations)

    def events(
        self, since: float, until: float, *, metric: str = "", service: str = "", limit: int = 1000
    ) -> list[Event]:
        """What lasted at some time in ``[since, until]``, the newest first; groups are whole."""
        found = self.found(since, until, metric=metric, service=service, limit=_MOST)
        order = {each.group_id: i for i, each in reversed(list(enumerate(found)))}
        groups = sorted(order, key=lambda group: order[group])[:limit]
        whole: list[Anomaly] = []
        for start in range(0, len(groups), _AT_ONCE):
            part = groups[start : start + _AT_ONCE]
            whole += self._select(sa.select(AnomalyRow).where(AnomalyRow.group_id.in_(part)))
        return sorted(events_of(whole), key=lambda event: order[event.id])

    def group(self, group_id: str) -> Event | None:
        """One event with all of its members; None when there is none of this id."""
        query = sa.select(AnomalyRow).where(AnomalyRow.group_id == group_id)
        return next(iter(events_of(self._select(query))), None)

    def open(self) -> list[Anomaly]:
        """Those that have not ended."""
        return self._select(sa.select(AnomalyRow).where(AnomalyRow.ended_at == 0))

    def found(
        self,
        since: float,
        until: float,
        *,
        metric: str = "",
        service: str = "",
        limit: int = 1000,
    ) -> list[Anomaly]:
        """Those that lasted at some time in ``[since, until]``, the newest first."""
        query = (
            sa.select(AnomalyRow)
            .where(AnomalyRow.started_at <= until)
            .where((AnomalyRow.ended_at == 0) | (AnomalyRow.ended_at >= since))
            .order_by(AnomalyRow.started_at.desc(), AnomalyRow.id)
            .limit(limit)
        )
        if metric:
            query = query.where(AnomalyRow.metric == metric)
        if service:
            query = query.where(AnomalyRow.service == service)
        return self._select(query)

    def get(self, anomaly_id: str) -> Anomaly | None:
        """One; None when there is no such anomaly."""
        with self._records.reading() as session:
            row = session.get(AnomalyRow, anomaly_id)
            return None if row is None else _anomaly(row)

    def begun(self, since: float, until: float, *, limit: int = 1000) -> list[Anomaly]:
        """Those that began in ``[since, until]``, the newest first."""
        return self._select(
            sa.select(AnomalyRow)
            .where(AnomalyRow.started_at.between(since, until))
            .order_by(AnomalyRow.started_at.desc(), AnomalyRow.id)
            .limit(limit)
        )

    def starts(self, since: float, until: float) -> list[tuple[str, float]]:
        """The service and the begin of each that began in ``[since, until]``, in any order."""
        columns = sa.select(AnomalyRow.service, AnomalyRow.started_at)
        with self._records.reading() as session:
            found = session.execute(columns.where(AnomalyRow.started_at.between(since, until)))
            return [(row.service, row.started_at) for row in found]

    def previous(self, anomaly: Anomaly) -> Anomaly | None:
        """The one before it of the same series with the same cause, of those that are kept."""
        query = (
            sa.select(AnomalyRow)
            .where(AnomalyRow.metric == anomaly.metric, AnomalyRow.cause == anomaly.cause)
            .where(AnomalyRow.service == anomaly.service)
            .where(AnomalyRow.started_at < anomaly.started_at)
            .order_by(AnomalyRow.started_at.desc())
        )
        wanted = dict(anomaly.labels.items())
        with self._records.reading() as session:
            rows = session.scalars(query.execution_options(yield_per=_AT_ONCE))
            return next((_anomaly(row) for row in rows if row.labels == wanted), None)

    def tellings(self, since: float) -> list[Telling]:
        """What was told that began at ``since`` or later, in any order."""
        columns = sa.select(AnomalyRow.service, AnomalyRow.started_at, AnomalyRow.feedback)
        query = columns.where(AnomalyRow.told, AnomalyRow.started_at >= since)
        with self._records.reading() as session:
            return [Telling(*row) for row in session.execute(query)]

    def happened(self, since: float, until: float) -> list[Occurrence]:
        """What the calendar has that lies at least partly in ``[since, until]``."""
        return self._calendar.between(since, until) if self._calendar else []

    def judged(self, since: float) -> list[Anomaly]:
        """Those that began at ``since`` or later and of which a person said something."""
        query = sa.select(AnomalyRow).where(AnomalyRow.feedback != "")
        return self._select(query.where(AnomalyRow.started_at >= since))

    def judge(self, anomaly_id: str, feedback: str) -> Anomaly | None:
        """Keep what a person says of one; None when there is no such anomaly."""
        with self._records.writing() as session:
            row = session.get(AnomalyRow, anomaly_id)
            if row is None:
                return None
            row.feedback = feedback
            judged = _anomaly(row)
        self.changes += 1
        return judged

    def forget(self, before: float) -> int:
        """Drop those that ended earlier; how many."""
        with self._records.writing() as session:
            done: Any = session.execute(
                sa.delete(AnomalyRow).where(AnomalyRow.ended_at > 0, AnomalyRow.ended_at < before)
            )
            dropped = int(done.rowcount)
        self.changes += bool(dropped)
        return dropped

    def _select(self, query: sa.Select[Any]) -> list[Anomaly]:
        with self._records.reading() as session:
            return [_anomaly(row) for row in session.scalars(query)]


def _rows(session: Session, ids: Sequence[str]) -> dict[str, AnomalyRow]:
    """Those of these anomalies that are kept, by id."""
    found: dict[str, AnomalyRow] = {}
    for start in range(0, len(ids), _AT_ONCE):
        wanted = AnomalyRow.id.in_(ids[start : start + _AT_ONCE])
        found.update((row.id, row) for row in session.scalars(sa.select(AnomalyRow).where(wanted)))
    return found


def _row(anomaly: Anomaly) -> AnomalyRow:
    return AnomalyRow(
        **{name: getattr(anomaly, name) for name in _COPIED},
        metric=anomaly.metric,
        service=anomaly.service,
        labels=dict(anomaly.labels.items()),
    )


def _renew(row: AnomalyRow, anomaly: Anomaly) -> None:
    for name in _COPIED:
        if name not in _STAYS:
            setattr(row, name, getattr(anomaly, name))


def _anomaly(row: AnomalyRow) -> Anomaly:
    values = {name: getattr(row, name) for name in _COPIED}
    return Anomaly(labels=Labels(row.labels), **values)
