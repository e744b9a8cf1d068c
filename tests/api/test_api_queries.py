"""``GET /api/queries``."""

import httpx
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api.queries import router
from pynomaly.model.clock import FakeClock
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.query_log import QueryLog
from pynomaly.promql.state import Grid, QueryState
from pynomaly.storage.samples.memory import MemorySamples


async def test_running_and_ended_queries_are_shown() -> None:
    queries = QueryLog(FakeClock(100.0), slow_seconds=10, most=5)
    app = FastAPI()
    app.include_router(router(queries))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    state = QueryState(MemorySamples(), QuerySettings(), Grid(5_000, 1, 1), end_ms=5_000)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with queries.following("instant", "up", state):
            running = (await client.get("/api/queries")).json()
        ended = (await client.get("/api/queries")).json()

    assert [record["expr"] for record in running["active"]] == ["up"]
    assert ended["active"] == []
    assert ended["recent"][0]["error"] == ""
