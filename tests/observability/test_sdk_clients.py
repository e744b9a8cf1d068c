"""What an application calls is traced, and carries its trace and correlation on."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.observability.sdk_receiver import Receiver, otlp_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as running:
        yield running


def run(code: str, tmp_path: Path, *arguments: str) -> Any:
    """What a program of a user prints, as JSON; instrumentations are for a whole process."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


PROGRAM = """
    import json, sys
    from flask import Flask
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from pynomaly.observability import instrument, setup_tracing

    kept = InMemorySpanExporter()
    provider = setup_tracing({{"exporter": kept}})
    app = instrument(Flask("shop"))

    @app.get("/go")
    def go():
        {call}
        return "done"

    app.test_client().get("/go", headers={{"X-Correlation-ID": "order-7"}}).close()
    provider.force_flush()
    spans = kept.get_finished_spans()
    print(json.dumps([[s.name, s.kind.name, f"{{s.context.trace_id:032x}}"] for s in spans]))
"""


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_an_outgoing_request_is_a_span_that_its_server_continues(
    library: str, receiver: Receiver, tmp_path: Path
) -> None:
    call = f"import {library}; {library}.post(sys.argv[1], json={{}})".replace("{{}}", "{}")
    spans = run(PROGRAM.format(call=call), tmp_path, receiver.url)
    assert [kind for _, kind, _ in spans] == ["CLIENT", "SERVER"]
    assert len({trace for *_, trace in spans}) == 1
    (request,) = receiver.requests
    assert request.headers["traceparent"].split("-")[1] == spans[0][2]
    assert request.headers["x-correlation-id"] == "order-7"


def test_a_query_of_sqlalchemy_is_a_span(tmp_path: Path) -> None:
    call = """
        import sqlalchemy
        with sqlalchemy.create_engine("sqlite://").connect() as connection:
            connection.exec_driver_sql("select 1")"""
    spans = run(PROGRAM.format(call=textwrap.dedent(call).replace("\n", "\n        ")), tmp_path)
    assert [name for name, kind, _ in spans if kind == "CLIENT"] == ["connect", "select"]
    assert len({trace for *_, trace in spans}) == 1


def test_a_command_of_redis_is_a_span_also_when_it_fails(tmp_path: Path, free_port) -> None:
    call = """
        import redis
        try:
            redis.Redis(port=int(sys.argv[1])).get("a")
        except redis.ConnectionError:
            pass"""
    code = PROGRAM.format(call=textwrap.dedent(call).replace("\n", "\n        "))
    spans = run(code, tmp_path, str(free_port()))
    assert ["GET", "CLIENT"] in [span[:2] for span in spans]


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from pynomaly.observability.instrumentation import clients

    monkeypatch.setattr(clients, "_installed", lambda module: False)
    assert clients.instrument_clients() == []
