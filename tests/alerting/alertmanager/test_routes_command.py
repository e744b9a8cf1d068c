"""``pynomaly routes``: beside ``amtool`` on generated configurations, and on its own."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pynomaly.cli.commands import app

NAMES = ("severity", "team", "env", "job")
VALUES = ("a", "b", "ab", "critical", "x y", "1", 'q"q', "back\\slash")
PATTERNS = ("a", "a|b", "a.*", ".+", "", "crit[a-z]+", "[^a]b?", r"\d")
RECEIVERS = ("ops", "db", "pager", "team-X mail")


def pynomaly(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["routes", *arguments], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def amtool(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.replace("\xa0", " ")


class Configurations:
    """Random routing trees in the words that Alertmanager 0.25 knows."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def document(self) -> dict[str, Any]:
        root = {"receiver": "ops", "routes": [self._route(0) for _ in range(self._few())]}
        receivers = [{"name": name} for name in RECEIVERS]
        return {"route": root, "receivers": receivers, "time_intervals": [{"name": "nights"}]}

    def labels(self) -> list[str]:
        chosen = self._random.sample(NAMES, self._random.randint(0, len(NAMES)))
        return [f"{name}={json.dumps(self._random.choice(VALUES))}" for name in chosen]

    def _few(self) -> int:
        return self._random.randint(1, 4)

    def _route(self, depth: int) -> dict[str, Any]:
        pick = self._random.random
        route: dict[str, Any] = {}
        if pick() < 0.8:
            route["receiver"] = self._random.choice(RECEIVERS)
        if pick() < 0.3:
            route["match"] = {self._random.choice(NAMES): self._random.choice(VALUES)}
        if pick() < 0.3:
            route["match_re"] = {self._random.choice(NAMES): self._random.choice(PATTERNS)}
        if pick() < 0.6:
            route["matchers"] = [self._matcher() for _ in range(self._random.randint(0, 2))]
        if pick() < 0.4:
            route["continue"] = True
        if pick() < 0.2:
            route["mute_time_intervals"] = ["nights"]
        if pick() < 0.3:
            route["group_by"] = self._random.choice([["..."], ["job"], [], ["job", "env"]])
        if depth < 2 and pick() < 0.5:
            route["routes"] = [self._route(depth + 1) for _ in range(self._few())]
        return route

    def _matcher(self) -> str:
        op = self._random.choice(["=", "!=", "=~", "!~"])
        value = self._random.choice(PATTERNS if "~" in op else VALUES)
        return f"{self._random.choice(NAMES)}{op}{json.dumps(value)}"


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("seed", range(5))
def test_routes_agree_with_amtool(seed: int, tmp_path: Path):
    made = Configurations(seed)
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(made.document()))
    theirs = ("config", "routes", "--config.file", str(file))

    code, drawn = pynomaly("show", str(file))
    _, expected = amtool(*theirs, "show")
    assert code == 0
    # Theirs says no more than matchers, continue and receiver.
    for ours, line in zip(drawn.splitlines(), expected.rstrip().splitlines(), strict=True):
        assert ours.startswith(line)

    for _ in range(3):
        labels = made.labels()
        _, expected = amtool(*theirs, "test", "--tree", *labels)
        _, found = pynomaly("test", str(file), "--tree", *labels)
        found = "\n".join(line for line in found.splitlines() if not line.startswith("note: "))
        assert found.split() == expected.split(), labels


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("verified", ["pager,db", "db,pager", "pager"])
def test_the_exit_code_of_verified_receivers_is_amtools(verified: str, tmp_path: Path):
    file = tmp_path / "alertmanager.yml"
    routes = [{"receiver": "pager", "continue": True}, {"receiver": "db"}]
    receivers = [{"name": name} for name in RECEIVERS]
    file.write_text(
        yaml.safe_dump({"route": {"receiver": "ops", "routes": routes}, "receivers": receivers})
    )
    options = ("--verify.receivers", verified, "severity=critical")
    theirs, _ = amtool("config", "routes", "test", "--config.file", str(file), *options)
    ours, said = pynomaly("test", str(file), *options)
    assert ours == theirs == (0 if verified == "pager,db" else 1)
    assert said.startswith("pager,db\n")
    assert ("WARNING: Expected receivers did not match" in said) == bool(ours)


WRONG = [
    "route: {}",
    "receivers: [{name: a}]",
    "route: {receiver: a}",
    "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
    "route: {receiver: a, match: {b: c}}\nreceivers: [{name: a}]",
    "route: {receiver: a, continue: true}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_by: [b, b]}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_wait: 5}\nreceivers: [{name: a}]",
    "route: {receiver: a, repeat_interval: 0s}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{mute_time_intervals: [x]}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{matchers: [x]}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{match_re: {x: '('}}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, unknown: b}\nreceivers: [{name: a}]",
    "route: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: x}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{channel: x}]}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: x}, {name: x}]",
    "route: [",
]
RIGHT = [
    "route: {receiver: a}\nreceivers: [{name: a}]",
    "global:\nroute:\n  receiver: a\nreceivers:\n  - name: a\ninhibit_rules:\n",
    "route: {receiver: a, group_by: []}\nreceivers: [{name: a, webhook_configs: [{url: 'http://x'}]}]",
    "route: {receiver: off}\nreceivers: [{name: off}]",
    "route: {receiver: 12}\nreceivers: [{name: 12}]",
    "route: {receiver: a, group_wait: 0}\nreceivers: [{name: a}]\ntemplates: [none/*.tmpl]",
]


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("text", [*WRONG, *RIGHT])
def test_a_file_is_good_where_it_is_to_amtool(text: str, tmp_path: Path):
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    theirs, _ = amtool("check-config", str(file))
    ours, said = pynomaly("check", str(file))
    assert ours == theirs == int(text in WRONG), said


