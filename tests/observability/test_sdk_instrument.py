"""``instrument(app)``: the same metrics, spans and lines from every framework."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, BackgroundTasks, FastAPI
from flask import Flask
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from pynomaly.observability.instrumentation.instrument import instrument
from pynomaly.observability.logs.configure import configure_logging
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.observability.metrics.types import OVERFLOW

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def fastapi_app() -> Any:
    app = FastAPI()
    router = APIRouter(prefix="/shop")

    @router.get("/orders/{order}")
    def order(order: int) -> dict[str, int]:
        structlog.get_logger("shop").info("looked up")
        return {"order": order}

    @app.post("/upload")
    async def upload(request: Any = None) -> str:
        return "done"

    @app.get("/fails")
    async def fails() -> None:
        raise LookupError("no such order")

    app.include_router(router)
    inner = FastAPI()
    inner.get("/rows/{row}")(lambda row: row)
    app.mount("/inner", inner)
    return app


def starlette_app() -> Any:
    async def order(request: Request) -> PlainTextResponse:
        structlog.get_logger("shop").info("looked up")
        return PlainTextResponse(json.dumps({"order": int(request.path_params["order"])}))

    async def upload(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("done")

    async def fails(request: Request) -> PlainTextResponse:
        raise LookupError("no such order")

    async def row(request: Request) -> PlainTextResponse:
        return PlainTextResponse("row")

    shop = [Route("/orders/{order}", order)]
    return Starlette(
        routes=[
            Mount("/shop", routes=shop),
            Route("/upload", upload, methods=["POST"]),
            Route("/fails", fails),
            Mount("/inner", Starlette(routes=[Route("/rows/{row}", row)])),
        ]
    )


def flask_app() -> Any:
    app = Flask("shop")

    @app.get("/shop/orders/<int:order>")
    def order(order: int) -> dict[str, int]:
        structlog.get_logger("shop").info("looked up")
        return {"order": order}

    @app.post("/upload")
    def upload() -> str:
        return "done"

    @app.get("/fails")
    def fails() -> None:
        raise LookupError("no such order")

    @app.get("/inner/rows/<row>")
    def row(row: str) -> str:
        return row

    return app


FRAMEWORKS = [fastapi_app, starlette_app, flask_app]
Ask = Callable[..., httpx.Response]


@pytest.fixture
def metrics() -> MetricsCollector:
    return MetricsCollector(CollectorRegistry())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return kept


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logging("INFO", service="shop", stream=stream)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def client_of(app: Any) -> Ask:
    if isinstance(app, Flask) or "Wsgi" in type(app).__name__:
        transport = httpx.WSGITransport(app, raise_app_exceptions=False)
        return httpx.Client(transport=transport, base_url="http://t").request

    async def ask(method: str, path: str, **options: Any) -> httpx.Response:
        over = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=over, base_url="http://t") as client:
            return await client.request(method, path, **options)

    return lambda *args, **options: asyncio.run(ask(*args, **options))


@pytest.fixture(params=FRAMEWORKS)
def ask(request: pytest.FixtureRequest, metrics: MetricsCollector) -> Ask:
    return client_of(instrument(request.param(), metrics=metrics, clients=False))


def as_braces(endpoint: str) -> str:
    return endpoint.replace("<int:order>", "{order}")


def counted(metrics: MetricsCollector) -> dict[tuple[str, str, str], float]:
    return {
        (
            s.labels["method"],
            s.labels["endpoint"].replace("<int:order>", "{order}"),
            s.labels["status"],
        ): s.value
        for family in metrics.registry.collect()
        for s in family.samples
        if s.name == "http_requests_total"
    }


def sample(metrics: MetricsCollector, name: str) -> float:
    return sum(
        s.value for family in metrics.registry.collect() for s in family.samples if s.name == name
    )


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    """The one server span; FastAPI adds spans of its own within it."""
    (span,) = (s for s in spans.get_finished_spans() if s.kind is trace.SpanKind.SERVER)
    return span


def test_an_endpoint_has_the_prefixes_of_all_routers_that_it_is_included_by(
    metrics: MetricsCollector,
) -> None:
    orders, versioned = APIRouter(), APIRouter(prefix="/v1")
    orders.get("/orders/{order}")(lambda order: order)
    versioned.include_router(orders)
    app, inner = FastAPI(), FastAPI()
    app.include_router(versioned, prefix="/api")
    app.include_router(versioned, prefix="/old")
    inner.include_router(versioned)
    app.mount("/inner", inner)
    ask = client_of(instrument(app, metrics=metrics, clients=False))
    prefixes = ("/api/v1", "/old/v1", "/inner/v1")
    for prefix in prefixes:
        assert ask("GET", f"{prefix}/orders/7?order=7").status_code == 200
    assert counted(metrics) == {
        ("GET", f"{prefix}/orders/{{order}}", "200"): 1.0 for prefix in prefixes
    }


def test_requests_are_counted_by_the_routes_template(ask: Ask, metrics: MetricsCollector) -> None:
    for order in (7, 8):
        assert ask("GET", f"/shop/orders/{order}").json() == {"order": order}
    ask("GET", "/nowhere/1")
    ask("GET", "/nowhere/2")
    ask("POST", "/upload", content=b"x" * 1000)
    ask("BREW", "/upload")
    found = counted(metrics)
    assert found["GET", "/shop/orders/{order}", "200"] == 2
    assert found["GET", "unmatched", "404"] == 2
    assert found["POST", "/upload", "200"] == 1
    assert [key for key in found if key[0] == "OTHER"] != []
    assert sample(metrics, "http_request_duration_seconds_count") == 6
    assert sample(metrics, "http_requests_in_flight") == 0
    assert sample(metrics, "http_request_size_bytes_sum") == 1000
    assert sample(metrics, "http_response_size_bytes_sum") > 0


def test_a_mounted_applications_template_has_the_mounts(
    ask: Ask, metrics: MetricsCollector
) -> None:
    ask("GET", "/inner/rows/1")
    (key,) = counted(metrics)
    assert key[1] in ("/inner/rows/{row}", "/inner/rows/<row>")


def test_a_mount_with_a_parameter_is_one_series(metrics: MetricsCollector) -> None:
    async def row(request: Request) -> PlainTextResponse:
        return PlainTextResponse("row")

    inner = Starlette(routes=[Route("/rows/{row}", row)])
    app = Starlette(routes=[Mount("/tenants/{tenant}", inner)])
    ask = client_of(instrument(app, metrics=metrics, clients=False))
    for tenant in ("a", "b"):
        assert ask("GET", f"/tenants/{tenant}/rows/1").status_code == 200
    assert counted(metrics) == {("GET", "/tenants/{tenant}/rows/{row}", "200"): 2}


def test_an_exception_is_counted_as_500(
    ask: Ask, metrics: MetricsCollector, spans: InMemorySpanExporter
) -> None:
    assert ask("GET", "/fails").status_code == 500
    assert counted(metrics) == {("GET", "/fails", "500"): 1}
    assert only(spans).status.status_code is trace.StatusCode.ERROR


def test_a_span_continues_the_callers_trace(
    ask: Ask, spans: InMemorySpanExporter, metrics: MetricsCollector
) -> None:
    ask("GET", "/shop/orders/7", headers={"traceparent": PARENT})
    span = only(spans)
    assert span.kind is trace.SpanKind.SERVER
    assert span.name.startswith("GET /shop/orders/")
    assert f"{span.get_span_context().trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["url.path"] == "/shop/orders/7"
    assert "order" in str(span.attributes["http.route"])


def test_the_lines_of_a_request_share_its_trace_and_correlation(
    ask: Ask, spans: InMemorySpanExporter, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = ask("GET", "/shop/orders/7?token=secret", headers={"X-Correlation-ID": "order-7"})
    assert answer.headers["x-correlation-id"] == "order-7"
    own, access = [line for line in lines() if line["logger"] in ("shop", "http.access")]
    span = only(spans)
    assert span.context is not None
    for line in (own, access):
        assert line["correlation_id"] == "order-7"
        assert line["trace_id"] == f"{span.context.trace_id:032x}"
    assert access["span_id"] == f"{span.context.span_id:016x}"
    assert access["category"] == "access"
    assert (access["method"], access["path"], access["status"]) == ("GET", "/shop/orders/7", 200)
    assert access["response_time"] >= 0
    assert "secret" not in json.dumps(access)


def test_without_tracing_the_callers_trace_is_in_the_lines(
    ask: Ask, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    ask("GET", "/shop/orders/7", headers={"traceparent": PARENT})
    assert {line["trace_id"] for line in lines() if line["logger"] == "shop"} == {TRACE}


def test_a_request_without_a_correlation_id_is_given_one(ask: Ask) -> None:
    first, second = (ask("GET", "/upload").headers["x-correlation-id"] for _ in range(2))
    assert len(first) == 32
    assert first != second
    forged = ask("GET", "/upload", headers={"X-Correlation-ID": "a b\tc"})
    assert forged.headers["x-correlation-id"] != "a b\tc"


def test_probes_and_scrapes_are_answered_and_not_counted(
    ask: Ask, metrics: MetricsCollector, spans: InMemorySpanExporter
) -> None:
    assert ask("GET", "/api/health/live").status_code == 200
    assert ask("GET", "/api/health/ready").status_code == 200
    assert ask("GET", "/metrics").status_code == 200
    assert counted(metrics) == {}
    assert spans.get_finished_spans() == ()


@pytest.mark.parametrize("make", FRAMEWORKS)
def test_addresses_are_told_apart_within_a_bound(
    make: Callable[[], Any], metrics: MetricsCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pynomaly.observability.instrumentation.exchange import HttpObserver

    observer = HttpObserver(metrics, source_ip=True, max_sources=2)
    assert [observer._known(f"10.0.0.{n}") for n in (1, 2, 3, 1)] == [
        "10.0.0.1",
        "10.0.0.2",
        OVERFLOW,
        "10.0.0.1",
    ]
    ask = client_of(instrument(make(), metrics=metrics, source_ip=True, clients=False))
    ask("GET", "/upload")
    (labels,) = (
        s.labels
        for family in metrics.registry.collect()
        for s in family.samples
        if s.name == "http_requests_total"
    )
    assert labels["source_ip"] == "127.0.0.1"


@pytest.mark.parametrize("make", FRAMEWORKS)
def test_instrumenting_twice_counts_once(
    make: Callable[[], Any], metrics: MetricsCollector, caplog: pytest.LogCaptureFixture
) -> None:
    app = make()
    instrument(app, metrics=metrics, clients=False)
    assert instrument(app, metrics=metrics, clients=False) is app
    client_of(app)("GET", "/upload")
    assert sample(metrics, "http_requests_total") == 1
    assert "instrumented already" in caplog.text


def test_the_time_ends_with_the_answer_and_not_with_background_tasks(
    metrics: MetricsCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    app = FastAPI()

    def later() -> None:
        now[0] += 1000

    @app.get("/now")
    async def soon(tasks: BackgroundTasks) -> str:
        now[0] += 2
        tasks.add_task(later)
        return "soon"

    client_of(instrument(app, metrics=metrics, clients=False))("GET", "/now")
    assert sample(metrics, "http_request_duration_seconds_sum") == 2


async def plain_asgi(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await PlainTextResponse("own")(scope, receive, send)


def plain_wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("201 Created", [])
    yield b"o"
    yield b"wn"


def test_applications_without_a_framework_are_wrapped(metrics: MetricsCollector) -> None:
    for app in (plain_asgi, plain_wsgi):
        ask = client_of(instrument(app, metrics=metrics, clients=False))
        assert ask("GET", "/x").text == "own"
        assert ask("GET", "/api/health/live").status_code == 200
    assert counted(metrics) == {("GET", "unmatched", "200"): 1, ("GET", "unmatched", "201"): 1}
    assert sample(metrics, "http_response_size_bytes_sum") == 6


def test_a_body_without_a_length_is_measured(metrics: MetricsCollector) -> None:
    async def parts() -> Any:
        yield b"x" * 10
        yield b"y" * 5

    client_of(instrument(starlette_app(), metrics=metrics, clients=False))(
        "POST", "/upload", content=parts()
    )
    assert sample(metrics, "http_request_size_bytes_sum") == 15


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(TypeError, match="FastAPI, Starlette, Flask, Celery"):
        instrument(object())


def test_a_caller_that_has_gone_is_counted_as_499(metrics: MetricsCollector) -> None:
    async def goes(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    app = instrument(goes, metrics=metrics, clients=False)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(app(scope, None, None))
    assert counted(metrics) == {("GET", "unmatched", "499"): 1}


@pytest.mark.parametrize("configured", [True, False])
def test_uvicorns_own_access_log_gives_way_only_to_one_that_is_shown(
    configured: bool, metrics: MetricsCollector, request: pytest.FixtureRequest
) -> None:
    theirs = logging.getLogger("uvicorn.access")
    theirs.disabled = False
    if configured:
        request.getfixturevalue("lines")
    instrument(starlette_app(), metrics=metrics, clients=False)
    assert theirs.disabled is configured
    theirs.disabled = False
