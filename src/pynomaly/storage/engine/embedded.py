"""ClickHouse inside this process (chdb), behind the ``SignalEngine`` contract."""

import atexit
import itertools
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.contract import EngineError, Params, QueryCancelled, Settings
from pynomaly.storage.engine.errors import translate
from pynomaly.storage.engine.lock import FolderLock
from pynomaly.storage.engine.metrics import forget_memory, watch_memory
from pynomaly.storage.engine.params import quoted, render_params, render_settings
from pynomaly.storage.engine.process import connection_url, load_chdb
from pynomaly.storage.engine.spool import Spool

_CANCEL_INTERVAL = 0.05
_STREAM_BLOCK_ROWS = 262_144
_MEMORY = "SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'"


@dataclass(eq=False)
class _Statement:
    """One running or waiting statement; ``tag`` finds it in ``system.processes``."""

    tag: str
    query_id: str
    writes: bool
    cancelled: bool = False
    finished: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _Slot:
    """A connection. ``lock`` is held while the engine works on it, ``stream`` while one is open."""

    connection: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    stream: Any = None
    stream_tag: str = ""
    spool: Spool | None = None

    def close(self) -> None:
        """End what is open and disconnect; the caller holds the lock."""
        _end_stream_locked(self)
        self.connection.close()
        if self.spool is not None:
            self.spool.close()


class _Pool:
    """Connections of one purpose; whoever finds none idle waits."""

    def __init__(self, slots: list[_Slot], wake: threading.Condition, *, writes: bool) -> None:
        self.writes = writes
        self.slots = slots
        self.idle = list(slots)
        self._wake = wake

    def take(self, statement: _Statement) -> _Slot:
        with self._wake:
            while not self.idle and not statement.cancelled:
                self._wake.wait()
            if statement.cancelled:
                raise QueryCancelled("The query was cancelled before it began.")
            return self.idle.pop()

    def give_back(self, slot: _Slot) -> None:
        with self._wake:
            self.idle.append(slot)
            self._wake.notify_all()


