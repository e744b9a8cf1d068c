"""What a column store must do for us. Nothing above knows whether it is embedded."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import pyarrow as pa

from pynomaly.model.errors import PynomalyError

Params = Mapping[str, Any]
Settings = Mapping[str, int | float | str]


class EngineError(PynomalyError):
    """The engine refused or failed a statement; ``code`` is ClickHouse's number."""

    def __init__(self, message: str, code: int = 0, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class EngineBusy(EngineError):
    """Writing has fallen behind (too many parts, out of memory); try again later."""

    status = 429
    kind = "too_many_requests"


class DiskFull(EngineError):
    """Nothing can be written; reading goes on."""

    status = 503
    kind = "unavailable"


class QueryCancelled(EngineError):
    """The query was cancelled from outside, or the engine is closing."""

    status = 503
    kind = "canceled"


class SignalEngine(Protocol):
    """ClickHouse SQL over Arrow. Every method is synchronous, blocks, and is thread-safe:
    call it from worker threads, never from the event loop.

    ``params`` are bound by ClickHouse as ``{name:Type}``; ``settings`` apply to one statement.
    """

    def query(
        self,
        sql: str,
        params: Params | None = None,
        *,
        settings: Settings | None = None,
        query_id: str = "",
    ) -> pa.Table:
        """Run a SELECT and return all of it."""
        ...

    def stream(
        self,
        sql: str,
        params: Params | None = None,
        *,
        settings: Settings | None = None,
        query_id: str = "",
    ) -> Iterator[pa.RecordBatch]:
        """Run a SELECT and return it in pieces; closing the iterator cancels the query."""
        ...

    def insert(self, table: str, rows: pa.Table, *, token: str = "") -> None:
        """Store rows; when it returns they survive a kill. A repeated ``token`` is a no-op."""
        ...

    def execute(
        self, sql: str, params: Params | None = None, *, settings: Settings | None = None
    ) -> None:
        """Run a statement that returns nothing (DDL, INSERT … SELECT, OPTIMIZE)."""
        ...

    def cancel(self, query_id: str) -> None:
        """Stop a running query; its caller gets ``QueryCancelled``. Unknown ids are ignored."""
        ...

    def close(self) -> None:
        """Stop intake, cancel what runs, wait for it, close. Idempotent."""
        ...
