"""W3C's own harness for trace context, against applications that the SDK instruments."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.judge.repositories import find
from tests.judge.score import Score
from tests.product import unused_port

_SUITE = "W3C trace context, level 2"
_SETUP = """
import sys
from pynomaly.observability import instrument, setup_tracing
setup_tracing({"exporter": "none"})
"""
_SERVICES = {
    "flask": """
import requests
from flask import Flask, request
from werkzeug.serving import run_simple
app = instrument(Flask("service"))

@app.post("/test")
def test():
    for call in request.json:
        requests.post(call["url"], json=call["arguments"], timeout=10)
    return "done"

run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
""",
    "starlette": """
import httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def test(request):
    async with httpx.AsyncClient(timeout=10) as client:
        for call in await request.json():
            await client.post(call["url"], json=call["arguments"])
    return PlainTextResponse("done")

app = instrument(Starlette(routes=[Route("/test", test, methods=["POST"])]))
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
""",
}
# OpenTelemetry's propagator, which we use as it is, drops a state whose keys follow the grammar of
# level 2, and keeps the first of two equal keys. Its maintainers follow level 1 there.
_OPENTELEMETRYS = frozenset(
    [
        "test_tracestate_duplicated_keys",
        "test_tracestate_key_illegal_vendor_format",
        "test_tracestate_key_length_limit",
    ]
)


def judge_trace_context(folder: Path) -> Score | None:
    """Run the harness against a service of each framework."""
    repository = find(folder, "test/tracecontext/traceparent.py")
    if repository is None:
        return None
    score = Score(_SUITE)
    with tempfile.TemporaryDirectory() as scratch:
        harness = Path(scratch)
        for path in repository.list("test"):
            target = harness / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(repository.read(path))
        for name, code in _SERVICES.items():
            with _running(_SETUP + code, harness) as url:
                _judge(name, url, harness / "test", score)
    return score


@contextlib.contextmanager
def _running(code: str, folder: Path) -> Iterator[str]:
    port = unused_port()
    command = [sys.executable, "-c", code, str(port)]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/test")
        yield f"http://127.0.0.1:{port}/test"
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"the service did not answer at {url}")


def _judge(framework: str, url: str, harness: Path, score: Score) -> None:
    done = subprocess.run(
        [sys.executable, "test.py", url],
        cwd=harness,
        env={**os.environ, "SPEC_LEVEL": "2", "HARNESS_PORT": str(unused_port())},
        capture_output=True,
        text=True,
        timeout=300,
    )
    outcomes = re.findall(r"^(test_\w+) [\s\S]*?\.\.\. (ok|FAIL|ERROR)$", done.stderr, re.MULTILINE)
    if not outcomes:
        score.note(framework, f"the harness did not run: {done.stderr[-300:]}")
    for case, outcome in outcomes:
        if outcome == "ok" or case not in _OPENTELEMETRYS:
            score.note(f"{framework} {case}", "" if outcome == "ok" else outcome)
