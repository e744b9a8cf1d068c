"""The processes of the demo: started with a log of their own, waited for, and always ended."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pynomaly.model.errors import PynomalyError

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_TAIL_LINES = 12


class ProcessFailed(PynomalyError):
    """A process of the demo ended, or did not become ready."""


class Process:
    """A child process: Python with these arguments, its output in ``log``.

    Its standard input is a pipe that nobody writes to: it ends when this process does.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, environ: Mapping[str, str]
    ) -> None:
        self.name, self._log = name, log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=dict(environ),
                # Ctrl-C in the terminal is for the demo alone, which then ends the others in order.
                start_new_session=True,
            )

    def status(self) -> int | None:
        """The exit status, if it has ended."""
        return self._child.poll()

    def finish(self, seconds: float) -> None:
        """Wait until it is done.

        Raises:
            ProcessFailed: it did not succeed, or not in this time.
        """
        with suppress(subprocess.TimeoutExpired):
            if self._child.wait(seconds) == 0:
                return
        raise self.failed()

    def wait_until_ready(self, url: str) -> None:
        """Wait until a URL answers with a status below 400.

        Raises:
            ProcessFailed: it ended before, or a minute and a half went by.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.status() is not None:
                break
            if answers(url):
                return
            time.sleep(0.1)
        raise self.failed()

    def failed(self) -> ProcessFailed:
        """The error that says how it ended, with the end of its log."""
        status = self.status()
        how = "does not become ready" if status is None else f"ended with status {status}"
        return ProcessFailed(f"{self.name} {how}. The end of its log:\n{self._tail()}")

    def _tail(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._child.stdin is not None:
            self._child.stdin.close()


def answers(url: str) -> bool:
    """Whether a URL answers with a status below 400 within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def environment(left_out: Sequence[str], **added: str) -> dict[str, str]:
    """This process's environment without, and with, some variables; output is not held back."""
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONUNBUFFERED": "1", **added}
