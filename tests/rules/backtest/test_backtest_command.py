"""``pynomaly rules backtest``: what is asked, printed and drawn."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pynomaly.cli.client import Client
from pynomaly.cli.commands import app

EVENT = {
    "labels": {"alertname": "A", "instance": "</script>"},
    "annotations": {},
    "pending_at": 100.0,
    "fired_at": 160.0,
    "ended_at": None,
    "value": 1.0,
    "peak": 2.5,
    "found_at_start": False,
    "cleared_by_limit": False,
}
REPORT = {
    "alert": "A",
    "group": "g",
    "file": "r.yml",
    "expr": "x > 1",
    "for": 60,
    "keep_firing_for": 0,
    "labels": {},
    "interval": 60,
    "comparison": ">",
    "threshold": 1,
    "evaluations": 10,
    "series": 1,
    "data_start": 0,
    "data_end": 600,
    "fired": 1,
    "pending_only": 0,
    "per_week": 1,
    "weeks": [{"start": 0, "fired": 1}],
    "hours": [[0] * 24] * 6 + [[1] * 24],
    "firing_seconds": 440,
    "events": [EVENT],
    "curves": {"start": 0, "step": 60, "series": [], "left_out": 0},
}
RESULT = {
    "start": 0,
    "end": 600,
    "timezone": "UTC",
    "took": 0.1,
    "evaluations": 10,
    "rules": [REPORT],
    "notes": ["A has values only until noon"],
}


WINDOW = {
    "id": "1",
    "kind": "maintenance",
    "title": "New <disks>",
    "starts_at": 60.0,
    "ends_at": 180.0,
    "matchers": [],
    "created_by": "",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def lines(self: Client, path: str, body: bytes, headers: Any) -> Iterator[Any]:
        seen.update(json.loads(body), path=path)
        yield {"progress": 0.5}
        yield {"result": RESULT}

    def get(self: Client, path: str, params: Any = None) -> Any:
        assert (path, params["from"], params["to"]) == ("/api/events", 0, 600)
        return {"events": [WINDOW]}

    monkeypatch.setattr(Client, "lines", lines)
    monkeypatch.setattr(Client, "get", get)
    return seen


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "r.yml"
    found.write_text("groups: []")
    return found


def run(*options: str) -> Any:
    return CliRunner().invoke(app, ["rules", "backtest", *options], env={"COLUMNS": "120"})


def test_options_become_a_request_and_the_answer_a_table(asked: dict[str, Any], file: Path) -> None:
    options = ["--from", "30d", "--sweep", "threshold=1, 2", "--sweep", "for=5m", "--alert", "A"]
    done = run(str(file), *options)
    assert done.exit_code == 0, done.output
    assert (asked["from"], asked["to"], asked["alert"]) == ("30d", "now", "A")
    assert asked["sweep"] == {"threshold": ["1", "2"], "for": ["5m"]}
    assert (asked["rules"], asked["path"]) == ("groups: []", "/api/rules/backtest")
    assert "fired 1 times" in done.stdout
    assert re.search(r"1970-01-01 00:01:40 +1970-01-01 00:02:40 +7m20s … +2\.5", done.stdout)
    assert "only until noon" in done.output


def test_json_is_the_answer_itself(asked: dict[str, Any], file: Path) -> None:
    done = run(str(file), "--json")
    assert json.loads(done.stdout)["rules"][0]["events"] == [EVENT]


def test_a_plot_is_one_file_that_no_label_can_break(
    asked: dict[str, Any], file: Path, tmp_path: Path
) -> None:
    page = tmp_path / "out.html"
    done = run(str(file), "--plot", str(page))
    assert done.exit_code == 0, done.output
    text = page.read_text()
    figures = text[text.index("const figures =") :]
    assert figures.count("</script>") == 1
    assert text.count('class="figure"') == 2
    assert "src=" not in text[: text.index("<script>")]
    assert "<li>1970-01-01 00:01 to 1970-01-01 00:03: New &lt;disks&gt; (maintenance)</li>" in text
    assert '"x0": 60000, "layer": "below", "x1": 180000' in figures


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sweep", "threshold"], "--sweep threshold: values are missing"),
        (["--against", "nowhere.yml"], "nowhere.yml cannot be read"),
        (["--plot", "/nowhere/out.html"], "/nowhere/out.html cannot be written"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    asked: dict[str, Any], file: Path, options: list[str], message: str
) -> None:
    done = run(str(file), *options)
    assert (done.exit_code, message in done.output) == (1, True), done.output
