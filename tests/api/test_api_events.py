"""/api/events."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.audit import AuditLog
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import events as events_api
from pynomaly.api.app import create_app
from pynomaly.calendar.config import CalendarSettings
from pynomaly.calendar.service import Calendar
from pynomaly.model.clock import FakeClock
from pynomaly.storage.records import Records, RecordsSettings

NOW = 1_780_000_000.0  # a Thursday
HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.open(RecordsSettings.model_validate({"url": None}), tmp_path)


@pytest.fixture
async def client(records: Records) -> AsyncIterator[httpx.AsyncClient]:
    clock = FakeClock(NOW)
    settings = {"time_zone": "Europe/Berlin", "holidays": [{"date": "06-01", "name": "closed"}]}
    calendar = Calendar(records, clock, CalendarSettings.model_validate(settings))
    await calendar.start()
    app = create_app([events_api.router(calendar, clock)])
    audit = AuditLog(records, clock, retention_days=1)
    guarded = AccessMiddleware(app, Gate(AccessSettings(), ports=[80]), audit)
    transport = httpx.ASGITransport(guarded, client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def post(client: httpx.AsyncClient, **event: Any) -> dict[str, Any]:
    answer = await client.post("/api/events", json=event)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def found(client: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/events", params=params)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


async def test_a_deployment_needs_no_more_than_a_title(client: httpx.AsyncClient) -> None:
    event = await post(client, kind="deployment", title="checkout 1.42")
    assert (event["starts_at"], event["ends_at"]) == (NOW, None)
    assert (event["learn"], event["alarm"], event["matchers"]) == (True, True, [])
    assert event["created_by"] == "local"
    assert (await client.get(f"/api/events/{event['id']}")).json() == event
    assert await found(client, kind="deployment") == [{**event, "active": False}]


async def test_maintenance_is_neither_learnt_nor_told_unless_someone_says_so(
    client: httpx.AsyncClient,
) -> None:
    event = await post(client, kind="maintenance", title="upkeep", duration="2h")
    assert (event["learn"], event["alarm"]) == (False, False)
    assert event["ends_at"] == NOW + 2 * HOUR
    event = await post(client, kind="maintenance", title="upkeep", duration="2h", alarm=True)
    assert (event["learn"], event["alarm"]) == (False, True)


@pytest.mark.parametrize(
    "matchers",
    [
        ['service="checkout"', 'env=~"prod|stage"'],
        ["service=checkout", "env=~prod|stage"],
    ],
)
async def test_matchers_are_texts_with_or_without_quotes(
    client: httpx.AsyncClient, matchers: list[str]
) -> None:
    event = await post(client, title="x", matchers=matchers)
    assert event["matchers"] == ['service="checkout"', 'env=~"prod|stage"']


async def test_matchers_can_be_labels_with_their_values(client: httpx.AsyncClient) -> None:
    event = await post(client, title="x", matchers={"service": 'a"b'})
    assert event["matchers"] == ['service="a\\"b"']


async def test_times_are_epochs_dates_or_relative(client: httpx.AsyncClient) -> None:
    event = await post(client, title="x", starts_at="30m", ends_at="now")
    assert (event["starts_at"], event["ends_at"]) == (NOW - 1800, NOW)
    # A time without a zone is by the clocks of the calendar.
    event = await post(client, title="x", starts_at="2026-06-02T10:00", ends_at=1_780_999_999)
    assert (event["starts_at"], event["ends_at"]) == (1_780_387_200.0, 1_780_999_999.0)


async def test_what_comes_again_is_listed_each_time(client: httpx.AsyncClient) -> None:
    event = await post(
        client,
        kind="maintenance",
        title="backup",
        starts_at="2026-06-01T02:00",
        duration="1h",
        recurrence="daily",
    )
    assert event["recurrence"] == {
        "rule": "FREQ=DAILY",
        "time_zone": "Europe/Berlin",
        "until": None,
    }
    begins = [each["starts_at"] for each in await found(client, kind="maintenance")]
    assert begins == [event["starts_at"] + n * DAY for n in range(len(begins))]
    assert len(begins) == 4  # until in a week


async def test_holidays_of_the_configuration_are_among_them(client: httpx.AsyncClient) -> None:
    (day,) = await found(client, kind="holiday")
    assert (day["id"], day["title"], day["configured"]) == ("holiday-2026-06-01", "closed", True)
    answer = await client.delete(f"/api/events/{day['id']}")
    assert answer.status_code == 409
    assert "calendar" in answer.json()["error"]


async def test_labels_find_what_may_concern_them(client: httpx.AsyncClient) -> None:
    await post(client, title="a", matchers={"service": "checkout", "env": "prod"})
    await post(client, title="b", matchers={"service": "search"})
    titles = [each["title"] for each in await found(client, label="service=checkout", to="now")]
    assert titles == ["a"]


async def test_an_event_is_replaced_ended_and_deleted(client: httpx.AsyncClient) -> None:
    event = await post(client, kind="maintenance", title="upkeep", starts_at="1h", duration="2h")
    place = f"/api/events/{event['id']}"
    body = {"kind": "maintenance", "title": "more", "starts_at": "1h", "duration": "3h"}
    changed = (await client.put(place, json=body)).json()
    assert (changed["id"], changed["title"]) == (event["id"], "more")
    assert (await client.post(f"{place}/end")).json()["ends_at"] == NOW
    assert (await client.delete(place)).json() == {"deleted": event["id"]}
    assert (await client.get(place)).status_code == 404
    assert (await client.put(place, json=body)).status_code == 404


async def test_who_changed_what_is_in_the_audit_log(
    client: httpx.AsyncClient, records: Records
) -> None:
    event = await post(client, kind="deployment", title="checkout 1.42", created_by="pipeline")
    assert event["created_by"] == "pipeline"
    with records.engine.connect() as connection:
        query = "SELECT principal, action, detail FROM audit_log"
        ((who, action, detail),) = connection.exec_driver_sql(query)
    assert (who, action) == ("local", "events:write")
    assert "checkout 1.42" in detail


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({}, "title"),
        ({"title": "x", "kind": "party"}, "kind"),
        ({"title": "x", "colour": "red"}, "colour"),
        ({"title": "x", "matchers": ["service"]}, "not a matcher"),
        ({"title": "x", "matchers": ["service=~("]}, "RE2"),
        ({"title": "x", "matchers": ['service="a']}, "quotes"),
        ({"title": "x", "starts_at": "soon"}, "starts_at"),
        ({"title": "x", "duration": "long"}, "duration"),
        ({"title": "x", "duration": "1h", "ends_at": "now"}, "one of them"),
        ({"title": "x", "kind": "maintenance"}, "an end is needed"),
        ({"title": "x", "duration": "1h", "recurrence": "often"}, "OFTEN"),
        (
            {"title": "x", "duration": "1h", "recurrence": {"rule": "daily", "time_zone": "X/Y"}},
            "time zone",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_with_where_and_what(
    client: httpx.AsyncClient, event: dict[str, Any], fault: str
) -> None:
    answer = await client.post("/api/events", json=event)
    assert answer.status_code == 400
    assert fault in answer.json()["error"]


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"from": "soon"}, "from"),
        ({"from": "now", "to": "1d"}, "forward"),
        ({"kind": "party"}, "kind"),
        ({"label": "service=~x"}, "no label"),
        ({"limit": 0}, "limit"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, params: dict[str, Any], fault: str
) -> None:
    answer = await client.get("/api/events", params=params)
    assert answer.status_code == 400
    assert fault in answer.json()["error"]


async def test_more_than_was_asked_for_is_counted(client: httpx.AsyncClient) -> None:
    for n in range(3):
        await post(client, title=str(n))
    answer = (await client.get("/api/events", params={"limit": 2, "to": "now"})).json()
    assert (len(answer["events"]), answer["left_out"]) == (2, 1)
