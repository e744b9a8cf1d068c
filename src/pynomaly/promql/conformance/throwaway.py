"""A real store in a folder that is thrown away, for suites that fill and empty it."""

import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pynomaly.model.clock import SystemClock
from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.store import SampleStore

_CENTURY_DAYS = 36_500  # the scripts' time begins in 1970
_TABLES = ("samples", "series", "series_days", "metric_metadata")


class ThrowawayStore:
    """The embedded engine with nothing in it; a ``Target`` of scripts."""

    def __init__(self, engine: EmbeddedEngine, executor: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._executor = executor
        self._store: SampleStore | None = None

    async def clear(self) -> None:
        """Forget every series."""
        await self.close()
        settings = SampleSettings(retention_days=_CENTURY_DAYS)
        store = SampleStore(self._engine, SystemClock(), settings)
        await store.start()
        self._store = store
        query = QuerySettings(experimental_functions=True)
        self.querier = LocalQuerier(store, self._executor, query, cancel_read=self._engine.cancel)

    async def append(self, batch: SampleBatch) -> Appended:
        """Store samples, as any sender's."""
        assert self._store is not None, "clear() opens it"
        return await self._store.append(batch)

    async def close(self) -> None:
        """Stop the store and empty its tables."""
        if self._store is None:
            return
        store, self._store = self._store, None
        await store.close()
        for table in _TABLES:
            self._engine.execute(f"TRUNCATE TABLE {table}")


@asynccontextmanager
async def throwaway_store() -> AsyncIterator[ThrowawayStore]:
    """An empty store; its folder is removed in the end."""
    async with AsyncExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="pynomaly-conformance-"))
        executor = undo.enter_context(ThreadPoolExecutor(2, thread_name_prefix="conformance"))
        engine = EmbeddedEngine(Path(folder))
        undo.callback(engine.close)
        store = ThrowawayStore(engine, executor)
        undo.push_async_callback(store.close)
        await store.clear()
        yield store