FILE = """
route:
  receiver: ops
  group_by: [alertname]
  routes:
    - receiver: pager
      matchers: [severity="critical"]
      group_wait: 0s
      continue: true
    - receiver: mail
      matchers: [severity=~"critical|warning"]
      mute_time_intervals: [weekend]
      active_time_intervals: [daytime]
receivers: [{name: ops}, {name: pager}, {name: mail}]
time_intervals:
  - name: weekend
    time_intervals: [{weekdays: [saturday, sunday]}]
  - name: daytime
    time_intervals: [{times: [{start_time: 08:00, end_time: 18:00}]}]
"""


MONDAY = "2026-01-05T08:00:00Z"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "alertmanager.yml"
    path.write_text(FILE)
    return str(path)


def test_the_tree_says_what_each_route_changes(file: str):
    code, said = pynomaly("show", file)
    assert code == 0
    assert said.splitlines() == [
        "Routing tree:",
        ".",
        "└── default-route  receiver: ops  group_by: alertname  group_wait: 30s  "
        "group_interval: 5m  repeat_interval: 4h",
        '    ├── {severity="critical"}  continue: true  receiver: pager  group_wait: 0s',
        '    └── {severity=~"critical|warning"}  receiver: mail  mute_time_intervals: weekend  '
        "active_time_intervals: daytime",
    ]


def test_the_tree_as_json_has_what_comes_from_above(file: str):
    _, said = pynomaly("show", file, "--json")
    root = json.loads(said)
    pager = root["routes"][0]
    assert (pager["receiver"], pager["group_by"], pager["group_wait"]) == (
        "pager",
        ["alertname"],
        0,
    )
    assert (pager["matchers"], pager["continue"]) == (['severity="critical"'], True)
    assert pager["key"] == '{}/{severity="critical"}'


@pytest.mark.parametrize(
    ("at", "note"),
    [
        ("2026-01-03T12:00:00Z", "muted at that time by weekend"),
        ("2026-01-05T07:00:00Z", "not active at that time, which is outside of daytime"),
        (MONDAY, ""),
    ],
)
def test_a_route_that_is_silent_at_that_time_is_noted(file: str, at: str, note: str):
    code, said = pynomaly("test", file, "severity=warning", "--at", at)
    expected = [f'note: {{}}/{{severity=~"critical|warning"}} is {note}'] if note else []
    assert (code, said.splitlines()) == (0, ["mail", *expected])


def test_the_routes_of_an_alert_as_json_have_its_group(file: str):
    _, said = pynomaly("test", file, "--json", "severity=critical", "alertname=Down", "job=db")
    found = json.loads(said)
    assert [route["receiver"] for route in found["routes"]] == ["pager", "mail"]
    assert found["routes"][0]["group_labels"] == {"alertname": "Down"}


@pytest.mark.parametrize("label", ["severity", "severity!=critical", 'severity=~"c.*"', "{a=b}"])
def test_labels_that_are_none_are_refused(file: str, label: str):
    code, said = pynomaly("test", file, label)
    assert code == 1
    assert label in said


def test_a_file_that_cannot_be_used_is_told_with_its_lines(tmp_path: Path):
    path = tmp_path / "am.yml"
    path.write_text("route: {receiver: web.hook}\n")
    code, said = pynomaly("check", str(path))
    assert code == 1
    assert f"Checking '{path}'  FAILED" in said
    assert f"{path}:1: route.receiver: no receiver is called 'web.hook'" in said


def test_a_good_file_is_told_with_what_is_in_it(file: str):
    code, said = pynomaly("check", file)
    assert code == 0
    assert said.splitlines()[1:] == [
        "Found:",
        " - 3 routes",
        " - 0 inhibit rules",
        " - 3 receivers",
        " - 2 time intervals",
        " - 0 templates",
    ]
    _, said = pynomaly("check", file, "--json")
    assert json.loads(said)[0]["found"]["receivers"] == 3


def test_without_a_file_the_configured_one_is_used(file: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYNOMALY_ALERTMANAGER_CONFIG", file)
    assert pynomaly("test", "severity=critical", "--at", MONDAY) == (0, "pager,mail\n")
    monkeypatch.delenv("PYNOMALY_ALERTMANAGER_CONFIG")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.example.com/x")
    assert pynomaly("test", "severity=critical") == (0, "critical\n")
