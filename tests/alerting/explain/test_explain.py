"""Why was I told, and why not: what the product answers, for each receiver."""

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
from pynomaly.api import alerts
from pynomaly.api.errors import install
from tests.alerting.alerting_story import Story

CONFIG = """
global: {resolve_timeout: 1h}
route:
  receiver: team
  group_by: [alertname]
  group_wait: 1s
  group_interval: 5s
  repeat_interval: 1h
  routes:
  - {receiver: duty, matchers: [severity="critical"], continue: true}
  - {receiver: nights, matchers: [team="night"], mute_time_intervals: [always]}
  - {receiver: nobody, matchers: [quiet="yes"]}
  - {matchers: [severity="critical"]}
receivers:
- {name: team, webhook_configs: [{url: 'http://x/'}]}
- {name: duty, webhook_configs: [{url: 'http://y/', send_resolved: false}]}
- {name: nights, webhook_configs: [{url: 'http://z/'}]}
- {name: nobody}
time_intervals: [{name: always, time_intervals: [{}]}]
inhibit_rules:
- {name: by-severity, source_matchers: [severity="critical"], target_matchers: [severity="warning"]}
"""


class NoRules:
    def alerts(self) -> list[Any]:
        return []


class World:
    def __init__(self, story: Story) -> None:
        self.story = story
        app = FastAPI()
        install(app)
        explainer = Explainer(story.manager, story.records, story.clock)
        app.include_router(alerts.router(NoRules(), story.manager, explainer, story.clock))
        app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/alerts")

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fire(self, **labels: str) -> str:
        alert = self.story.alert(**labels)
        await self.story.push(alert)
        return alert.fingerprint

    async def explain(self, fingerprint: str) -> dict[str, dict[str, Any]]:
        found = await self.get(f"/{fingerprint}/explain")
        return {path["receiver"]: path for path in found["receivers"]}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Story(CONFIG, tmp_path) as story:
        world = World(story)
        yield world
        await world.http.aclose()


async def test_before_group_wait_it_says_when_it_will_be_told(world: World) -> None:
    path = (await world.explain(await world.fire(i="a")))["team"]
    assert path["route"] == "{}"
    assert path["group_key"] == '{}:{alertname="Test"}'
    assert (path["group_wait"], path["group_interval"]) == (1.0, 5.0)
    assert path["held_back"] is None
    assert path["next_at"].startswith("2023-11-14T22:13:21")
    (telling,) = path["integrations"]
    assert (telling["tells"], telling["reason"]) == (True, "first notification")
    assert "is told at 2023-11-14T22:13:21Z" in path["change"]


async def test_after_it_was_told_it_says_so_with_each_attempt_and_when_it_repeats(
    world: World,
) -> None:
    world.story.fails["team/webhook[0]"] = 2.5
    fingerprint = await world.fire(i="a")
    await world.story.until(4)
    path = (await world.explain(fingerprint))["team"]
    (telling,) = path["integrations"]
    assert telling["tells"] is False
    assert telling["reason"] == "nothing changed since the notification of 2023-11-14T22:13:21Z"
    assert telling["repeats_at"].startswith("2023-11-14T23:13:21")
    outcomes = [(a["outcome"], a["reason"]) for a in telling["last"]["attempts"]]
    assert outcomes == [("retryable", "it fails")] * 2 + [("delivered", "")]
    assert "told again by the first look at its group from 2023-11-14T23:13:21Z" in path["change"]


async def test_every_receiver_has_a_way_of_its_own(world: World) -> None:
    found = await world.explain(await world.fire(i="a", severity="critical"))
    assert sorted(found) == ["duty", "team"]
    assert found["duty"]["route"] == '{}/{severity="critical"}/0'
    assert found["team"]["route"] == '{}/{severity="critical"}/3'


async def test_an_inhibited_alert_names_its_source_and_its_rule(world: World) -> None:
    source = await world.fire(i="source", severity="critical")
    path = (await world.explain(await world.fire(i="a", severity="warning")))["team"]
    assert path["held_back"] == {
        "stage": "inhibit",
        "reason": f"inhibited by the alert {source} (by-severity)",
        "by": [source],
    }
    assert f"The alert {source} must be resolved" in path["change"]
    assert path["integrations"][0]["reason"] != "first notification"


