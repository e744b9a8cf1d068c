"""``pynomaly detect backtest`` over the HTTP API of a server that has the history."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pynomaly.cli.client import Client
from pynomaly.cli.commands import app

START, STEP, ROWS, SPIKE = 1_700_006_400, 300, 12_000, 9_000


def history() -> dict[int, float]:
    noise = np.random.default_rng(5).normal(size=ROWS)
    values = 50 + noise
    values[SPIKE : SPIKE + 4] += 90
    return {START + i * STEP: float(value) for i, value in enumerate(values)}


def event(title: str, matcher: str) -> dict[str, Any]:
    times = {"starts_at": START + 100, "ends_at": None}
    return {"id": title, "kind": "deployment", "title": title, **times, "matchers": [matcher],
            "created_by": "anna"}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Answers query_range from the history above, as a server does; the parameters it was sent."""
    values = history()
    asked: list[Mapping[str, Any]] = []

    def get(self: Client, path: str, params: Mapping[str, Any] | None = None) -> Any:
        if path == "/api/events":
            return {"events": [event("of a", "host=a"), event("of b", "host=b")]}
        assert path == "/api/v1/query_range"
        assert params is not None
        asked.append(params)
        times = [t for t in values if params["start"] <= t <= params["end"]]
        assert len(times) <= 11_000
        found = [[t, str(values[t])] for t in times]
        series = {"metric": {"__name__": "cpu", "host": "a"}, "values": found}
        return {"data": {"result": [series] if found else []}}

    monkeypatch.setattr(Client, "get", get)
    return asked


def backtest(*more: object, ok: bool = True) -> str:
    span = ("--from", START, "--to", START + (ROWS - 1) * STEP, "--step", "5m")
    command = ["detect", "backtest", "cpu", *map(str, (*span, *more))]
    result = CliRunner().invoke(app, command)
    assert (result.exit_code == 0) is ok, result.output
    return result.output


def test_what_would_have_been_told_is_said_with_what_was_expected(
    asked: list[Mapping[str, Any]],
) -> None:
    found = json.loads(backtest("--json"))
    assert found["series"] == 1
    assert len(asked) == 2  # a server answers 11,000 steps at most
    spiked = [e for e in found["events"] if e["at"] >= START + SPIKE * STEP]
    assert spiked[0]["at"] <= START + (SPIKE + 4) * STEP
    assert spiked[0]["labels"] == {"__name__": "cpu", "host": "a"}
    assert abs(spiked[0]["expected"] - 50) < 10


def test_a_greater_budget_never_tells_less(asked: list[Mapping[str, Any]]) -> None:
    budgets = json.loads(backtest("--json", "--budget", 0.2))["budgets"]
    assert [each["budget"] for each in budgets] == [0.01, 0.03, 0.1, 0.2, 0.3, 1.0, 3.0, 10.0]
    counts = [each["events"] for each in budgets]
    assert counts[0] <= counts[-1]
    assert counts[-1] > 0


def test_it_is_shown_as_tables_and_charts(asked: list[Mapping[str, Any]], tmp_path: Path) -> None:
    page = tmp_path / "anomalies.html"
    said = backtest("--plot", page)
    assert "1 series" in said
    assert "budget a week" in said
    assert "Plotly" in page.read_text()
    assert "events" in page.read_text()
    assert "2023-11-15 00:01: of a (deployment, by anna)</li>" in page.read_text()
    assert "of b (deployment" not in page.read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--to", START - 10), "--from is not before --to"),
        (("--from", START - 900_000, "--to", START - 800_000), "has no samples in that time"),
        (("--timezone", "Mars/Base"), "is no time zone"),
        (("--step", "often"), "is not a duration"),
    ],
)
def test_what_makes_no_sense_is_said(
    asked: list[Mapping[str, Any]], more: tuple[object, ...], said: str
) -> None:
    assert said in " ".join(backtest(*more, ok=False).split())


def test_what_the_calendar_excludes_is_not_told_unless_it_is_asked_for(
    asked: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Client.get
    times = {"starts_at": START + SPIKE * STEP - 60, "ends_at": START + (SPIKE + 6) * STEP}
    window = event("upkeep", "host=a") | times | {"kind": "maintenance"}
    quiet = window | {"learn": False, "alarm": False}

    def get(self: Client, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return {"events": [quiet]} if path == "/api/events" else answer(self, path, params)

    monkeypatch.setattr(Client, "get", get)

    def spiked(*more: str) -> list[Any]:
        found = json.loads(backtest("--json", *more))["events"]
        return [e for e in found if e["at"] >= START + SPIKE * STEP]

    assert spiked() == []
    assert spiked("--no-events") != []
