"""Prometheus-compatible servers that tests start, stop, suspend and kill."""

import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.product import unused_port

START_SECONDS = 60


class Peer:
    """A server's program with a store in ``folder``, on a port of its own."""

    def __init__(self, kind: str, program: str, folder: Path, *options: str) -> None:
        self.kind = kind
        self.port = unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._command = [program, *_options(kind, self.port, folder), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers queries."""
        with (self._folder / "output.txt").open("ab") as out:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdout=out, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            output = (self._folder / "output.txt").read_text(errors="replace")
            assert self._process.poll() is None, output
            assert time.monotonic() < deadline, output
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether a query succeeds now."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?query=1", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def flush(self) -> None:
        """Make what was written visible at once."""
        if self.kind == "victoria-metrics":
            urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=30).read()

    def suspend(self) -> None:
        """Connections are taken and nothing is answered."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after ``suspend``."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """Gone at once; ``start`` starts it again on the same port and store."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def _send(self, sent: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(sent)


def _options(kind: str, port: int, folder: Path) -> list[str]:
    if kind == "victoria-metrics":
        return [
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            "-loggerLevel=ERROR",
        ]
    config = folder / "prometheus.yml"
    if not config.exists():
        config.write_text("global: {}\n")
    return [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=100y",
        "--log.level=error",
    ]


WRITABLE = "--web.enable-remote-write-receiver"
"""The option with which Prometheus takes remote write."""
