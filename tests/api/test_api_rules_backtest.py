"""``POST /api/rules/backtest`` as clients see it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import rules_backtest
from pynomaly.api.errors import install
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Querier, QueryResult
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.service import Backtests
from pynomaly.storage.samples.memory import MemorySamples

NOW = 1_700_000_000.0
RULES = """
groups:
  - name: g
    rules:
      - {alert: High, expr: load > 0.5, for: 2m}
"""
ASK = {"rules": RULES, "from": "1h", "to": "now"}
LINES = {"accept": "application/x-ndjson"}


def application(querier: Querier) -> FastAPI:
    app = FastAPI()
    install(app)
    app.include_router(rules_backtest.router(Backtests(querier), FakeClock(NOW)))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    return app


@asynccontextmanager
async def connected() -> AsyncIterator[httpx.AsyncClient]:
    store = MemorySamples()
    labels = Labels({"__name__": "load", "host": "a"})
    first = round((NOW - 3600) * 1000)
    rows = [(labels, first + i * 60_000, float(20 <= i < 40)) for i in range(60)]
    await store.append(SampleBatch.of(rows))
    with ThreadPoolExecutor(2) as executor:
        transport = httpx.ASGITransport(app=application(LocalQuerier(store, executor)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


async def test_it_answers_with_the_alerts() -> None:
    async with connected() as client:
        answer = await client.post("/api/rules/backtest", json=ASK)
    assert answer.status_code == 200
    (rule,) = answer.json()["rules"]
    assert (rule["alert"], rule["for"], rule["fired"], rule["threshold"]) == ("High", 120, 1, 0.5)
    (event,) = rule["events"]
    assert event["labels"] == {"alertname": "High", "host": "a"}
    assert event["ended_at"] - event["pending_at"] == 1200


async def test_lines_end_with_the_result() -> None:
    async with connected() as client:
        whole = await client.post("/api/rules/backtest", json=ASK)
        lined = await client.post("/api/rules/backtest", json=ASK, headers=LINES)
    assert lined.headers["content-type"].startswith("application/x-ndjson")
    result = json.loads(lined.text.splitlines()[-1])["result"]
    assert result["rules"] == whole.json()["rules"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from": "soon"}, "from: 'soon' is not a time such as 30d"),
        ({"rules": "groups: [{name: g, rules: [{alert: A}]}]"}, r"rules.yml:1.*expr"),
        ({"sweep": {"limit": [1]}}, "'limit' cannot be swept"),
        ({"sweep": {"for": ["long"]}}, "'long' is not a duration"),
        ({"sweep": {"threshold": [1], "threshold2": [2]}}, "one threshold is swept at a time"),
        ({"rules": None}, 'invalid parameter "rules"'),
        ({"fro": "1h"}, 'invalid parameter "fro"'),
    ],
)
async def test_what_cannot_be_understood_is_said(change: dict[str, Any], message: str) -> None:
    async with connected() as client:
        answer = await client.post("/api/rules/backtest", json={**ASK, **change})
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "bad_data"
    assert re.search(message, answer.json()["error"])


async def test_an_error_while_it_runs_is_the_last_line() -> None:
    async with connected() as client:
        ask = {**ASK, "rules": RULES.replace("load", "nothing")}
        lined = await client.post("/api/rules/backtest", json=ask, headers=LINES)
        plain = await client.post("/api/rules/backtest", json=ask)
    last = json.loads(lined.text.splitlines()[-1])
    assert last == plain.json()
    assert (plain.status_code, last["status"]) == (422, "error")
    assert last["error"].startswith("nothing is stored of nothing from ")


class Waiting:
    """Never answers, and knows how many wait."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()

    async def instant(self, *_: Any, **__: Any) -> QueryResult:
        raise AssertionError("a range is asked for")

    async def range(self, *_: Any, **__: Any) -> QueryResult:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gone.set()
        raise AssertionError


def leaving(asked: asyncio.Event) -> Callable[[], Any]:
    """What a connection says whose client goes away once its query runs."""
    body = [{"type": "http.request", "body": json.dumps(ASK).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if body:
            return body.pop()
        await asked.wait()
        return {"type": "http.disconnect"}

    return receive


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_a_client_that_goes_away_ends_it(accept: str) -> None:
    querier = Waiting()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/rules/backtest",
        "raw_path": b"/api/rules/backtest",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"accept", accept.encode()),
        ],
    }

    async def send(_: Any) -> None:
        pass

    await asyncio.wait_for(application(querier)(scope, leaving(querier.asked), send), 30)
    await asyncio.wait_for(querier.gone.wait(), 30)
