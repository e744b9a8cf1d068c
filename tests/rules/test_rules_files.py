"""``pynomaly rules check`` and ``pynomaly rules test``, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import find_server

RULES = """\
groups:
  - name: host
    rules:
      - alert: Down
        expr: up == 0
        for: 2m
"""
TESTS = """\
rule_files: [rules.yml]
tests:
  - name: it is down
    input_series: [{series: 'up{job="a"}', values: "0x9"}]
    alert_rule_test:
      - {eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}
  - name: it is up
    input_series: [{series: 'up{job="a"}', values: "1x9"}]
    alert_rule_test: [{eval_time: 5m, alertname: Down}]
"""


def rules(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pynomaly", "rules", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "rules.test.yml").write_text(TESTS)
    return tmp_path


def test_valid_files_are_counted(folder: Path) -> None:
    done = rules("check", str(folder / "rules.yml"))

    assert done.returncode == 0
    assert "1 rule found" in done.stdout


def test_an_invalid_file_is_named_with_line_and_what_was_probably_meant(folder: Path) -> None:
    (folder / "bad.yml").write_text(RULES.replace("up == 0", "rate(up[1m]) by (ip) > 1000"))

    done = rules("check", str(folder / "*.yml").replace("*", "bad"))

    assert done.returncode == 1
    assert "bad.yml:5" in done.stdout
    assert "sum by (ip) (rate(up[1m])) > 1000" in done.stdout


def test_rules_that_are_there_twice_are_warned_of(folder: Path) -> None:
    text = RULES + RULES.partition("    rules:\n")[2]
    (folder / "twice.yml").write_text(text)

    done = rules("check", "--json", str(folder / "twice.yml"))

    (report,) = json.loads(done.stdout)
    assert (report["rules"], report["failed"]) == (2, False)
    assert "there 2 times" in report["warnings"][0]


def test_a_kubernetes_resource_is_checked_by_its_groups(folder: Path) -> None:
    head = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: x}\n"
    body = "spec:\n" + "".join(f"  {line}\n" for line in RULES.splitlines())
    (folder / "resource.yml").write_text(head + body)

    assert "1 rule found" in rules("check", str(folder / "resource.yml")).stdout


def test_tests_that_hold_exit_with_0_and_those_that_do_not_with_1(folder: Path) -> None:
    path = folder / "rules.test.yml"
    assert rules("test", str(path)).returncode == 0
    path.write_text(TESTS.replace('"1x9"', '"0x9"'))

    done = rules("test", str(path))

    assert done.returncode == 1
    assert "it is up: alertname: Down, time: 300s" in done.stdout
    assert rules("test", str(path), "--run", "is down").returncode == 0


def test_a_file_that_is_not_there_is_one_line(folder: Path) -> None:
    done = rules("test", str(folder / "none.yml"))

    assert done.returncode == 1
    assert "none.yml does not exist" in done.stderr


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("values", ['"0x9"', '"1x9"', '"0 1 0 0 0 0 0"', '"_x3 0x9"'])
def test_the_verdict_is_promtools(folder: Path, values: str) -> None:
    promtool = find_server("promtool")
    assert promtool
    path = folder / "rules.test.yml"
    path.write_text(TESTS.replace('"0x9"', values))

    theirs = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True)

    assert rules("test", str(path)).returncode == theirs.returncode
