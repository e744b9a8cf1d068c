"""Acknowledgements, suppression rules and the noise report over the API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.alerting.explain.service import Explainer
from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.noise.service import NoiseReports
from pynomaly.alerting.suppression.rule import read_rule
from pynomaly.api import alert_noise, alerts
from pynomaly.api.errors import install
from tests.alerting.alerting_story import Story

CONFIG = """
global: {resolve_timeout: 12h}
route: {receiver: team, group_by: ['...'], group_wait: 1s, group_interval: 10s, repeat_interval: 1h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
"""
RULE = {
    "name": "duplicate_suppression",
    "conditions": {"time_window": 300, "max_alerts_in_window": 1},
}
OF_FILE = NoiseSettings(
    [read_rule({**RULE, "name": "of the file", "matchers": ["team=db"]})],
    flapping=FlappingSettings(hold=True),
)


class NoRules:
    def alerts(self) -> list[Any]:
        return []


class World:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.manager = story.manager
        self.reports = NoiseReports(story.manager.noise, story.records, story.clock)
        app = FastAPI()
        install(app)
        explainer = Explainer(story.manager, story.records, story.clock)
        app.include_router(alerts.router(NoRules(), story.manager, explainer, story.clock))
        app.include_router(alert_noise.router(self, story.clock))
        app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/alerts")

    async def ask(self, method: str, path: str, status: int = 200, **how: Any) -> Any:
        answer = await self.http.request(method, path, **how)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def fire(self, start: float, end: float | None = None, **labels: str) -> str:
        alert = self.story.alert(start, end, **labels)
        await self.story.push(alert)
        return alert.fingerprint

    async def pass_to(self, at: float) -> None:
        await self.story.until(at, step=1.0)

    async def twice(self, **labels: str) -> str:
        """An alert that was told, and its end, and fires again."""
        await self.fire(0, **labels)
        await self.pass_to(20)
        await self.fire(0, 20, **labels)
        await self.pass_to(32)
        found = await self.fire(32, **labels)
        await self.pass_to(45)
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Story(CONFIG, tmp_path, noise=OF_FILE) as story:
        world = World(story)
        yield world
        await world.http.aclose()


async def test_a_rule_given_by_the_api_holds_at_once_and_is_listed(world: World) -> None:
    made = await world.ask("POST", "/suppression-rules", json=RULE)
    assert made["conditions"] == {
        "time_window": 300.0,
        "max_alerts_in_window": 1,
        "matchers": [],
        "by": ["..."],
    }
    listed = (await world.ask("GET", "/suppression-rules"))["suppression_rules"]
    assert [(r["name"], r["source"], r["created_by"]) for r in listed] == [
        ("of the file", "file", ""),
        ("duplicate_suppression", "api", "local"),
    ]
    await world.twice(i="a")
    assert len(world.story.said()) == 2


async def test_an_alert_that_is_suppressed_says_by_which_rule_and_until_when(world: World) -> None:
    await world.ask("POST", "/suppression-rules", json=RULE)
    one = await world.twice(i="a")
    (active,) = (await world.ask("GET", "/active"))["alerts"]
    assert active["suppressed_by"] == ["duplicate_suppression"]
    found = await world.ask("GET", f"/{one}/explain")
    assert found["suppressed_by"] == ["duplicate_suppression"]
    (path,) = found["receivers"]
    assert path["held_back"] == {
        "stage": "suppress",
        "reason": "rule duplicate_suppression allows 1 alert in 5m; told was Test at "
        "2023-11-14T22:13:21Z; passes again at 2023-11-14T22:18:21Z",
        "by": ["duplicate_suppression"],
    }
    assert path["change"].startswith("Wait until the rule duplicate_suppression lets it through")
    assert found["history"]["held_back"][0]["stage"] == "suppress"


async def test_to_explain_counts_nothing(world: World) -> None:
    await world.ask("POST", "/suppression-rules", json=RULE)
    one = await world.fire(0, i="a")
    for _ in range(3):
        found = await world.ask("GET", f"/{one}/explain")
        assert found["receivers"][0]["held_back"] is None
    await world.pass_to(5)
    assert len(world.story.said()) == 1


async def test_a_rule_is_removed_and_one_of_the_file_is_not(world: World) -> None:
    await world.ask("POST", "/suppression-rules", json={**RULE, "name": "a / b"})
    await world.ask("DELETE", "/suppression-rules/a%20%2F%20b")
    assert len((await world.ask("GET", "/suppression-rules"))["suppression_rules"]) == 1
    missing = await world.ask("DELETE", "/suppression-rules/x", status=404)
    assert "No suppression rule is called 'x'" in missing["error"]
    refused = await world.ask("DELETE", "/suppression-rules/of%20the%20file", status=409)
    assert "stands in the configuration" in refused["error"]
    await world.ask("POST", "/suppression-rules", status=409, json={**RULE, "name": "of the file"})


async def test_a_rule_that_cannot_be_used_is_refused(world: World) -> None:
    bad = await world.ask("POST", "/suppression-rules", status=400, json={"name": "x"})
    assert "conditions: Field required" in bad["error"]
    await world.ask("POST", "/suppression-rules", status=400, json=[])


async def test_an_alert_is_acknowledged_and_that_is_withdrawn(world: World) -> None:
    one = await world.fire(0, i="a")
    await world.pass_to(5)
    done = await world.ask("POST", f"/{one}/acknowledge", json={"comment": "on it"})
    assert (done["by"], done["comment"], done["passed_on"]) == ("local", "on it", [])
    (active,) = (await world.ask("GET", "/active"))["alerts"]
    assert active["acknowledged"]["by"] == "local"
    assert (await world.ask("GET", f"/{one}/explain"))["acknowledged"]["comment"] == "on it"
    await world.ask("DELETE", f"/{one}/acknowledge")
    await world.ask("DELETE", f"/{one}/acknowledge", status=404)
    named = await world.ask("POST", f"/{one}/acknowledge", json={"by": "ann"})
    assert named["by"] == "ann"
    assert (await world.ask("POST", f"/{one}/acknowledge"))["by"] == "local"
    await world.ask("POST", f"/{'0' * 16}/acknowledge", status=409)


async def test_an_alert_that_flaps_says_so_and_what_it_waits_for(world: World) -> None:
    for number in range(8):
        start = number * 60.0
        await world.pass_to(start)
        one = await world.fire(start, i="a")
        await world.pass_to(start + 30)
        await world.fire(start, start + 30, i="a")
    await world.pass_to(490)
    found = await world.ask("GET", f"/{one}/explain")
    assert found["flapping"]["changes"] == 16
    (path,) = found["receivers"]
    assert path["held_back"]["stage"] == "flapping"
    assert path["held_back"]["reason"].startswith(
        "it flaps: 16 changes within 1h; its end is told when it is calm, at 2023-11-14T23:"
    )
    assert [t["tells"] for t in path["integrations"]] == [False]
    await world.fire(500, i="a")
    (active,) = (await world.ask("GET", "/active"))["alerts"]
    assert active["flapping"]["changes"] == 17
    assert active["suppressed_by"] == []


async def test_the_report_has_the_numbers_and_refuses_what_is_no_time(world: World) -> None:
    await world.twice(i="a")
    found = await world.ask("GET", "/noise", params={"from": "1d", "timezone": "Europe/Berlin"})
    assert (found["firings"], found["notifications"]) == (2, 3)
    (rule,) = found["rules"]
    assert rule["never_acted_on"] is True
    assert rule["median_seconds"] == 20
    assert sum(rule["by_hour"]) == rule["by_hour"][23] == 2
    for wrong in ({"from": "soon"}, {"timezone": "Mars"}, {"limit": 0}, {"to": "30d"}):
        await world.ask("GET", "/noise", status=400, params=wrong)
