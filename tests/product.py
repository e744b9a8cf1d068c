"""The product as its users run it: the command, in a process of its own, on free ports."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 90

_SPAN = 1200
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 16
_FIRST = 11_000 + _WORKER * _SPAN
_PORTS = (_FIRST + i % _SPAN for i in itertools.count(os.getpid()))
"""From a place that differs from run to run: a port just closed may still be waiting."""


@dataclass
class Product:
    """A running ``pynomaly up``."""

    api: str
    web: str
    data_dir: Path
    log: Path
    process: subprocess.Popen[bytes]

    def request(
        self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of a request to the API."""
        request = urllib.request.Request(self.api + path, data=data, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str, bytes]:
        """Status, content type and body of a request by any method."""
        request = urllib.request.Request(self.api + path, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers.get("content-type", ""), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("content-type", ""), error.read()

    def json(self, path: str, **params: Any) -> Any:
        """GET as JSON; an error status fails."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        status, body = self.request(path + query)
        assert status == 200, (status, body[:500])
        return json.loads(body)

    def vector(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """An instant query, as (labels, value)."""
        found = self.json("/api/v1/query", query=expr)["data"]["result"]
        return [(s["metric"], float(s["value"][1])) for s in found]

    def wait_for(self, expr: str, seconds: float = 60) -> list[tuple[dict[str, str], float]]:
        """Wait until an expression gives something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := self.vector(expr):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{expr} gave nothing in {seconds} s\n{self.output()}")

    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 20) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(seconds)


def unused_port() -> int:
    """A TCP port that nobody listens on now, and that no other call gives.

    Below the ports that systems hand out by themselves (RFC 6335 and Linux's
    ``ip_local_port_range``), and another span for each worker, so that what runs beside a test
    does not take it before the test does.
    """
    while True:
        port = next(_PORTS)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def start(folder: Path, ports: tuple[int, int], *options: str, **environ: str) -> Product:
    """Start the product and wait until it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    api, web = ports
    log = folder / "output.txt"
    command = [sys.executable, "-m", "pynomaly", "up", "--data-dir", str(folder / "data")]
    command += ["--api-port", str(api), "--web-port", str(web), *options]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
        )
    product = Product(
        f"http://127.0.0.1:{api}", f"http://127.0.0.1:{web}", folder / "data", log, process
    )
    _wait_until_ready(product)
    return product


def _wait_until_ready(product: Product) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if product.process.poll() is not None:
            raise AssertionError(f"it ended with {product.process.returncode}:\n{product.output()}")
        try:
            if product.request("/-/ready")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    product.process.kill()
    raise AssertionError(f"not ready in {START_SECONDS} s:\n{product.output()}")
