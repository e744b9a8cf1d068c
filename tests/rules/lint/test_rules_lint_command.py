"""``pynomaly rules lint`` as a user types it, and its output for machines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pynomaly.rules.lint.finding import Finding, Severity
from pynomaly.rules.lint.formats import as_github, as_sarif
from tests.product import start, unused_port

RULES = """\
groups:
  - name: g
    rules:
      - alert: Never
        expr: up > 1
      - alert: Labels
        expr: sum(up) < 1
        annotations: {summary: "{{ $labels.job }} is down"}
"""


def lint(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pynomaly", "rules", "lint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return str(path)


def test_findings_are_shown_with_place_check_and_reason(rules: str) -> None:
    done = lint(rules)

    assert done.returncode == 1
    assert f"{rules}:4: error [impossible-comparison] Never" in done.stdout
    assert f"{rules}:6: warning [template-label-dropped] Labels" in done.stdout
    assert "2 rules, 2 findings" in done.stdout


def test_severities_decide_what_is_shown_and_what_fails(rules: str) -> None:
    only_errors = lint(rules, "--severity", "error", "--format", "json")
    assert [f["check"] for f in json.loads(only_errors.stdout)] == ["impossible-comparison"]

    Path(rules).write_text(RULES.replace("up > 1", "up < 1"))
    assert lint(rules).returncode == 0
    assert lint(rules, "--fail-on", "warning").returncode == 1


def test_a_wrong_option_says_what_there_is(rules: str) -> None:
    done = lint(rules, "--format", "xml")

    assert done.returncode == 1
    assert "text, json, sarif, github" in done.stderr


def test_sarif_names_rule_level_and_place(rules: str) -> None:
    log = json.loads(lint(rules, "--format", "sarif").stdout)

    (run,) = log["runs"]
    result = run["results"][0]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == (rules, 4)


def test_annotations_of_github_are_escaped() -> None:
    finding = Finding("a-check", Severity.NOTE, "100%\nof it", file="a,b.yml", line=3, rule="R:1")

    assert as_github([finding]) == [
        "::notice file=a%2Cb.yml,line=3,title=a-check%3A R%3A1::100%25%0Aof it"
    ]
    assert as_sarif([finding])["runs"][0]["results"][0]["level"] == "note"


def test_a_running_server_proves_by_its_series(tmp_path: Path, rules: str) -> None:
    product = start(tmp_path / "product", (unused_port(), unused_port()))
    try:
        product.wait_for("process_open_fds")
        Path(rules).write_text(RULES.replace("up > 1", "process_open_fdss > 1"))
        done = lint(rules, "--url", product.api)
        served = product.json("/api/rules/lint")
    finally:
        product.stop()

    assert "[absent-series] Never" in done.stdout
    assert "instead: process_open_fds" in done.stdout
    assert isinstance(served["findings"], list)