class EmbeddedEngine:
    """The engine in a data folder that this process owns as long as the engine is open.

    A process can have one open at a time. The engine must not be used in a forked child:
    start workers with ``spawn``. It closes itself at exit if nobody did, since leaving the
    interpreter while a query runs crashes the process.

    Statements must not carry ``SETTINGS`` or ``FORMAT`` clauses of their own in ``query`` and
    ``stream``; pass ``settings``.

    Raises:
        DataFolderLocked, DataFolderUnusable: see ``FolderLock``.
        EngineError: the engine cannot open what is in the folder.
    """

    def __init__(self, path: Path, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        self.folder = path
        self._pid = os.getpid()
        self._lock = FolderLock(path)
        self._wake = threading.Condition()
        self._statements: set[_Statement] = set()
        self._numbers = itertools.count(1)
        self._closing = False
        self._closed = threading.Event()
        try:
            self._open(self._lock.folder)
        except BaseException:
            self._lock.release()
            raise
        atexit.register(self.close)
        watch_memory(self._memory_bytes)

    def _open(self, folder: Path) -> None:
        connect = load_chdb()
        url = connection_url(folder, self.settings)
        opened: list[Any] = []

        def slots(count: int) -> list[_Slot]:
            opened.extend(connect(url) for _ in range(count))
            return [_Slot(connection) for connection in opened[-count:]]

        try:
            self._readers = _Pool(slots(self.settings.query_connections), self._wake, writes=False)
            self._writers = _Pool(slots(self.settings.write_connections), self._wake, writes=True)
            self._control = slots(1)[0]
        except Exception as error:
            for connection in opened:
                connection.close()
            raise translate(error) from error

    def query(
        self,
        sql: str,
        params: Params | None = None,
        *,
        settings: Settings | None = None,
        query_id: str = "",
    ) -> pa.Table:
        """Run a SELECT and return all of it. Strings are ``string``, times ``timestamp``."""
        bound = render_params(params)
        with self._statement(self._readers, query_id) as (slot, statement):
            text = _with_settings(sql, settings, statement)
            with slot.lock, _translated():
                return _table(_query(slot, text, bound))

    def stream(
        self,
        sql: str,
        params: Params | None = None,
        *,
        settings: Settings | None = None,
        query_id: str = "",
    ) -> Iterator[pa.RecordBatch]:
        """Run a SELECT and return it in pieces; closing the iterator cancels the query."""
        bound = render_params(params)
        settings = {"max_block_size": _STREAM_BLOCK_ROWS, **(settings or {})}
        with self._statement(self._readers, query_id) as (slot, statement):
            text = _with_settings(sql, settings, statement)
            with slot.lock, _translated():
                slot.stream = slot.connection.send_query(text, "ArrowStream", bound)
                slot.stream_tag = statement.tag
            try:
                while (batches := self._fetch(slot, statement)) is not None:
                    yield from batches
            finally:
                _end_stream(slot)

    def _fetch(self, slot: _Slot, statement: _Statement) -> list[pa.RecordBatch] | None:
        with slot.lock, _translated():
            if statement.cancelled or slot.stream is None:
                raise QueryCancelled("The query was cancelled.")
            chunk = slot.stream.fetch()
        if chunk is None:
            return None
        batches: list[pa.RecordBatch] = pa.ipc.open_stream(_buffer(chunk)).read_all().to_batches()
        return batches

    def insert(self, table: str, rows: pa.Table, *, token: str = "") -> None:
        """Store rows; when it returns they survive a kill. A repeated ``token`` is a no-op.

        Columns are matched by name; dictionary arrays fill ``LowCardinality``, map arrays
        ``Map``.
        """
        if not rows.num_rows:
            return
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        settings = {"insert_deduplication_token": token} if token else {}
        with self._statement(self._writers, "") as (slot, statement), slot.lock, _translated():
            clause = render_settings({**settings, "log_comment": statement.tag})
            # Not chdb's send_insert: version 26.9 reports success when the disk is full.
            spool = slot.spool = slot.spool or Spool(self._lock.folder)
            try:
                spool.fill(rows)
                slot.connection.query(
                    f"INSERT INTO {table} ({columns}) FROM INFILE {quoted(spool.path)}"
                    f" SETTINGS {clause} FORMAT ArrowStream",
                    "Null",
                )
            finally:
                spool.empty()

    def execute(
        self, sql: str, params: Params | None = None, *, settings: Settings | None = None
    ) -> None:
        """Run a statement that returns nothing (DDL, INSERT … SELECT, OPTIMIZE)."""
        bound = render_params(params)
        with self._statement(self._writers, "") as (slot, statement), slot.lock, _translated():
            session: dict[str, str | int | float] = {"log_comment": statement.tag}
            session.update(settings or {})
            slot.connection.query(f"SET {render_settings(session)}", "Null")
            try:
                slot.connection.query(sql, "Null", params=bound)
            finally:
                defaults = ", ".join(f"{name} = DEFAULT" for name in session)
                slot.connection.query(f"SET {defaults}", "Null")

    def cancel(self, query_id: str) -> None:
        """Stop the statements of this id, running or waiting, and wait until they stopped."""
        with self._wake:
            wanted = [s for s in self._statements if s.query_id == query_id]
        self._stop(wanted, timeout=self.settings.close_timeout)

    def close(self) -> None:
        """Stop intake, cancel what reads, let inserts finish, close. Idempotent."""
        if os.getpid() != self._pid:
            return
        with self._wake:
            if self._closing:
                first = False
            else:
                self._closing, first = True, True
            wanted = list(self._statements)
        if not first:
            self._closed.wait()
            return
        forget_memory()
        self._control_statement("SYSTEM STOP MERGES")
        self._stop(wanted, timeout=self.settings.close_timeout)
        self._close_connections()
        self._lock.release()
        atexit.unregister(self.close)
        self._closed.set()

    def _close_connections(self) -> None:
        slots = [*self._readers.slots, *self._writers.slots, self._control]
        for slot in slots:
            # A stream that its reader abandoned is ended here; a reader that still waits inside
            # the engine has been cancelled and lets the lock go.
            if slot.lock.acquire(timeout=self.settings.close_timeout):
                try:
                    slot.close()
                finally:
                    slot.lock.release()

    def _stop(self, statements: list[_Statement], *, timeout: float) -> None:
        with self._wake:
            for statement in statements:
                statement.cancelled = True
            self._wake.notify_all()
        deadline = time.monotonic() + timeout
        # Again and again: a statement may not have reached the engine when the first came.
        while statements and time.monotonic() < deadline:
            self._kill([s.tag for s in statements if not s.writes])
            statements[0].finished.wait(_CANCEL_INTERVAL)
            statements = [s for s in statements if not self._is_over(s)]

    def _is_over(self, statement: _Statement) -> bool:
        """Finished, or an open stream that nobody reads at the moment (it ends when read)."""
        if statement.finished.is_set():
            return True
        slots = (s for s in self._readers.slots if s.stream and s.stream_tag == statement.tag)
        slot = next(slots, None)
        if slot is None or not slot.lock.acquire(blocking=False):
            return False
        try:
            _end_stream_locked(slot)
        finally:
            slot.lock.release()
        return True

    def _kill(self, tags: list[str]) -> None:
        if not tags:
            return
        listed = ", ".join(map(quoted, tags))
        # SYNC would wait for a stream whose reader is waiting for us.
        self._control_statement(f"KILL QUERY WHERE Settings['log_comment'] IN ({listed}) ASYNC")

    def _control_statement(self, sql: str) -> None:
        with self._control.lock, _translated():
            self._control.connection.query(sql, "Null")

    def _memory_bytes(self) -> float:
        """What the engine counts as allocated; NaN while it cannot be asked."""
        if not self._control.lock.acquire(blocking=False):
            return math.nan
        try:
            if self._closing:
                return math.nan
            with _translated():
                found = _table(_query(self._control, _MEMORY, {}))
            return float(found["value"][0].as_py())
        except EngineError:  # out of memory, say: no reason to fail the whole page of metrics
            return math.nan
        finally:
            self._control.lock.release()

    @contextmanager
    def _statement(self, pool: _Pool, query_id: str) -> Iterator[tuple[_Slot, _Statement]]:
        if os.getpid() != self._pid:
            raise EngineError("The engine cannot be used in a forked process; start it by spawn.")
        number = next(self._numbers)
        statement = _Statement(f"{query_id or 'statement'}#{number}", query_id, pool.writes)
        with self._wake:
            if self._closing:
                raise QueryCancelled("The engine is closed.")
            self._statements.add(statement)
        try:
            slot = pool.take(statement)
            try:
                yield slot, statement
            finally:
                pool.give_back(slot)
        finally:
            with self._wake:
                self._statements.discard(statement)
            statement.finished.set()


def _with_settings(sql: str, settings: Settings | None, statement: _Statement) -> str:
    clause = render_settings({**(settings or {}), "log_comment": statement.tag})
    return f"{sql}\nSETTINGS {clause}"


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the engine's errors into ours; chdb raises plain ``RuntimeError`` and ``Exception``."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise translate(error) from error


def _query(slot: _Slot, sql: str, params: dict[str, str]) -> Any:
    try:
        return slot.connection.query(sql, "ArrowStream", params=params)
    except Exception:
        # chdb 26.9 puts what a failed query had written so far in front of the next stream's
        # result on this connection; any other query throws it away.
        slot.connection.query("SELECT 1", "Null")
        raise


def _end_stream(slot: _Slot) -> None:
    with slot.lock:
        _end_stream_locked(slot)


def _end_stream_locked(slot: _Slot) -> None:
    if slot.stream is not None:
        stream, slot.stream = slot.stream, None
        stream.close()


def _buffer(result: Any) -> pa.Buffer:
    """The result's memory without a copy; the buffer keeps the result alive."""
    memory = result.get_memview()
    view = np.frombuffer(memory.view(), dtype=np.uint8)
    return pa.foreign_buffer(view.ctypes.data, view.nbytes, base=(result, memory))


def _table(result: Any) -> pa.Table:
    return pa.ipc.open_stream(_buffer(result)).read_all()
