"""What karma and Grafana's Alertmanager data source ask for, and read of the answers.

Requests and fields by their sources: karma's internal/mapper/v017 and ui/src/Components, Grafana's
features/alerting/unified/api and plugins/datasource/alertmanager.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import yaml
from test_alertmanager_api import CONFIG, NOW, Client

from pynomaly.alerting.alertmanager.load import parse_alertmanager
from tests.alerting.alerting_story import Story

LATER = "2023-11-15T00:13:20.000+01:00"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Client]:
    async with Story(CONFIG, tmp_path) as story:
        client = Client(story)
        yield client
        await client.http.aclose()


def is_time(text: object) -> bool:
    return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None


async def test_karma_reads_groups(api: Client) -> None:
    await api.alert(i="1", severity="critical", job="a")
    await api.alert(i="2", severity="warning", job="a")
    await api.silence()
    groups = await api.get("/alerts/groups")
    assert {g["receiver"]["name"] for g in groups} == {"default", "pages"}
    for group in groups:
        assert all(isinstance(value, str) for value in group["labels"].values())
        for alert in group["alerts"]:
            assert is_time(alert["startsAt"])
            assert isinstance(alert["generatorURL"], str) and alert["fingerprint"]
            assert alert["status"]["state"] in ("active", "suppressed", "unprocessed")
            assert isinstance(alert["status"]["inhibitedBy"], list)
            assert isinstance(alert["status"]["silencedBy"], list)
            assert isinstance(alert["annotations"], dict)


async def test_karma_reads_silences_and_edits_them_under_its_own_name(api: Client) -> None:
    _, made = await api.silence(createdBy="karma")
    (shown,) = await api.get("/silences")
    assert is_time(shown["startsAt"]) and is_time(shown["endsAt"])
    assert set(shown["matchers"][0]) == {"isEqual", "name", "value", "isRegex"}
    # Its proxy writes the whole silence anew, with an offset in its times.
    kept = {key: shown[key] for key in ("id", "startsAt", "comment", "matchers")}
    status, answer = await api.post(
        "/silences", {**kept, "endsAt": LATER, "createdBy": "me@example.com"}
    )
    assert (status, answer) == (200, {"silenceID": made["silenceID"]})
    (changed,) = await api.get("/silences")
    assert changed["createdBy"] == "me@example.com"
    assert changed["endsAt"] == "2023-11-14T23:13:20.000Z"


async def test_karma_and_grafana_delete_a_silence_by_its_id(api: Client) -> None:
    _, made = await api.silence()
    deleted = await api.http.delete(f"/silence/{made['silenceID']}")
    assert deleted.status_code == 200
    (shown,) = await api.get("/silences")
    assert shown["status"]["state"] == "expired"


async def test_karma_acknowledges_by_a_short_silence_of_every_label(api: Client) -> None:
    await api.alert(i="1", severity="critical")
    matchers = [
        {"name": name, "value": value, "isRegex": False, "isEqual": True}
        for name, value in {"alertname": "Test", "i": "1", "severity": "critical"}.items()
    ]
    status, _ = await api.silence(matchers=matchers, comment="ACK! seen")
    assert status == 200
    (alert,) = await api.get("/alerts")
    assert alert["status"]["state"] == "suppressed"


async def test_grafana_tells_prometheus_alertmanager_from_mimirs(api: Client) -> None:
    assert (await api.http.get("/status")).status_code == 200
    root = httpx.URL("http://127.0.0.1/alertmanager/api/v2/status")
    assert (await api.http.get(root)).status_code == 404


async def test_grafana_reads_the_configuration_out_of_the_status(api: Client) -> None:
    status = await api.get("/status")
    original = status["config"]["original"]
    found = parse_alertmanager(original, "original", Path())
    assert [receiver.name for receiver in found.receivers] == ["default", "pages", "nights"]
    assert yaml.safe_load(original)["route"]["receiver"] == "default"
    assert status["versionInfo"]["version"] and is_time(status["uptime"])


async def test_grafana_asks_for_states_by_names_without_values(api: Client) -> None:
    await api.alert(i="1")
    await api.alert(i="2", severity="critical")
    await api.silence()
    everything = await api.http.get("/alerts?silenced&active&inhibited")
    assert {a["labels"]["i"] for a in everything.json()} == {"1", "2"}
    assert await api.names(silenced="true", active="", inhibited="", unprocessed="true") == {
        "1",
        "2",
    }
    assert await api.names(silenced="false", active="true", inhibited="true") == set()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (['severity="critical"'], {"2"}),
        (['severity=~"crit.*|x"', 'i!="1"'], {"2"}),
        (['"i"="1"'], {"1"}),
        (['note="say \\"hi\\""'], {"1"}),
    ],
)
async def test_grafana_filters_by_quoted_matchers(
    api: Client, filters: list[str], found: set[str]
) -> None:
    await api.alert(i="1", note='say "hi"')
    await api.alert(i="2", severity="critical")
    assert await api.names(filter=filters) == found


async def test_grafana_asks_for_the_groups_of_a_contact_point(api: Client) -> None:
    await api.alert(i="1")
    await api.alert(i="2", severity="critical")
    groups = await api.get("/alerts/groups", receiver="pages", active="true", silenced="false")
    assert [(g["receiver"]["name"], [a["labels"]["i"] for a in g["alerts"]]) for g in groups] == [
        ("pages", ["2"])
    ]


async def test_grafana_creates_a_silence_with_an_empty_id(api: Client) -> None:
    status, answer = await api.silence(id="", startsAt=NOW, endsAt=LATER)
    assert status == 200 and answer["silenceID"]
