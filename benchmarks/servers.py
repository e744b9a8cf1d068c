"""The product and its peers as processes of their own, on free ports and fresh folders."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass
class Server:
    """A running server that speaks Prometheus's API."""

    name: str
    url: str
    write_path: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    start_seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """User and system seconds so far, children included."""
        total = 0.0
        root = psutil.Process(self.process.pid)
        for process in [root, *root.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
        return total

    def resident_mb(self) -> float:
        """Resident memory now, children included."""
        root = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [root, *root.children(recursive=True)]) / 1e6

    def disk_bytes(self) -> int:
        """Bytes in the data folder."""
        return sum(f.stat().st_size for f in self.data_dir.rglob("*") if f.is_file())

    def read(self, path: str, timeout: float = 120, **params: Any) -> bytes:
        """GET and return the body, so that a measurement need not count the client's parser."""
        query = urllib.parse.urlencode(params)
        with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=timeout) as answer:
            return bytes(answer.read())

    def get(self, path: str, **params: Any) -> Any:
        """GET and return JSON."""
        return json.loads(self.read(path, **params))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180) -> float:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer in {seconds} s: {log.read_text()[-2000:]}")


@contextmanager
def _running(
    name: str, command: list[str], url: str, ready: str, write_path: str, folder: Path
) -> Generator[Server, None, None]:
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        started = _wait(url + ready, process, log)
        yield Server(name, url, write_path, folder, process, started)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def pynomaly(folder: Path, *options: str) -> Generator[Server, None, None]:
    """The product by its own command, on embedded defaults."""
    folder.mkdir(parents=True, exist_ok=True)
    api, web = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "pynomaly",
        "up",
        "--api-port",
        str(api),
        "--web-port",
        str(web),
    ]
    url = f"http://127.0.0.1:{api}"
    with _running(
        "pynomaly",
        [*command, "--data-dir", str(folder), *options],
        url,
        "/-/ready",
        "/api/v1/write",
        folder,
    ) as server:
        server.extra["web"] = f"http://127.0.0.1:{web}"
        yield server


@contextmanager
def prometheus(
    folder: Path, rules: Path | None = None, sends_to: Server | None = None
) -> Generator[Server, None, None]:
    """Debian's Prometheus as a remote-write receiver that scrapes nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder.parent / f"{folder.name}.yml"
    named = f"rule_files: [{rules}]\n" if rules else ""
    if sends_to is not None:
        target = urllib.parse.urlsplit(sends_to.url).netloc
        named += f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{target}']}}]}}]}}\n"
    config.write_text("global: {scrape_interval: 15s, evaluation_interval: 1m}\n" + named)
    port = free_port()
    command = [
        _program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--log.level=error",
    ]
    url = f"http://127.0.0.1:{port}"
    with _running("prometheus 2.42", command, url, "/-/ready", "/api/v1/write", folder) as server:
        yield server


@contextmanager
def alertmanager(folder: Path, config: Path) -> Generator[Server, None, None]:
    """Debian's Alertmanager, alone."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [
        _program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    url = f"http://127.0.0.1:{port}"
    with _running("alertmanager 0.25", command, url, "/-/ready", "", folder) as server:
        yield server


@contextmanager
def victoria_metrics(folder: Path) -> Generator[Server, None, None]:
    """Debian's VictoriaMetrics."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [
        _program("victoria-metrics"),
        f"-storageDataPath={folder}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=1y",
        "-search.latencyOffset=0s",
        "-search.maxUniqueTimeseries=1000000",
        "-search.disableCache",
    ]
    url = f"http://127.0.0.1:{port}"
    with _running("victoria-metrics", command, url, "/health", "/api/v1/write", folder) as server:
        yield server


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; on Debian: apt-get install {name}")
    return path


PEERS = {"pynomaly": pynomaly, "prometheus": prometheus, "victoria-metrics": victoria_metrics}


def available() -> list[str]:
    """The product, and the peers that this machine has."""
    return [name for name in PEERS if name == "pynomaly" or shutil.which(name)]
