"""The doors with nothing behind them but a list, or with any other store."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import errors
from pynomaly.api.ingest import router
from pynomaly.ingest.push import PushDeps, PushLimits
from pynomaly.model.clock import FakeClock
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.samples import Appended, MetricMetadata, SampleBatch
from pynomaly.observability import REGISTRY
from pynomaly.storage.samples.contract import Appender

NOW = 1_790_000_000.0
NOW_MS = round(NOW * 1000)


@dataclass
class Recorder:
    """An appender that remembers; ``failures`` are raised first, one a call."""

    rows: list[tuple[str, int, float]] = field(default_factory=list)
    metadata: list[MetricMetadata] = field(default_factory=list)
    exemplars: list[tuple[str, Exemplar]] = field(default_factory=list)
    refuses_exemplars: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    failures: list[Exception] = field(default_factory=list)
    oldest_ms: int = 0

    async def append(self, batch: SampleBatch) -> Appended:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.metadata.extend(batch.metadata)
        self.exemplars.extend((str(batch.labels[i]), each) for i, each in batch.exemplars)
        columns = zip(batch.ids.tolist(), batch.ts.tolist(), batch.values.tolist(), strict=True)
        rows = [(str(batch.labels[i]), ts, value) for i, ts, value in columns]
        kept = [row for row in rows if row[1] >= self.oldest_ms]
        self.rows.extend(kept)
        old = len(rows) - len(kept)
        refused = {"older than the retention": old} if old else {}
        return Appended(len(kept), refused, len(batch.exemplars), self.refuses_exemplars)


def client(
    appender: Appender, limits: PushLimits | None = None, clock: FakeClock | None = None
) -> httpx.AsyncClient:
    """A client of an application that has nothing but the doors."""
    app = FastAPI()
    errors.install(app)
    app.include_router(router(PushDeps(appender, clock or FakeClock(NOW), limits or PushLimits())))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def counted(name: str, labels: Mapping[str, str]) -> float:
    """The value of a counter of the product."""
    return REGISTRY.get_sample_value(name, dict(labels)) or 0.0
