"""The shipped rules: complete, documented, tested one by one, and right for Prometheus as well."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import pynomaly.server.service  # noqa: F401 - defines every metric of the product
from pynomaly.cli import rules_files
from pynomaly.observability import REGISTRY
from pynomaly.rules.reference import as_markdown

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "config" / "rules").glob("*.yml"))
TESTS = sorted(Path(__file__).parent.glob("*.test.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
SEVERITIES = {"none", "info", "warning", "high", "critical"}

PROMISED = {
    "HighErrorRate",
    "HighResponseTime",
    "DatabaseConnectionIssues",
    "APIAvailabilityLow",
    "DatabaseConnectionFailure",
    "HighCPUUtilization",
    "HighMemoryUtilization",
    "HighDiskUsage",
    "BruteForceAttack",
    "DDoSAttack",
    "SLOBurnRate",
    "Watchdog",
}
"""Names that users know from the guides; everything else may be renamed."""


def alerts(file: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(file.read_text())["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


ALERTS = [pytest.param(rule, id=rule["alert"]) for file in RULES for rule in alerts(file)]
NAMES = {rule["alert"] for file in RULES for rule in alerts(file)}


def expectations() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(name of an alert, what is expected to fire) of every test."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for expected in test["alert_rule_test"]:
                yield expected["alertname"], expected["exp_alerts"]


def test_the_promised_alerts_are_there() -> None:
    assert PROMISED <= NAMES


@pytest.mark.parametrize("rule", ALERTS)
def test_each_has_a_severity_a_summary_a_description_and_its_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert rule["annotations"]["runbook_url"] == "{{ $externalURL }}/runbooks/" + rule["alert"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_has_a_runbook_that_says_what_it_is_why_it_matters_and_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    for part in (
        "**Meaning.**",
        "**Impact.**",
        "**Find out**",
        "**Repair**",
        "**Silence and tune**",
    ):
        assert part in text, part
    assert "`" in text.partition("**Find out**")[2], "a query or a command to begin with"


def test_each_runbook_belongs_to_an_alert_and_is_in_the_index() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert {page for page in pages if f"({page}.md)" not in index} == set()
    assert pages == NAMES


@pytest.mark.parametrize(
    "file", [*RULES, *sorted(RUNBOOKS.glob("*.md"))], ids=lambda file: str(file.name)
)
def test_the_metrics_of_the_product_that_are_named_exist(file: Path) -> None:
    known = {family.name for family in REGISTRY.collect()}
    named = set(re.findall(r"\bpynomaly_\w+", file.read_text()))
    bare = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in named}
    assert bare - known == set()


def test_the_reference_is_current() -> None:
    """Renew it with: python -m pynomaly.rules.reference > docs/reference/rules.md"""
    assert (ROOT / "docs/reference/rules.md").read_text() == as_markdown()


def test_each_is_seen_to_fire_with_each_of_its_severities_and_seen_to_be_silent() -> None:
    fires = {
        (name, alert["exp_labels"]["severity"]) for name, found in expectations() for alert in found
    }
    silent = {name for name, found in expectations() if not found}
    shipped = {
        (rule["alert"], rule["labels"]["severity"]) for file in RULES for rule in alerts(file)
    }
    assert shipped - fires == set()
    assert NAMES - silent - {"Watchdog"} == set()


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_each_file_has_tests(file: Path) -> None:
    assert Path(__file__).with_name(f"{file.stem}.test.yml") in TESTS


@pytest.mark.needs("promtool")
def test_promtool_accepts_them(program: Callable[[str], str]) -> None:
    command = [program("promtool"), "check", "rules", *map(str, RULES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name.split(".")[0])
def test_each_fires_when_it_should_and_is_silent_otherwise(
    file: Path, program: Callable[[str], str]
) -> None:
    command = [program("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name.split(".")[0])
def test_pynomaly_gives_the_same_verdicts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passed = rules_files.test([str(file)], None, as_json=False)
    assert passed, capsys.readouterr().out
