"""The story of the demo: what is told of what the APIs say, in which order, and when it is over."""

from typing import Any

import pytest

from pynomaly.cli.client import Client, ServerUnreachable
from pynomaly.cli.demo.faults import FAULTS
from pynomaly.cli.demo.story import Story


class Servers(Client):
    """The product's and the service's APIs, with answers that a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: dict[str, Any] = {"name": "error-burst", "says": "requests fail", "on": False}
        self.fault |= {"begins": 5.0}
        self.alerts: dict[str, str] = {"Watchdog": "firing"}
        self.scores: dict[str, float] = {}
        self.away = False

    def get(self, path: str, params: Any = None) -> Any:
        if path == "/faults":
            if self.away:
                raise ServerUnreachable("nobody answers")
            return [{"name": "crash", "on": False, "begins": None}, self.fault]
        if path == "/api/v1/alerts":
            return {"data": {"alerts": [_alert(*each) for each in self.alerts.items()]}}
        assert path == "/api/v1/query"
        found = [
            {"metric": {"__name__": "anomaly_score", "job": "detection-service", "of": of}}
            | {"value": [0, str(score)]}
            for of, score in self.scores.items()
        ]
        return {"data": {"result": found}}


def _alert(name: str, state: str) -> dict[str, Any]:
    labels = {"alertname": name, "severity": "high"}
    annotations = {"summary": "it may be", "description": "it is"}
    return {"labels": labels, "annotations": annotations, "state": state}


class Play:
    def __init__(self) -> None:
        self.servers, self.lines, self.now = Servers(), [], 0.0
        self.story = Story(
            self.servers,
            self.servers,
            FAULTS["error-burst"],
            lambda what, rest: self.lines.append(f"{what}: {rest}"),
            lambda: self.now,
        )

    def look(self) -> list[str]:
        self.lines.clear()
        self.story.look()
        return list(self.lines)


@pytest.fixture
def play() -> Play:
    return Play()


def test_a_story_is_told_from_the_fault_to_the_recovery(play: Play) -> None:
    servers, story = play.servers, play.story
    assert play.look() == []
    servers.fault["on"] = True
    assert play.look() == ["fault on: error-burst: requests fail"]
    servers.scores["errors"] = 0.93
    servers.alerts["DetectionErrors"] = "pending"
    assert play.look() == [
        "anomaly: errors, score 0.93",
        "alert pending: DetectionErrors (high): it may be",
    ]
    servers.alerts["DetectionErrors"] = "firing"
    assert play.look() == ["alert firing: DetectionErrors (high): it is"]
    assert play.look() == []
    servers.fault |= {"on": False, "begins": None}
    assert play.look() == ["fault off: error-burst"]
    assert (story.told, story.complete) == (False, True)
    del servers.alerts["DetectionErrors"]
    assert play.look() == ["alert resolved: DetectionErrors"]
    assert story.told


def test_what_was_unusual_before_the_fault_is_not_of_it(play: Play) -> None:
    play.servers.scores["errors"] = 0.9
    play.look()
    play.servers.fault["on"] = True
    assert play.look() == ["fault on: error-burst: requests fail"]
    assert not play.story.complete


def test_other_alerts_are_told_when_they_fire_and_do_not_keep_the_story_from_ending(
    play: Play,
) -> None:
    servers = play.servers
    servers.fault["on"] = True
    play.look()
    servers.alerts |= {"HostHighCPUUsage": "pending", "DetectionErrors": "firing"}
    assert play.look() == ["alert firing: DetectionErrors (high): it is"]
    servers.alerts["HostHighCPUUsage"] = "firing"
    assert play.look() == ["alert firing: HostHighCPUUsage (high): it is"]
    servers.fault |= {"on": False, "begins": None}
    del servers.alerts["DetectionErrors"]
    play.look()
    assert play.story.told


def test_a_service_that_has_died_is_still_the_same_story(play: Play) -> None:
    servers = play.servers
    servers.fault["on"] = True
    play.look()
    servers.away = True
    assert play.look() == []
    servers.away = False
    servers.fault["on"] = False  # started again, and not yet gone wrong again
    assert play.look() == []
    servers.fault["on"] = True
    assert play.look() == []
    servers.fault |= {"on": False, "begins": None}
    assert play.look() == ["fault off: error-burst"]


def test_an_end_that_does_not_come_is_late(play: Play) -> None:
    play.servers.fault["on"] = True
    play.look()
    play.servers.fault |= {"on": False, "begins": None}
    play.look()
    play.now += 299
    assert not play.story.late
    play.now += 2
    assert (play.story.late, play.story.told) == (True, False)
