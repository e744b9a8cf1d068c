"""The database behind every repository."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from pynomaly.storage.records import schema
from pynomaly.storage.records.config import RecordsSettings
from pynomaly.storage.records.errors import (
    RecordsError,
    RecordsMisconfigured,
    RecordsUnavailable,
    translate,
)

FILE_NAME = "records.sqlite"

_BUSY_TIMEOUT_MS = 10_000
_LOCK_TIMEOUT = "60s"


class Records:
    """SQLAlchemy on SQLite or PostgreSQL, its schema up to date.

    Synchronous and thread-safe: call it from worker threads (``asyncio.to_thread``), never from
    the event loop. Transactions are short; a repository class owns the queries of its tables and
    takes a ``Records``.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        writing = engine.execution_options(pynomaly_write=True)
        self._readers = sessionmaker(engine)
        self._writers = sessionmaker(writing, expire_on_commit=False)

    @classmethod
    def open(cls, settings: RecordsSettings, data_dir: Path) -> "Records":
        """Connect, and migrate to the schema of this version.

        Raises:
            RecordsMisconfigured: the address or the login is wrong.
            RecordsUnavailable: the server cannot be reached.
            RecordsTooNew: the schema belongs to a newer version.
        """
        url = database_url(settings, data_dir)
        records = cls(_sqlite(url) if _is_sqlite(url) else _postgres(url, settings))
        try:
            with records._migrating() as connection:
                schema.upgrade(connection)
        except BaseException:
            records.close()
            raise
        return records

    @property
    def where(self) -> str:
        """The address for people, without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries; what it changes is not kept."""
        with self._translated(), self._readers() as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are kept when the block ends well, and undone when not."""
        with self._translated(), self._writers.begin() as session:
            yield session

    def ping(self) -> None:
        """Ask the database for an answer.

        Raises:
            RecordsUnavailable: there is none.
        """
        with self.reading() as session:
            session.execute(sa.text("SELECT 1"))

    def copy_to(self, folder: Path) -> bool:
        """Copy them, as they are at one moment, into a data folder; whether that was done.

        Those on a server stay there, and are for that server's own backup.

        Raises:
            RecordsError: the copy cannot be written.
        """
        if not _is_sqlite(self.engine.url):
            return False
        path = folder / FILE_NAME
        _create_private(path)
        with self._translated():
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("VACUUM INTO ?", (str(path),))
            except sqlite3.Error as error:
                raise RecordsError(f"The records cannot be copied: {error}.") from error
            finally:
                connection.close()
        return True

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _migrating(self) -> Iterator[sa.Connection]:
        writing = self.engine.execution_options(pynomaly_write=True)
        with self._translated(), writing.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
            yield connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise translate(error, self.engine.url) from error
        except (sa.exc.StatementError, OverflowError) as error:
            # The driver cannot even send it; the text of these names no value.
            raise RecordsError(
                f"A value does not fit its column: {type(error).__name__}."
            ) from error
        except sa.exc.TimeoutError as error:
            raise RecordsUnavailable(
                "Every connection to the records is in use.",
                hint="If this lasts, raise storage.records.pool_size.",
            ) from error


def database_url(settings: RecordsSettings, data_dir: Path) -> sa.URL:
    """The address to connect to: as configured, or the file in the data folder.

    Raises:
        RecordsMisconfigured: it is not an address, or not of a database that is supported. The
            message does not repeat it, since a mistyped address may show its password.
    """
    if settings.url is None:
        return sa.URL.create("sqlite", database=str(data_dir / FILE_NAME))
    try:
        url = sa.make_url(settings.url.get_secret_value().strip())
    except (sa.exc.ArgumentError, ValueError) as error:
        raise RecordsMisconfigured(
            "DATABASE_URL is not an address.", hint=_expected
        ) from error.with_traceback(None)
    name = url.drivername
    if name in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if name == "sqlite" and url.database:
        return url
    raise RecordsMisconfigured(f"DATABASE_URL begins with {name}://.", hint=_expected)


_expected = "Expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE (or sqlite:///FILE)."


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _postgres(url: sa.URL, settings: RecordsSettings) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=settings.pool_size,
        pool_pre_ping=True,  # a server that was restarted costs a reconnect, not an error
        hide_parameters=True,
        connect_args={
            "connect_timeout": settings.connect_timeout_seconds,
            "application_name": "pynomaly",
        },
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    _create_private(Path(str(url.database)))
    engine = sa.create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private(path: Path) -> None:
    """Make the file readable for its owner only; where that fails, connecting says why."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions late and not for DDL: we begin them ourselves.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",  # first: the next one may have to wait
        "journal_mode = WAL",
        "synchronous = FULL",  # few and important rows: they survive a power loss, too
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later fails at once when another one wrote in
    # between, whatever the busy timeout; so writers take the lock when they begin.
    write = connection.get_execution_options().get("pynomaly_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
