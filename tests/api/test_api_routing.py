"""``/api/routes`` as clients see it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.backtest.service import RoutingBacktests
from pynomaly.api import routing
from pynomaly.api.errors import install
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Querier
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.service import Backtests
from pynomaly.storage.samples.memory import MemorySamples

NOW = 1_700_000_000.0
CONFIG = """
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {receiver: pager, matchers: [severity="critical"]}
    - {receiver: ops, matchers: [severity="info"], mute_time_intervals: [always]}
receivers:
  - name: ops
    webhook_configs: [{url: 'http://x/the-token'}]
  - name: pager
    pagerduty_configs: [{routing_key: the-key}]
time_intervals: [{name: always, time_intervals: [{}]}]
"""
RULES = """
groups:
  - name: g
    rules:
      - {alert: High, expr: load > 0.5, labels: {severity: critical}}
"""


def application(querier: Querier) -> FastAPI:
    config = parse_alertmanager(CONFIG, "am.yml", Path())
    clock = FakeClock(NOW)
    backtests = RoutingBacktests(lambda: config, querier, Backtests(querier), clock)
    app = FastAPI()
    install(app)
    app.include_router(routing.router(routing.RoutingDeps(lambda: config, backtests, clock)))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    return app


@asynccontextmanager
async def connected() -> AsyncIterator[httpx.AsyncClient]:
    """A store in which one alert fired for 20 minutes, and a series that would give another."""
    store = MemorySamples()
    fired = Labels({"__name__": "ALERTS", "alertstate": "firing", "alertname": "Down"})
    load = Labels({"__name__": "load"})
    first = round((NOW - 3600) * 1000)
    rows = [(fired, first + i * 15_000, 1.0) for i in range(40, 120)]
    rows += [(load, first + i * 15_000, float(40 <= i < 120)) for i in range(240)]
    await store.append(SampleBatch.of(rows))
    with ThreadPoolExecutor(2) as executor:
        transport = httpx.ASGITransport(app=application(LocalQuerier(store, executor)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


async def backtest(**body: Any) -> httpx.Response:
    async with connected() as client:
        return await client.post("/api/routes/backtest", json=body)


async def test_the_tree_has_what_is_in_force_and_no_secret() -> None:
    async with connected() as client:
        answer = await client.get("/api/routes")
    found = answer.json()
    assert [route["receiver"] for route in found["route"]["routes"]] == ["pager", "ops"]
    assert found["receivers"] == [
        {"name": "ops", "integrations": ["webhook[0]"]},
        {"name": "pager", "integrations": ["pagerduty[0]"]},
    ]
    assert "the-" not in answer.text


async def test_where_an_alert_would_go_and_whether_its_route_is_silent() -> None:
    async with connected() as client:
        ask = {"labels": {"severity": "info", "alertname": "Low"}, "at": NOW}
        answer = await client.post("/api/routes/test", json=ask)
    (end,) = answer.json()["routes"]
    assert (end["receiver"], end["key"]) == ("ops", '{}/{severity="info"}')
    assert end["group_labels"] == {"alertname": "Low"}
    assert end["silent"] == "muted at that time by always"


async def test_a_time_that_is_none_is_refused() -> None:
    async with connected() as client:
        answer = await client.post("/api/routes/test", json={"labels": {}, "at": "soon"})
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
    assert "at: 'soon' is not a time" in answer.json()["error"]


async def test_a_backtest_takes_the_alerts_that_fired_and_the_configuration_in_force() -> None:
    found = (await backtest(**{"from": "1h"})).json()
    assert (found["alerts"], found["report"]["heard"]) == (1, 1)
    told = {way["receiver"]: way["notifications"] for way in found["report"]["ways"]}
    assert told == {"ops": 2, "pager": 0}


async def test_a_backtest_of_rules_and_of_another_configuration() -> None:
    other = CONFIG.replace('severity="critical"', 'severity="none"')
    found = (await backtest(**{"from": "1h", "rules": RULES, "against": other})).json()
    (changed,) = found["rerouted"]
    assert changed["labels"] == {"alertname": "High", "severity": "critical"}
    assert (changed["a"], changed["b"]) == (["pager"], ["ops"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"from": "soon"}, "from: 'soon' is not a time"),
        ({"from": "now"}, "the range ends before it begins"),
        ({"timezone": "Nowhere"}, "'Nowhere' is not a time zone"),
        ({"alertmanager": "route: {receiver: a}"}, "alertmanager:1: route.receiver: no receiver"),
        ({"against": "route: ["}, "against:1: not valid YAML"),
        ({"rules": "groups: [{name: g, rules: [{alert: A}]}]"}, "rules.yml:1"),
        ({"fro": "1h"}, 'invalid parameter "fro"'),
    ],
)
async def test_what_is_wrong_is_said(body: dict[str, Any], message: str) -> None:
    answer = await backtest(**body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


async def test_files_of_templates_are_not_read_for_who_asks(tmp_path: Path) -> None:
    secret = tmp_path / "secret.tmpl"
    secret.write_text("{{ secret }}")
    answer = await backtest(alertmanager=f"{CONFIG}\ntemplates: ['{secret}']")
    assert answer.status_code == 200


async def test_one_backtest_runs_at_a_time() -> None:
    async with connected() as client:
        both = [client.post("/api/routes/backtest", json={"from": "1h"}) for _ in range(2)]
        answers = await asyncio.gather(*both)
    assert sorted(answer.status_code for answer in answers) == [200, 429]
