"""The database: what is kept, and how its use is measured."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, ForeignKey, create_engine, delete, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pynomaly.observability import MetricsCollector

_POOL = "main"
_POOL_TIMEOUT = 5.0


class Base(DeclarativeBase):
    """All tables."""


class Account(Base):
    """Who may log in."""

    __tablename__ = "account"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    salt: Mapped[bytes]
    password_hash: Mapped[bytes]


class Detection(Base):
    """What the model said of some readings; ``flags`` is a JSON list of booleans."""

    __tablename__ = "detection"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    machine: Mapped[str]
    flags: Mapped[str]


class Label(Base):
    """What people found out later about the readings of a detection."""

    __tablename__ = "label"

    detection_id: Mapped[int] = mapped_column(
        ForeignKey("detection.id", ondelete="CASCADE"), primary_key=True
    )
    flags: Mapped[str]


class Job(Base):
    """Work that is done in the background, with what became of it."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    at: Mapped[float]
    status: Mapped[str]
    result: Mapped[str] = mapped_column(default="")


class NoSuchRow(LookupError):
    """Nothing is kept under this id."""


class Database:
    """The service's tables in an SQLite file; a fault makes ``delay`` seconds of each query."""

    def __init__(self, path: Path, metrics: MetricsCollector, pool_size: int) -> None:
        self.delay = 0.0
        self.engine = create_engine(
            f"sqlite:///{path}",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_POOL_TIMEOUT,
        )
        self._metrics = metrics.database
        event.listen(self.engine, "connect", _prepare)
        Base.metadata.create_all(self.engine)
        self._measure(self.engine)
        pool: Any = self.engine.pool
        self._metrics.watch_pool(_POOL, pool)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _measure(self, engine: Engine) -> None:
        """Time every query by what it does, and count those that fail."""

        def before(connection: Any, *_: Any) -> None:
            connection.info["began"] = time.perf_counter()
            if self.delay:
                time.sleep(self.delay)

        def after(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seconds = time.perf_counter() - connection.info["began"]
            self._metrics.queries.labels(_operation(statement)).observe(seconds)

        def failed(context: Any) -> None:
            self._metrics.errors.labels(_operation(context.statement or "connect")).inc()

        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "after_cursor_execute", after)
        event.listen(engine, "handle_error", failed)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction, committed at the end unless something is raised.

        Raises SQLAlchemyError when no connection was free within five seconds, or a query failed.
        """
        try:
            with self._metrics.waits.labels(_POOL).time():
                connection = self.engine.connect()
        except SQLAlchemyError:
            self._metrics.errors.labels("connect").inc()
            raise
        with connection, Session(connection) as session, session.begin():
            yield session

    def account(self, name: str) -> Account | None:
        """The account of this name."""
        with self.session() as session:
            found = session.get(Account, name)
            session.expunge_all()
            return found

    def add_accounts(self, accounts: Sequence[Account]) -> None:
        """Add these unless there are any."""
        with self.session() as session:
            if not session.scalar(select(func.count()).select_from(Account)):
                session.add_all(accounts)

    def add_detection(self, at: float, machine: str, flags: Sequence[bool]) -> int:
        """Keep what the model said; the id of it."""
        with self.session() as session:
            row = Detection(at=at, machine=machine, flags=json.dumps(flags))
            session.add(row)
            session.flush()
            return row.id

    def detections(self, limit: int) -> list[dict[str, Any]]:
        """The newest ones."""
        with self.session() as session:
            newest = select(Detection).order_by(Detection.id.desc()).limit(limit)
            return [
                {"id": r.id, "at": r.at, "machine": r.machine, "anomalous": json.loads(r.flags)}
                for r in session.scalars(newest)
            ]

    def add_label(self, detection_id: int, flags: Sequence[bool]) -> list[bool]:
        """Keep what people found out, the last word counts; what the model had said.

        Raises NoSuchRow, or ValueError if it is about another number of readings.
        """
        with self.session() as session:
            row = session.get(Detection, detection_id)
            if row is None:
                raise NoSuchRow(f"there is no detection {detection_id}")
            said: list[bool] = json.loads(row.flags)
            if len(said) != len(flags):
                raise ValueError(f"detection {detection_id} is of {len(said)} readings")
            session.merge(Label(detection_id=detection_id, flags=json.dumps(flags)))
            return said

    def add_job(self, kind: str, at: float) -> int:
        """Keep that a job waits; the id of it."""
        with self.session() as session:
            row = Job(kind=kind, at=at, status="waiting")
            session.add(row)
            session.flush()
            return row.id

    def end_job(self, job_id: int, status: str, result: str) -> None:
        """Keep what became of a job."""
        with self.session() as session:
            row = session.get(Job, job_id)
            if row is not None:
                row.status, row.result = status, result

    def job(self, job_id: int) -> dict[str, Any]:
        """A job; raises NoSuchRow."""
        with self.session() as session:
            row = session.get(Job, job_id)
            if row is None:
                raise NoSuchRow(f"there is no job {job_id}")
            return {"id": row.id, "kind": row.kind, "status": row.status, "result": row.result}

    def keep_newest(self, count: int) -> int:
        """Delete what is older than the newest ``count`` detections and jobs; how many it was."""
        deleted = 0
        with self.session() as session:
            for table in (Detection, Job):
                newest = session.scalar(select(func.max(table.id))) or 0
                done: Any = session.execute(delete(table).where(table.id <= newest - count))
                deleted += done.rowcount
        return deleted


def _operation(statement: str) -> str:
    return statement.split(None, 1)[0].lower()


def _prepare(connection: Any, _record: Any) -> None:
    for setting in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on"):
        connection.execute(f"PRAGMA {setting}")
