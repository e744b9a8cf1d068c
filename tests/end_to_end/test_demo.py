"""``pynomaly demo`` as a newcomer sees it, with real processes and short times."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.product import unused_port

pytestmark = pytest.mark.timeout(600)

PATIENCE = 400


class Demo:
    """A running demo, whose temporary folders are made in ``tmp``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ports = {name: unused_port() for name in ("api", "web", "service")}
        self.tmp, self.log = folder / "tmp", folder / "output.txt"
        self.tmp.mkdir()
        chosen = [f"--{name}-port={port}" for name, port in self.ports.items()]
        environ = {**os.environ, "TMPDIR": str(self.tmp), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        # Of the newcomer's shell; it must not lead the demo's product elsewhere.
        environ["PROMETHEUS_HOST"] = "http://127.0.0.1:9"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pynomaly", "demo", *chosen, *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                cwd=folder,
            )
        self.children: set[psutil.Process] = set()

    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        self.until(lambda: text in self.output())

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            self.children |= set(psutil.Process(self.process.pid).children(recursive=True))
            time.sleep(0.2)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def left_behind(self) -> list[str]:
        """Processes, files and ports that are still there."""
        running = [str(child) for child in self.children if child.is_running()]
        files = [str(path) for path in self.tmp.iterdir()]
        return running + files + [name for name, port in self.ports.items() if _listens(port)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_fault_is_followed_by_anomaly_alert_and_recovery_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    options = ["--fault", "error-burst", "--after", "5s", "--for", "40s", "--history", "1d"]
    demo = Demo(tmp_path, *options, "--once")
    demo.wait_for("fault on")
    assert len(demo.children) >= 3
    status = demo.wait()
    text = demo.output()
    assert status == 0, text
    assert re.search(r"Stored [\d,]+ samples", text)
    story = {
        what: re.search(rf"\d:\d\d +{what} +{which}", text)
        for what, which in {
            "fault on": "error-burst: ",
            "anomaly": "detection_service:errors:ratio30s, score ",
            "alert pending": "DetectionErrors ",
            "alert firing": "DetectionErrors ",
            "fault off": "error-burst\n",
            "alert resolved": "DetectionErrors\n",
        }.items()
    }
    assert all(story.values()), (story, text)
    at = {what: found.start() for what, found in story.items() if found}
    assert at["fault on"] < at["anomaly"]
    order = ["fault on", "alert pending", "alert firing", "fault off", "alert resolved"]
    assert sorted(order, key=at.__getitem__) == order
    assert demo.left_behind() == []


@pytest.mark.parametrize("when", ["while it sets up", "while it plays"])
def test_ctrl_c_stops_it_and_nothing_is_left_behind(when: str, tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--fault", "none", "--history", "2h")
    if when == "while it plays":
        demo.wait_for("Nothing breaks by itself.")
    else:
        demo.until(lambda: len(demo.children) >= 2)
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0, demo.output()
    assert "Stopped; nothing is left behind." in demo.output()
    assert demo.left_behind() == []
