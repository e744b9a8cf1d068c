"""``/api/v1/rules``, ``/api/v1/alerts`` and ``/api/alerts/active``, beside the real Prometheus."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import alerts, rules
from pynomaly.api.errors import install
from pynomaly.model.clock import FakeClock
from pynomaly.rules.config import load_rules
from pynomaly.rules.manager import RuleManager
from pynomaly.storage.bus import Bus
from pynomaly.storage.scheduler import Scheduler
from tests.rules.rules_scripted import Kept, Scripted

RULES = """
groups:
  - name: one
    interval: 1s
    labels: {team: ops}
    rules:
      - {record: "a:b", expr: "vector(2)", labels: {x: y}}
      - alert: Always
        expr: vector(1)
        labels: {severity: none}
        annotations: {summary: "is {{ $value }}"}
      - {alert: Waits, expr: "vector(1)", for: 1h, keep_firing_for: 5m}
  - name: two
    interval: 1s
    rules:
      - {alert: Never, expr: "vector(1) > 2"}
"""


async def serve(path: str) -> Any:
    clock = FakeClock()
    querier = Scripted()
    querier.answers = {"vector(1)": {"": 1.0}, "vector(2)": {"": 2.0}}
    scheduler = Scheduler(clock)
    manager = RuleManager(querier, Kept(), Bus(clock), clock, scheduler)
    await manager.apply(load_rules(RULES, "r.yml"))
    await clock.advance(3)
    app = FastAPI()
    install(app)
    app.include_router(rules.router(manager))
    app.include_router(alerts.router(manager))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get(path)
    await scheduler.close()
    return answer.json()


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def fetch(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def prometheus(program: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path) -> Any:
    (tmp_path / "r.yml").write_text(RULES.replace("    labels: {team: ops}\n", ""))
    config = tmp_path / "prometheus.yml"
    config.write_text("rule_files: [r.yml]\n")
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
        ],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            groups = fetch(address, "/api/v1/rules")["data"]["groups"]
            if len(groups) == 2 and all(r["health"] == "ok" for g in groups for r in g["rules"]):
                break
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < deadline, "Prometheus did not evaluate its rules"
        time.sleep(0.05)
    yield address
    process.terminate()
    process.wait()


@pytest.mark.needs("prometheus")
async def test_rules_and_alerts_have_the_shape_of_the_real_prometheus(prometheus: str) -> None:
    for path in ("/api/v1/rules", "/api/v1/rules?type=alert", "/api/v1/alerts"):
        ours, theirs = shape(await serve(path)), shape(fetch(prometheus, path))
        for rule in (r for g in ours["data"].get("groups", ()) for r in g["rules"]):
            rule["labels"].pop("team", None)
            for alert in rule.get("alerts", ()):
                alert["labels"].pop("team", None)
        for alert in ours["data"].get("alerts", ()):
            alert["labels"].pop("team", None)
        # 2.42 leaves out labels and annotations that are empty; Prometheus 3 does as well.
        assert without_empty(ours) == without_empty(theirs)


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_empty(v) for k, v in value.items() if v != {}}
    return [without_empty(v) for v in value] if isinstance(value, list) else value


async def test_a_rule_says_its_state_and_its_alerts() -> None:
    data = (await serve("/api/v1/rules?rule_name[]=Always"))["data"]
    ((group,)) = data["groups"]
    ((rule,)) = group["rules"]
    assert (rule["state"], rule["health"], rule["type"]) == ("firing", "ok", "alerting")
    assert rule["labels"] == {"severity": "none", "team": "ops"}
    assert rule["alerts"][0]["value"] == "1e+00"
    assert rule["alerts"][0]["annotations"] == {"summary": "is 1"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a:b", "Always", "Waits", "Never"]),
        ("?type=record", ["a:b"]),
        ("?type=alert", ["Always", "Waits", "Never"]),
        ("?rule_group[]=two", ["Never"]),
        ("?file[]=other.yml", []),
    ],
)
async def test_rules_are_filtered(query: str, names: list[str]) -> None:
    data = (await serve(f"/api/v1/rules{query}"))["data"]
    assert [rule["name"] for group in data["groups"] for rule in group["rules"]] == names


async def test_a_type_that_there_is_not_is_refused() -> None:
    answer = await serve("/api/v1/rules?type=x")
    assert (answer["errorType"], answer["error"]) == (
        "bad_data",
        'invalid parameter "type": not supported value "x"',
    )


async def test_active_alerts_show_firing_ones_first() -> None:
    answer = await serve("/api/alerts/active")
    assert (answer["firing"], answer["pending"]) == (1, 1)
    assert [alert["name"] for alert in answer["alerts"]] == ["Always", "Waits"]
    assert (await serve("/api/alerts/active?severity=none"))["pending"] == 0


async def test_groups_come_page_by_page() -> None:
    first = (await serve("/api/v1/rules?group_limit=1"))["data"]
    token = first["groupNextToken"]
    second = (await serve(f"/api/v1/rules?group_limit=1&group_next_token={token}"))["data"]

    assert [len(page["groups"]) for page in (first, second)] == [1, 1]
    assert first["groups"][0]["name"] != second["groups"][0]["name"]
    assert "groupNextToken" not in second


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("group_next_token=x", "group_limit needs to be present"),
        ("group_limit=many", "a valid number"),
        ("group_limit=0", "greater than 0"),
        ("group_limit=1&group_next_token=x", "were rule groups changed?"),
        ("match[]=sum(x)", "not a metric selector"),
    ],
)
async def test_wrong_parameters_are_refused_with_what_is_wrong(query: str, fault: str) -> None:
    answer = await serve(f"/api/v1/rules?{query}")

    assert answer["errorType"] == "bad_data"
    assert fault in answer["error"]


async def test_rules_are_chosen_by_the_labels_that_they_add() -> None:
    ops = (await serve('/api/v1/rules?match[]={team="ops"}'))["data"]["groups"]
    none = (await serve('/api/v1/rules?match[]={team="dev"}'))["data"]["groups"]

    assert all(rule["labels"]["team"] == "ops" for group in ops for rule in group["rules"])
    assert ops
    assert none == []
