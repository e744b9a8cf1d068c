"""``pynomaly events`` over a server's API."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pynomaly.api import events as events_api
from pynomaly.calendar.service import Calendar
from pynomaly.model.clock import SystemClock
from pynomaly.storage.records import Records, RecordsSettings
from tests.cli.served import Served


class Server(Served):
    """The API of events."""

    def __init__(self, folder: Path) -> None:
        self.records = Records.open(RecordsSettings.model_validate({"url": None}), folder)
        clock = SystemClock()
        super().__init__("events", [events_api.router(Calendar(self.records, clock), clock)])

    def close(self) -> None:
        super().close()
        self.records.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    it = Server(tmp_path)
    yield it
    it.close()


def test_a_pipeline_tells_of_its_deployment_and_of_its_end(server: Server) -> None:
    code, said = server.run(
        "add", "deployment", "checkout 1.42", "--match", "service=checkout", "--no-alarm", "--json"
    )
    assert code == 0, said
    event = json.loads(said)
    assert (event["matchers"], event["alarm"]) == (['service="checkout"'], False)
    assert event["ends_at"] - event["starts_at"] == pytest.approx(1800)
    code, said = server.run("end", event["id"])
    assert code == 0
    assert "deployment" in said and "checkout 1.42" in said
    assert "learnt, anomalies not told of" in said
    assert json.loads(server.run("show", event["id"], "--json")[1])["ends_at"] < event["ends_at"]


def test_events_are_listed_each_time_that_they_come_and_deleted(server: Server) -> None:
    code, said = server.run(
        "add",
        "maintenance",
        "upkeep",
        "--every",
        "daily",
        "--time-zone",
        "Asia/Tokyo",
        "--for",
        "1h",
        "--match",
        'env=~"prod|stage"',
        "--by",
        "ada",
        "--text",
        "disks",
    )
    assert code == 0, said
    event_id = said.split()[0]
    assert "again by FREQ=DAILY, Asia/Tokyo" in said
    for part in ('env=~"prod|stage"', "by ada", "disks", "not learnt, anomalies not told of"):
        assert part in said
    listed = json.loads(server.run("list", "--label", "env=prod", "--json")[1])
    assert len(listed) in (7, 8)
    assert {each["id"] for each in listed} == {event_id}
    assert server.run("list", "--label", "env=test")[1] == "No events.\n"
    assert server.run("list", "--kind", "deployment")[1] == "No events.\n"
    assert server.run("delete", event_id) == (0, f"Deleted {event_id}.\n")
    assert server.run("list")[1] == "No events.\n"


def test_what_the_server_refuses_is_said(server: Server) -> None:
    code, said = server.run("add", "maintenance", "upkeep")
    assert code == 1
    assert "an end is needed" in said
    code, said = server.run("show", "nothing")
    assert code == 1
    assert "There is no event nothing." in said
