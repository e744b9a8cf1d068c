"""``pynomaly routes backtest``: the alerts that it asks for, and what it prints."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pynomaly.cli.client import Client
from pynomaly.cli.commands import app

START = 1_767_571_200  # 2026-01-05, a Monday
CONFIG = """
route:
  receiver: ops
  group_wait: 0s
  routes: [{receiver: silent, matchers: [severity="none"]}]
receivers:
  - name: ops
    webhook_configs: [{url: 'http://x/'}]
  - name: silent
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "am.yml"
    path.write_text(CONFIG)
    return path


def run(file: Path, *options: str) -> Any:
    period = ("--from", str(START), "--to", str(START + 7 * 86_400))
    arguments = ["routes", "backtest", str(file), *period, *options]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "160"})


def fired(*times: float, **labels: str) -> dict[str, Any]:
    metric = {"__name__": "ALERTS", "alertstate": "firing", "alertname": "Down", **labels}
    return {"metric": metric, "values": [[START + at, "1"] for at in times]}


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The queries that were asked; the first is answered with alerts."""
    asked: list[dict[str, Any]] = []

    def get(self: Client, path: str, params: Any = None) -> Any:
        asked.append({"path": path, **params})
        first = [
            fired(60, 90, 120, 600, 630, severity="critical"),
            fired(60, 90, severity="none"),
        ]
        return {"data": {"result": first if len(asked) == 1 else []}}

    monkeypatch.setattr(Client, "get", get)
    return asked


def test_the_alerts_are_those_that_fired(file: Path, stored: list[dict[str, Any]]):
    done = run(file, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["alerts"], found["report"]["heard"]) == (3, 2)
    (way,) = found["report"]["ways"]
    assert way["reasons"] == {"first notification": 2, "all alerts resolved": 2}
    (unheard,) = found["report"]["unheard"]
    assert unheard["labels"] == {"alertname": "Down", "severity": "none"}
    assert (unheard["fired_at"], unheard["ended_at"]) == (START + 60, START + 120)


def test_a_long_range_is_asked_for_in_parts_that_meet(file: Path, stored: list[dict[str, Any]]):
    run(file)
    assert {(q["path"], q["query"]) for q in stored} == {
        ("/api/v1/query_range", 'ALERTS{alertstate="firing"}')
    }
    assert stored[0]["start"] == START
    for one, following in pairwise(stored):
        assert following["start"] == one["end"] + one["step"]
        assert (one["end"] - one["start"]) / one["step"] < 11_000
    assert stored[-1]["end"] == START + 7 * 86_400


def test_it_prints_who_is_told_how_often_and_who_is_not(file: Path, stored: list[dict[str, Any]]):
    done = run(file)
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "2026-01-05 00:00:00 to 2026-01-12 00:00:00 UTC, 3 alerts" in lines
    assert any(line.startswith("ops webhook[0] 4 4 4 2 ") for line in lines)
    assert "nobody is told of 1 alerts:" in lines
    assert any("silent the receiver 'silent' has no channel" in line for line in lines)


def test_another_configuration_is_laid_beside(
    file: Path, stored: list[dict[str, Any]], tmp_path: Path
):
    other = tmp_path / "other.yml"
    other.write_text(CONFIG.replace('"none"', '"critical"'))
    done = run(file, "--against", str(other))
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "3 alerts go to other receivers:" in lines
    assert any(line.startswith("2026-01-05 00:01:00 nobody ops ") for line in lines)
    assert sum(" ops nobody " in line for line in lines) == 2


def test_alerts_of_rules_come_from_a_backtest_of_the_rules(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rules = tmp_path / "r.yml"
    rules.write_text("groups: []")
    asked: dict[str, Any] = {}
    event = {
        "labels": {"alertname": "A"},
        "pending_at": START,
        "fired_at": START + 60,
        "ended_at": None,
        "value": 1.0,
        "peak": 1.0,
    }

    def lines(self: Client, path: str, body: bytes, headers: Any) -> Iterator[Any]:
        asked.update(json.loads(body), path=path)
        result = {
            "start": START,
            "end": START + 600,
            "timezone": "UTC",
            "took": 0.1,
            "evaluations": 1,
            "rules": [_report(event)],
            "notes": ["A note of the rules"],
        }
        yield {"result": result}

    monkeypatch.setattr(Client, "lines", lines)
    done = run(file, "--rules", str(rules), "--json")
    assert done.exit_code == 0, done.output
    assert (asked["path"], asked["rules"]) == ("/api/rules/backtest", "groups: []")
    found = json.loads(done.stdout)
    assert found["notes"] == ["A note of the rules", "7 alerts of A are left out."]
    assert (found["alerts"], found["report"]["heard"]) == (1, 1)


def _report(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "alert": "A",
        "group": "g",
        "file": "r.yml",
        "expr": "x",
        "for": 0,
        "keep_firing_for": 0,
        "labels": {},
        "interval": 60,
        "evaluations": 1,
        "series": 1,
        "data_start": None,
        "data_end": None,
        "fired": 8,
        "pending_only": 0,
        "per_week": 1,
        "weeks": [],
        "hours": [],
        "firing_seconds": 1,
        "events": [event],
        "events_left_out": 7,
    }


def test_a_time_that_is_none_is_refused(file: Path):
    done = CliRunner().invoke(app, ["routes", "backtest", str(file), "--from", "yesterday"])
    assert done.exit_code == 1
    assert "--from: 'yesterday' is not a time" in done.output
