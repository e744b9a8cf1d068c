"""API v2 as Alertmanager answers it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.access.routes import unguarded_routes
from pynomaly.api.alertmanager import AlertmanagerDeps, router
from pynomaly.api.errors import install
from tests.alerting.alerting_story import BEGIN, Story

CONFIG = """
route:
  receiver: default
  group_by: [alertname]
  routes:
  - {receiver: pages, matchers: ['severity="critical"'], continue: true}
  - {receiver: nights, matchers: ['team="night"'], mute_time_intervals: [always]}
receivers:
- {name: default, labels: {owner: ops}}
- {name: pages, webhook_configs: [{url: 'http://u:secret@x/'}]}
- {name: nights}
time_intervals: [{name: always, time_intervals: [{}]}]
inhibit_rules:
- {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [job]}
"""
NOW = "2023-11-14T22:13:20.000Z"


class Client:
    def __init__(self, story: Story) -> None:
        self.story = story
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        install(app)
        app.include_router(router(AlertmanagerDeps(story.manager, story.clock, BEGIN)))
        assert unguarded_routes(app) == []
        app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v2")

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        answer = await self.http.post(path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    async def alert(self, **labels: str) -> None:
        body = [{"labels": {"alertname": "Test", **labels}}]
        assert await self.post("/alerts", body) == (200, None)

    async def silence(self, matcher: str = "Test", **fields: Any) -> tuple[int, Any]:
        matchers = [{"name": "alertname", "value": matcher, "isRegex": False}]
        body = {"matchers": matchers, "startsAt": NOW, "endsAt": "2023-11-14T23:13:20Z"}
        return await self.post("/silences", {**body, "createdBy": "me", "comment": "c", **fields})

    async def names(self, **params: Any) -> set[str]:
        return {alert["labels"]["i"] for alert in await self.get("/alerts", **params)}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Client]:
    async with Story(CONFIG, tmp_path) as story:
        client = Client(story)
        yield client
        await client.http.aclose()


async def test_the_status_shows_the_configuration_without_its_secrets(api: Client) -> None:
    status = await api.get("/status")
    assert status["cluster"] == {"status": "disabled", "peers": []}
    assert "receiver: pages" in status["config"]["original"]
    assert "secret@" not in status["config"]["original"]
    assert status["uptime"] == NOW
    assert status["versionInfo"]["version"].startswith("0.")


async def test_receivers_are_listed_and_chosen_by_their_labels(api: Client) -> None:
    found = await api.get("/receivers")
    assert [r["name"] for r in found] == ["default", "pages", "nights"]
    found = await api.get("/receivers", receiver_matchers='owner="ops"')
    assert found == [{"name": "default", "labels": {"owner": "ops"}}]


async def test_an_alert_is_shown_as_alertmanager_shows_it(api: Client) -> None:
    body = {
        "labels": {"alertname": "Test", "severity": "critical", "empty": ""},
        "annotations": {"summary": "s"},
        "generatorURL": "http://prometheus/graph",
        "startsAt": "2023-11-14T22:13:19.5Z",
    }
    assert await api.post("/alerts", [body]) == (200, None)
    (shown,) = await api.get("/alerts")
    assert len(shown.pop("fingerprint")) == 16
    assert shown == {
        "annotations": {"summary": "s"},
        "endsAt": "2023-11-14T22:18:20.000Z",
        "receivers": [{"name": "pages"}],
        "startsAt": "2023-11-14T22:13:19.500Z",
        "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": NOW,
        "generatorURL": "http://prometheus/graph",
        "labels": {"alertname": "Test", "severity": "critical"},
    }


async def test_good_alerts_are_taken_when_others_are_refused(api: Client) -> None:
    bad = {
        "labels": {"alertname": "B", "i": "b"},
        "startsAt": NOW,
        "endsAt": "2020-01-01T00:00:00Z",
    }
    good = {"labels": {"alertname": "A", "i": "a"}}
    status, said = await api.post("/alerts", [bad, good, {"labels": {}}, 7])
    assert status == 400
    assert "start time must be before end time" in said
    assert "at least one label pair required" in said
    assert await api.names() == {"a"}


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"null", b'"x"'])
async def test_a_body_that_is_no_list_is_refused(api: Client, body: bytes) -> None:
    answer = await api.http.post("/alerts", content=body)
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)


async def test_a_resolved_alert_is_not_listed(api: Client) -> None:
    await api.alert(i="a")
    await api.story.until(10)
    body = [{"labels": {"alertname": "Test", "i": "a"}, "endsAt": "2023-11-14T22:13:29Z"}]
    assert await api.post("/alerts", body) == (200, None)
    assert await api.names() == set()


async def test_alerts_are_chosen_by_labels_state_and_receiver(api: Client) -> None:
    await api.alert(i="source", severity="critical", job="x")
    await api.alert(i="inhibited", severity="warning", job="x")
    await api.alert(i="silenced", quiet="yes")
    await api.alert(i="plain", alertname="Other")
    matchers = [{"name": "quiet", "value": "y.s", "isRegex": True, "isEqual": True}]
    status, _ = await api.silence(matchers=matchers)
    assert status == 200
    assert await api.names() == {"source", "inhibited", "silenced", "plain"}
    assert await api.names(inhibited="false") == {"source", "silenced", "plain"}
    assert await api.names(silenced="false", inhibited="false") == {"source", "plain"}
    assert await api.names(active="false") == {"inhibited", "silenced"}
    assert await api.names(filter=['alertname="Test"', "severity=~w.*"]) == {"inhibited"}
    assert await api.names(filter='severity=""') == {"silenced", "plain"}
    assert await api.names(receiver="pag.s") == {"source"}
    assert await api.names(receiver="pag") == set()
    assert await api.names(receiver_matchers="owner=ops") == {"inhibited", "silenced", "plain"}
    (shown,) = await api.get("/alerts", filter="i=inhibited")
    (source,) = await api.get("/alerts", filter="i=source")
    assert shown["status"]["inhibitedBy"] == [source["fingerprint"]]
    assert shown["status"]["state"] == "suppressed"


@pytest.mark.parametrize(
    "params", [{"filter": "no matcher"}, {"receiver": "("}, {"receiver_matchers": "{"}]
)
async def test_what_cannot_be_read_is_said_as_a_text(api: Client, params: dict[str, str]) -> None:
    for path in ("/alerts", "/alerts/groups"):
        answer = await api.http.get(path, params=params)
        assert answer.status_code == 400
        assert isinstance(answer.json(), str)


async def test_groups_are_listed_with_their_receivers_and_what_mutes_them(api: Client) -> None:
    await api.alert(i="b", severity="critical")
    await api.alert(i="a", instance="1")
    await api.alert(i="n", alertname="Night", team="night")
    groups = await api.get("/alerts/groups")
    seen = [
        (g["labels"]["alertname"], g["receiver"]["name"], [a["labels"]["i"] for a in g["alerts"]])
        for g in groups
    ]
    assert seen == [
        ("Night", "nights", ["n"]),
        ("Test", "default", ["a"]),
        ("Test", "pages", ["b"]),
    ]
    assert groups[0]["alerts"][0]["status"]["mutedBy"] == ["always"]
    assert groups[0]["alerts"][0]["status"]["state"] == "suppressed"
    assert len(await api.get("/alerts/groups", muted="false")) == 2
    assert len(await api.get("/alerts/groups", receiver="pages")) == 1
    assert await api.get("/alerts/groups", filter="i=x") == []


async def test_an_alert_in_maintenance_is_muted_and_left_out_with_what_is_silenced(
    api: Client,
) -> None:
    api.story.maintain("i=a", -60, 60)
    await api.alert(i="a")
    await api.alert(i="b")
    (held,) = await api.get("/alerts", filter="i=a")
    assert held["status"] == {
        "inhibitedBy": [],
        "mutedBy": ["maintenance: new disks"],
        "silencedBy": [],
        "state": "suppressed",
    }
    # As `amtool alert query` asks, and as with --silenced.
    assert await api.names(active="true", silenced="false", inhibited="false") == {"b"}
    assert await api.names(active="false", silenced="true", inhibited="false") == {"a"}
    groups = await api.get("/alerts/groups")
    assert [a["status"]["mutedBy"] for g in groups for a in g["alerts"]] == [
        ["maintenance: new disks"],
        [],
    ]
    (group,) = await api.get("/alerts/groups", muted="false")
    assert [alert["labels"]["i"] for alert in group["alerts"]] == ["b"]


async def test_a_silence_is_created_read_changed_and_expired(api: Client) -> None:
    status, body = await api.silence(annotations={"ticket": "1"})
    assert status == 200
    path = f"/silence/{body['silenceID']}"
    assert await api.get(path) == {
        "id": body["silenceID"],
        "status": {"state": "active"},
        "updatedAt": NOW,
        "annotations": {"ticket": "1"},
        "comment": "c",
        "createdBy": "me",
        "endsAt": "2023-11-14T23:13:20.000Z",
        "matchers": [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "Test"}],
        "startsAt": NOW,
    }
    assert await api.silence(id=body["silenceID"], comment="more") == (200, body)
    assert (await api.get(path))["comment"] == "more"
    assert (await api.http.delete(path)).status_code == 200
    assert (await api.get(path))["status"]["state"] == "expired"
    assert (await api.http.delete(path)).status_code == 200


async def test_silences_are_listed_by_state_and_end_and_chosen(api: Client) -> None:
    for name, start, end in (
        ("late", NOW, "2023-11-14T23:30:00Z"),
        ("soon", NOW, "2023-11-14T22:30:00Z"),
        ("pending", "2023-11-15T00:00:00Z", "2023-11-15T01:00:00Z"),
    ):
        assert (await api.silence(name, startsAt=start, endsAt=end))[0] == 200
    _, gone = await api.silence("gone")
    await api.http.delete(f"/silence/{gone['silenceID']}")

    async def names(**params: Any) -> list[str]:
        return [s["matchers"][0]["value"] for s in await api.get("/silences", **params)]

    assert await names() == ["soon", "late", "pending", "gone"]
    assert await names(expired="false", pending="false") == ["soon", "late"]
    assert await names(active="false") == ["pending", "gone"]
    assert await names(filter='alertname="late"') == ["late"]
    assert await names(filter='alertname=~"late"') == []


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"matchers": []}, 400, "at least one matcher"),
        ({"matchers": None}, 400, "matchers in body is required"),
        ({"endsAt": NOW}, 400, "start time must be before end time"),
        (
            {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"},
            400,
            "end time can't be in the past",
        ),
        ({"startsAt": "yesterday"}, 400, "is not a time"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, 404, "not found"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, 400, "RE2"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused_as_a_text(
    api: Client, fields: dict[str, Any], status: int, said: str
) -> None:
    got, body = await api.silence(**fields)
    assert got == status
    assert said in body


async def test_a_silence_that_is_not_there_is_not_found(api: Client) -> None:
    answer = await api.http.get("/silence/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 404
    answer = await api.http.delete("/silence/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 404
