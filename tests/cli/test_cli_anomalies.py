"""``pynomaly detect list`` and ``feedback`` over a server's API."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pynomaly.api import anomalies as anomalies_api
from pynomaly.api import anomaly_rules as anomaly_rules_api
from pynomaly.detection.events import Anomaly, anomaly_id
from pynomaly.detection.feedback import FeedbackKeeper
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.rules.repository import RuleRepository
from pynomaly.detection.rules.service import AnomalyRules
from pynomaly.model.clock import SystemClock
from pynomaly.model.labels import Labels
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.samples.memory import MemorySamples
from tests.cli.served import Served


class Server(Served):
    """The API of anomalies."""

    def __init__(self, folder: Path) -> None:
        self.records = Records.open(RecordsSettings.model_validate({"url": None}), folder)
        self.anomalies = AnomalyRepository(self.records)
        clock = SystemClock()
        keeper = FeedbackKeeper(
            self.anomalies, clock, Bus(clock), MemorySamples(), lambda decades: None
        )
        rules = AnomalyRules([], RuleRepository(self.records), clock, lambda rules: None)
        routers = [
            anomaly_rules_api.router(rules),
            anomalies_api.router(self.anomalies, keeper, clock),
        ]
        super().__init__("detect", routers)

    def close(self) -> None:
        super().close()
        self.records.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    it = Server(tmp_path)
    yield it
    it.close()


def keep(server: Server, ago: float, **labels: str) -> Anomaly:
    found, at = Labels({"__name__": "queue_length", **labels}), time.time() - ago
    anomaly = Anomaly(
        id=anomaly_id(found, at),
        labels=found,
        started_at=at,
        peaked_at=at,
        ended_at=0.0,
        score=0.75,
        confidence=0.99,
        value=90.0,
        expected=40.0,
        lower=30.0,
        upper=50.0,
        direction="above",
        cause="residual",
    )
    server.anomalies.save([anomaly.closed(at + 60)])
    return anomaly


def test_anomalies_are_listed_with_series_and_reason(server: Server) -> None:
    one = keep(server, 600, service="shop")
    keep(server, 900, service="billing")
    code, said = server.run("list", "--service", "shop")
    head, series, why = said.splitlines()
    assert code == 0
    assert re.match(rf"{one.id}  high      [-\dT:+]+, until ", head)
    assert series == '  queue_length{service="shop"}'
    assert why.startswith("  90 where 40 was expected (30 to 50)")


def test_of_nothing_it_is_said_of_what_and_since_when(server: Server) -> None:
    keep(server, 7200, service="shop")
    code, said = server.run("list", "--service", "shop", "--since", "1h")
    assert (code, said) == (0, "No anomalies of shop in the last 1h.\n")


def test_for_machines_it_is_json(server: Server) -> None:
    one = keep(server, 60)
    code, said = server.run("list", "--json")
    assert code == 0
    assert [each["id"] for each in json.loads(said)] == [one.id]


def test_feedback_is_kept(server: Server) -> None:
    one = keep(server, 60)
    code, said = server.run("feedback", one.id, "false")
    assert code == 0
    assert "false alarm" in said.splitlines()[0]
    kept = server.anomalies.get(one.id)
    assert kept is not None
    assert kept.feedback == "false"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["feedback", "nothing", "real"], 1, "There is no anomaly nothing."),
        (["feedback", "nothing", "perhaps"], 2, "'perhaps' is not one of"),
        (["list", "--since", "soon"], 1, "time_range"),
    ],
)
def test_what_makes_no_sense_is_said(
    server: Server, arguments: list[str], code: int, words: str
) -> None:
    found, said = server.run(*arguments)
    assert (found, words in said) == (code, True), said


def test_what_moved_together_is_one_with_its_series_and_judged_as_one(server: Server) -> None:
    one, two = (
        keep(server, 600, service="shop", pod="a"),
        keep(server, 590, service="shop", pod="b"),
    )
    code, said = server.run("list")
    head, what, _, *members = said.splitlines()
    assert code == 0
    assert head.startswith(one.id)
    assert what == "  2 series of queue_length with service=shop"
    assert sorted(members) == [
        f'    0.75  queue_length{{pod="{pod}", service="shop"}}' for pod in "ab"
    ]
    assert two.id in server.run("list", "--flat")[1]
    server.run("feedback", one.id, "false")
    assert {each.feedback for each in server.anomalies.found(0, time.time())} == {"false"}


def test_rules_are_made_listed_and_removed(server: Server) -> None:
    assert "There are no anomaly rules" in server.run("rules", "list")[1]
    code, made = server.run(
        *("rules", "add", "service=shop", "metric=queue_length", "--direction", "above"),
        *("--traffic-metric", "requests_total", "--traffic-at-least", "2"),
    )
    assert code == 0
    assert "tells only what is above expected; only while requests_total is 2 or more" in made
    id_ = made.split()[0]
    (listed,) = json.loads(server.run("rules", "list", "--json")[1])
    assert (listed["id"], listed["matchers"]) == (id_, ["service=shop", "metric=queue_length"])
    assert server.run("rules", "remove", id_) == (0, f"Removed {id_}.\n")
    code, said = server.run("rules", "remove", id_)
    assert (code, f"There is no anomaly rule {id_}" in said) == (1, True)


def test_what_was_said_is_taken_back(server: Server) -> None:
    one = keep(server, 60, service="shop")
    server.run("feedback", one.id, "false")
    code, said = server.run("feedback", one.id, "none", "--json")
    assert (code, json.loads(said)["feedback"]) == (0, None)