async def test_a_silenced_alert_names_the_silence_and_how_to_end_it(world: World) -> None:
    silence = await world.story.silence('i="a"', 0, 60)
    fingerprint = await world.fire(i="a")
    await world.story.until(2)
    path = (await world.explain(fingerprint))["team"]
    assert path["held_back"]["stage"] == "silence"
    assert path["held_back"]["by"] == [silence.id]
    assert path["change"] == f"Expire {silence.id}, or wait until 2023-11-14T22:14:20Z."
    await world.story.until(70)
    found = await world.get(f"/{fingerprint}/explain")
    held = found["history"]["held_back"]
    assert [(row["stage"], row["by"]) for row in held] == [("", []), ("silence", [silence.id])]
    assert [n["reason"] for n in found["history"]["notifications"]] == ["first notification"]


async def test_a_muted_route_names_its_interval(world: World) -> None:
    path = (await world.explain(await world.fire(team="night")))["nights"]
    assert path["held_back"]["stage"] == "time_mute"
    assert path["held_back"]["reason"] == "the route is muted during always"
    assert path["change"] == "Wait until it is no longer always, or change the route."


async def test_a_receiver_without_a_way_is_said(world: World) -> None:
    path = (await world.explain(await world.fire(quiet="yes")))["nobody"]
    assert "Give the receiver nobody a way to be told" in path["change"]


async def test_an_alert_of_the_past_is_explained_from_the_records(world: World) -> None:
    fingerprint = await world.fire(i="a")
    await world.story.until(3)
    await world.story.push(world.story.alert(start=0, end=3, i="a"))
    await world.story.until(8)
    await world.story.crash()
    world = World(world.story)
    found = await world.get(f"/{fingerprint}/explain")
    assert found["state"] == "resolved"
    assert "It must fire again" in found["receivers"][0]["change"]
    reasons = [n["reason"] for n in found["history"]["notifications"]]
    assert reasons == ["all alerts resolved", "first notification"]


async def test_what_nobody_knows_is_not_found(world: World) -> None:
    answer = await world.http.get("/0123456789abcdef/explain")
    assert answer.status_code == 404
    assert "amtool" in answer.json()["hint"]


async def test_who_was_told_of_what_and_when(world: World) -> None:
    await world.fire(i="a", instance="db-1")
    await world.story.until(10)
    await world.fire(i="b", alertname="Other", instance="web-1")
    await world.story.until(20)
    found = (await world.get("/notifications"))["notifications"]
    assert [(n["receiver"], n["group_labels"]["alertname"]) for n in found] == [
        ("team", "Other"), ("team", "Test"),
    ]  # fmt: skip
    found = (await world.get("/notifications", matcher='instance=~"db.*"'))["notifications"]
    assert [n["matching"][0]["labels"]["i"] for n in found] == ["a"]
    assert (await world.get("/notifications", until="15s"))["notifications"] == found
    assert (await world.get("/notifications", receiver="duty"))["notifications"] == []


async def test_active_alerts_say_where_they_go_and_what_holds_them_back(world: World) -> None:
    silence = await world.story.silence('i="a"', 0, 60)
    await world.fire(i="a", severity="critical")
    found = await world.get("/active")
    assert found["firing"] == 1
    (shown,) = found["alerts"]
    assert shown["receivers"] == ["duty", "team"]
    assert shown["silenced_by"] == [silence.id]
    assert (await world.get("/active", severity="warning"))["alerts"] == []


async def test_an_alert_in_maintenance_names_the_window_and_its_end(world: World) -> None:
    window = world.story.maintain("i=a", 0, 60)
    fingerprint = await world.fire(i="a")
    await world.story.until(2)
    path = (await world.explain(fingerprint))["team"]
    assert path["held_back"] == {
        "stage": "maintenance",
        "reason": 'held by the maintenance window "new disks" until 2023-11-14T22:14:20Z',
        "by": [window.id],
    }
    assert path["change"] == 'End the maintenance "new disks", or wait until 2023-11-14T22:14:20Z.'
    await world.story.until(62)
    found = await world.get(f"/{fingerprint}/explain")
    assert found["receivers"][0]["held_back"] is None
    assert [n["reason"] for n in found["history"]["notifications"]] == ["first notification"]
