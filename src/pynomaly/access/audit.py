"""The audit log: who did what, when, from where, and what came of it."""

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from prometheus_client import Counter, Gauge
from sqlalchemy.orm import Mapped, mapped_column

from pynomaly.access.redaction import clean, redact
from pynomaly.model.clock import Clock
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Base, Records, RecordsError, RecordsUnavailable
from pynomaly.storage.records.tables import Json, RowId

log = logging.getLogger(__name__)

_UNWRITTEN = Gauge(
    "pynomaly_audit_unwritten_rows",
    "Audit rows that wait for the database to take them; more than 0 for long: look at it.",
    registry=REGISTRY,
)
_LOST = Counter(
    "pynomaly_audit_lost_rows",
    "Audit rows given up since the database was away too long; each is in the log as an error.",
    registry=REGISTRY,
)

_MINUTE = 60
_MOST_WAITING = 10_000
_MOST_TALLIES = 2_000


class AuditRow(Base):
    """One row; never changed (a trigger holds that), deleted only by the retention."""

    __tablename__ = "audit_log"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    at: Mapped[float] = mapped_column(sa.Double, index=True)
    principal: Mapped[str] = mapped_column(sa.Text)
    action: Mapped[str] = mapped_column(sa.Text)
    resource: Mapped[str] = mapped_column(sa.Text)
    outcome: Mapped[str] = mapped_column(sa.Text)
    count: Mapped[int] = mapped_column(sa.BigInteger)
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    source: Mapped[str] = mapped_column(sa.Text)
    request_id: Mapped[str] = mapped_column(sa.Text)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. ``at`` is epoch seconds (a tally's: the start of its minute).

    ``outcome`` is ``ok``, ``failed`` or ``denied``; ``count`` is how often it happened (1, or
    more for a tally); ``source`` the client's address; ``id`` counts up and is 0 before storing.
    """

    at: float
    principal: str
    action: str
    resource: str = ""
    outcome: str = "ok"
    detail: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    request_id: str = ""
    count: int = 1
    id: int = 0


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: empty fields do not restrict. ``since <= at < until``, epoch seconds."""

    principal: str = ""
    action: str = ""
    outcome: str = ""
    since: float | None = None
    until: float | None = None


_TallyKey = tuple[float, str, str, str, str, str]


class AuditLog:
    """Writes and reads the log. Thread-safe.

    ``tally`` only counts and may be called from anywhere; everything else waits for the database
    and belongs into a worker thread. Run ``flush`` every few seconds and ``prune`` once a day by
    the scheduler, and call ``close`` before the records are closed: it stores what is waiting.
    """

    def __init__(self, records: Records, clock: Clock, *, retention_days: int = 365) -> None:
        self._records = records
        self._clock = clock
        self._retention = retention_days * 86_400
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._tallies: dict[_TallyKey, int] = {}
        self._waiting: deque[AuditEntry] = deque()

    def write(
        self,
        principal: str,
        action: str,
        *,
        resource: str = "",
        outcome: str = "ok",
        detail: Mapping[str, Any] | None = None,
        source: str = "",
        request_id: str = "",
    ) -> None:
        """Store one entry now.

        While the database does not take it, it waits and is tried again by ``flush``: what was
        done was done, so the caller is not made to fail.
        """
        entry = AuditEntry(
            at=self._clock.now(),
            principal=clean(principal),
            action=str(action),
            resource=clean(resource),
            outcome=outcome,
            detail=redact(detail or {}),
            source=clean(source),
            request_id=clean(request_id),
        )
        self._queue([entry])
        self._store_waiting()

    def tally(
        self,
        principal: str,
        action: str,
        n: int = 1,
        *,
        resource: str = "",
        outcome: str = "ok",
        source: str = "",
    ) -> None:
        """Count what happens too often for a row each: one row per kind and minute.

        Never blocks on the database. If a minute has too many different sources (an attack from
        many addresses), the further ones are counted together.
        """
        minute = self._clock.now() // _MINUTE * _MINUTE
        key = (minute, clean(principal), str(action), clean(resource), outcome, clean(source))
        with self._lock:
            if key not in self._tallies and len(self._tallies) >= _MOST_TALLIES:
                key = (minute, clean(principal), str(action), "", outcome, "")
            self._tallies[key] = self._tallies.get(key, 0) + n

    def flush(self) -> None:
        """Store the tallies of past minutes, and what could not be stored before."""
        self._collect_tallies(self._clock.now() // _MINUTE * _MINUTE)
        self._store_waiting()

    def close(self) -> None:
        """Store everything, also the minute that is not over. What then fails is logged."""
        self._collect_tallies(float("inf"))
        self._store_waiting()
        with self._lock:
            left, self._waiting = list(self._waiting), deque()
        _give_up(left)

    def entries(
        self, which: AuditFilter | None = None, *, limit: int = 100, before: int | None = None
    ) -> list[AuditEntry]:
        """The newest entries first; ``before`` an id gives the page after it.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        query = sa.select(AuditRow).where(*_conditions(which or AuditFilter()))
        if before is not None:
            query = query.where(AuditRow.id < before)
        with self._records.reading() as session:
            rows = session.scalars(query.order_by(AuditRow.id.desc()).limit(limit))
            return [_entry(row) for row in rows]

    def prune(self) -> int:
        """Delete what is older than the retention; returns how many rows."""
        oldest = self._clock.now() - self._retention
        with self._records.writing() as session:
            done = session.execute(sa.delete(AuditRow).where(AuditRow.at < oldest))
            return int(getattr(done, "rowcount", 0))

    def _collect_tallies(self, before: float) -> None:
        with self._lock:
            due = [key for key in self._tallies if key[0] < before]
            counted = [(key, self._tallies.pop(key)) for key in due]
        self._queue(
            [
                AuditEntry(at, who, action, resource, outcome, source=source, count=count)
                for (at, who, action, resource, outcome, source), count in counted
            ]
        )

    def _queue(self, entries: Sequence[AuditEntry]) -> None:
        with self._lock:
            self._waiting.extend(entries)
            excess = max(0, len(self._waiting) - _MOST_WAITING)
            lost = [self._waiting.popleft() for _ in range(excess)]
        _give_up(lost)

    def _store_waiting(self) -> None:
        # One at a time, so that rows keep their order and none is stored twice.
        with self._storing:
            with self._lock:
                batch, self._waiting = self._waiting, deque()
            try:
                self._insert(batch)
            except RecordsUnavailable as error:
                log.error("%d audit rows wait for the database: %s", len(batch), error)
                with self._lock:
                    self._waiting.extendleft(reversed(batch))
            except RecordsError:
                self._insert_one_by_one(batch)
            with self._lock:
                _UNWRITTEN.set(len(self._waiting))

    def _insert_one_by_one(self, entries: Sequence[AuditEntry]) -> None:
        """So that one row that the database refuses does not hold up the others."""
        for entry in entries:
            try:
                self._insert([entry])
            except RecordsError as error:
                log.error("the database refused an audit row: %s", error)
                _give_up([entry])

    def _insert(self, entries: Sequence[AuditEntry]) -> None:
        if not entries:
            return
        with self._records.writing() as session:
            session.execute(sa.insert(AuditRow), [_values(entry) for entry in entries])


def _conditions(which: AuditFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (AuditRow.principal, which.principal),
        (AuditRow.action, which.action),
        (AuditRow.outcome, which.outcome),
    ):
        if value:
            conditions.append(column == value)
    if which.since is not None:
        conditions.append(AuditRow.at >= which.since)
    if which.until is not None:
        conditions.append(AuditRow.at < which.until)
    return conditions


def _values(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "principal": entry.principal,
        "action": entry.action,
        "resource": entry.resource,
        "outcome": entry.outcome,
        "count": entry.count,
        "detail": dict(entry.detail),
        "source": entry.source,
        "request_id": entry.request_id,
    }


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        principal=row.principal,
        action=row.action,
        resource=row.resource,
        outcome=row.outcome,
        detail=row.detail,
        source=row.source,
        request_id=row.request_id,
        count=row.count,
        id=row.id,
    )


def _give_up(entries: Sequence[AuditEntry]) -> None:
    for entry in entries:
        _LOST.inc()
        log.error("an audit row could not be stored: %s", entry)
