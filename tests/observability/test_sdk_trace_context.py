"""W3C's trace context, by the cases of its own test suite (w3c/trace-context, test/test.py)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pynomaly.observability.instrumentation.instrument import instrument
from pynomaly.observability.metrics.collector import MetricsCollector

Headers = list[tuple[str, str]]
TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    provider = TracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield


def outgoing() -> dict[str, str]:
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def through_asgi(headers: Headers) -> dict[str, str]:
    sent: dict[str, str] = {}

    async def answer(request: Request) -> JSONResponse:
        sent.update(outgoing())
        return JSONResponse({})

    app = instrumented(Starlette(routes=[Route("/", answer)]))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None: ...

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(k.lower().encode(), v.strip(" \t").encode()) for k, v in headers],
    }
    asyncio.run(app(scope, receive, send))
    return sent


def through_wsgi(headers: Headers) -> dict[str, str]:
    sent: dict[str, str] = {}
    app = Flask("shop")
    app.add_url_rule("/", view_func=lambda: sent.update(outgoing()) or "", endpoint="root")
    instrumented(app).test_client().get("/", headers=headers).close()
    return sent


def instrumented(app: Any) -> Any:
    metrics = MetricsCollector(CollectorRegistry())
    return instrument(app, metrics=metrics, clients=False, endpoints=False)


@pytest.fixture(params=[through_asgi, through_wsgi])
def through(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(
    "traceparent",
    [
        VALID,
        f"cc-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"00-{TRACE}-{SPAN}-00",
    ],
)
@pytest.mark.parametrize("name", ["traceparent", "TraceParent", "TRACEPARENT"])
def test_a_valid_parent_is_continued_under_a_new_span(
    through: Any, name: str, traceparent: str
) -> None:
    version, trace_id, span_id, flags = through([(name, traceparent)])["traceparent"].split("-")
    assert (version, trace_id) == ("00", TRACE)
    assert span_id != SPAN
    assert int(flags, 16) & 1 == int(traceparent[53:55], 16) & 1


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{TRACE}-{SPAN}-01.",
        f"00-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like",
        f"ff-{TRACE}-{SPAN}-01",
        f".0-{TRACE}-{SPAN}-01",
        f"0.-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-.{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}3-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-.{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN}7-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{TRACE}-{SPAN}-.0",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE}-{SPAN}-1",
        "",
    ],
)
def test_an_invalid_parent_begins_a_new_trace(through: Any, traceparent: str) -> None:
    _, trace_id, span_id, _ = through([("traceparent", traceparent)])["traceparent"].split("-")
    assert trace_id not in (TRACE, "0" * 32)
    assert span_id not in (SPAN, "0" * 16)


@pytest.mark.parametrize("name", ["trace-parent", "trace.parent", "tracestate"])
def test_another_header_is_no_parent(through: Any, name: str) -> None:
    assert TRACE not in through([(name, VALID)])["traceparent"]


def test_two_parents_are_none(through: Any) -> None:
    other = VALID.replace("12", "21")
    found = through([("traceparent", VALID), ("traceparent", other)])["traceparent"]
    assert found[3:35] not in (TRACE, other[3:35])


@pytest.mark.parametrize(
    ("states", "goes_on"),
    [
        (["foo=1,bar=2"], "foo=1,bar=2"),
        (["foo=1", "bar=2"], "foo=1,bar=2"),
        (["foo=1 ,  bar=2"], "foo=1,bar=2"),
        (["foo=1,"], "foo=1"),
    ],
)
def test_the_state_goes_on(through: Any, states: list[str], goes_on: str) -> None:
    headers = [("traceparent", VALID), *(("tracestate", state) for state in states)]
    assert through(headers)["tracestate"] == goes_on


@pytest.mark.parametrize("state", ["foo =1", "FOO=1", "foo=bar=baz", "foo=,bar=3"])
def test_an_invalid_state_is_dropped_and_the_parent_kept(through: Any, state: str) -> None:
    sent = through([("traceparent", VALID), ("tracestate", state)])
    assert TRACE in sent["traceparent"]
    assert state not in sent.get("tracestate", "")


def test_a_state_without_a_parent_is_dropped(through: Any) -> None:
    assert "tracestate" not in through([("tracestate", "foo=1")])
