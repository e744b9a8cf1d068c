"""The faults of the demo's service: each begins, is bounded, ends, and gives back what it took."""

import http.server
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from detection_service import faults
from detection_service.archive import Archive
from detection_service.database import Database
from detection_service.faults import NoSuchFault, Switchboard, parse_schedule
from detection_service.plant import SPREAD
from pynomaly.observability import MetricsCollector


class Noted:
    """A fault that writes down what it is told."""

    says = "something"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def step(self) -> None:
        self.seen.append("step")

    def end(self) -> None:
        self.seen.append("end")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def metrics() -> MetricsCollector:
    return MetricsCollector(CollectorRegistry())


def test_a_fault_is_on_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    fault, clock = Noted(), Clock()
    board = Switchboard({"it": fault}, tmp_path / "faults.json", clock)
    board.plan("it", after=10, lasts=5)
    board.tick()
    assert (fault.seen, board.is_on("it")) == ([], False)
    clock.now += 10
    board.tick()
    board.tick()
    assert (fault.seen, board.is_on("it")) == (["step", "step"], True)
    clock.now += 5
    board.tick()
    board.tick()
    assert (fault.seen[2:], board.is_on("it"), board.planned("it")) == (["end"], False, None)


def test_a_fault_that_is_cancelled_ends(tmp_path: Path) -> None:
    fault = Noted()
    board = Switchboard({"it": fault}, tmp_path / "faults.json", Clock())
    board.plan("it", after=0, lasts=60)
    board.tick()
    board.cancel("it")
    board.tick()
    assert fault.seen == ["step", "end"]
    for act in (lambda: board.plan("that", 0, 1), lambda: board.cancel("that")):
        with pytest.raises(NoSuchFault, match="it"):
            act()


def test_a_plan_outlives_a_crash_but_not_its_end(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "faults.json"
    Switchboard({"it": Noted()}, file, clock).plan("it", after=0, lasts=60)
    fault = Noted()
    again = Switchboard({"it": fault}, file, clock)
    again.tick()
    assert fault.seen == ["step"]
    clock.now += 60
    late = Noted()
    Switchboard({"it": late}, file, clock).tick()
    assert late.seen == []
    assert json.loads(file.read_text()) == {}


def test_closing_ends_every_fault(tmp_path: Path) -> None:
    fault = Noted()
    board = Switchboard({"it": fault}, tmp_path / "faults.json")
    board.start()
    board.plan("it", after=0, lasts=60)
    deadline = time.monotonic() + 30
    while not fault.seen:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    board.close()
    assert fault.seen[-1] == "end"


def test_a_slow_database_is_as_fast_as_before_afterwards(
    metrics: MetricsCollector, tmp_path: Path
) -> None:
    database = Database(tmp_path / "d.db", metrics, 2)
    fault = faults.SlowDatabase(database, 0.05)
    fault.step()
    database.detections(1)
    slow = metrics.registry.get_sample_value(
        "db_query_duration_seconds_sum", {"operation": "select"}
    )
    assert slow is not None
    assert slow >= 0.05
    fault.end()
    assert database.delay == 0
    database.close()


def test_a_leak_grows_to_its_bound_and_is_freed() -> None:
    leak = faults.MemoryLeak(per_second=4000, most=3000)
    for _ in range(10):
        leak.step()
    assert sum(map(len, leak._kept)) == 3000
    leak.end()
    assert leak._kept == []


def test_the_disk_is_filled_within_the_archives_room_and_cleared(
    metrics: MetricsCollector, tmp_path: Path
) -> None:
    archive = Archive(tmp_path, 10_000, metrics)
    fault = faults.DiskFilling(archive, per_second=16_000)
    for _ in range(5):
        fault.step()
    assert archive.used() == 10_000
    fault.end()
    assert archive.used() == 0
    fault.end()  # also when there is nothing to clear


def test_drifting_sensors_read_too_high_until_they_are_calibrated() -> None:
    drift, rows = faults.ModelDrift(2.0), np.ones((3, 4))
    assert np.array_equal(drift.sensed(rows), rows)
    drift.step()
    assert np.array_equal(drift.sensed(rows), rows + 2 * SPREAD)
    drift.end()
    assert np.array_equal(drift.sensed(rows), rows)


def test_a_brute_force_guesses_at_the_login_and_takes_no_for_an_answer() -> None:
    guesses = []

    class Door(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            guesses.append(json.loads(body))
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fault = faults.BruteForce(f"http://127.0.0.1:{server.server_port}/login", per_second=12)
    fault.step()
    server.shutdown()
    server.server_close()
    assert len(guesses) == 3
    assert set(guesses[0]) == {"user", "password"}
    fault.step()  # nobody listens any more, and that is no error


def test_a_crash_ends_the_process_but_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(faults.os, "_exit", statuses.append)
    patient = faults.Crash(seconds=60)
    patient.step()
    patient.step()
    assert statuses == []
    faults.Crash(seconds=0).step()
    assert statuses == [faults.Crash.STATUS]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("crash@60+30", ("crash", 60.0, 30.0)),
        ("crash@5", ("crash", 5.0, 60.0)),
        ("crash", ("crash", 0.0, 60.0)),
    ],
)
def test_a_schedule_is_read(text: str, plan: tuple[str, float, float]) -> None:
    assert parse_schedule(text) == plan


def test_what_is_no_schedule_says_what_one_is() -> None:
    with pytest.raises(ValueError, match=r"crash@60\+30"):
        parse_schedule("crash@soon")
