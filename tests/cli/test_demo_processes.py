"""The demo's processes: what is said of one that fails, and what it is given of the environment."""

import os
from pathlib import Path

import pytest

from pynomaly.cli.demo.processes import Process, ProcessFailed, answers, environment


def started(folder: Path, code: str) -> Process:
    return Process("The thing", ["-c", code], folder / "thing.log", environment([]))


def test_one_that_ends_too_early_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = started(tmp_path, "print(*range(40), sep='\\n'); raise SystemExit('no room')")
    with pytest.raises(ProcessFailed, match="The thing ended with status 1") as raised:
        process.wait_until_ready("http://127.0.0.1:9/")
    assert raised.value.message.endswith("  39\n  no room")
    assert "  5\n" not in raised.value.message
    process.stop()


def test_one_that_succeeds_is_waited_for(tmp_path: Path) -> None:
    process = started(tmp_path, "pass")
    process.finish(60)
    assert process.status() == 0
    process.stop()


def test_one_that_takes_too_long_is_told_and_stopped(tmp_path: Path) -> None:
    process = started(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(ProcessFailed, match="does not become ready"):
        process.finish(0.01)
    process.stop()
    assert process.status() is not None


def test_it_learns_by_its_input_that_the_demo_is_gone(tmp_path: Path) -> None:
    process = started(tmp_path, "import sys; sys.stdin.read(); print('alone')")
    assert process.status() is None
    assert process._child.stdin is not None
    process._child.stdin.close()  # as when this process dies
    process._child.wait(60)
    assert (tmp_path / "thing.log").read_text() == "alone\n"


def test_variables_are_left_out_and_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_HOST", "elsewhere")
    made = environment(["PROMETHEUS_HOST"], ADDED="1")
    assert "PROMETHEUS_HOST" not in made
    assert (made["ADDED"], made["PATH"]) == ("1", os.environ["PATH"])


def test_nobody_answers_where_nobody_listens() -> None:
    assert not answers("http://127.0.0.1:9/")
