"""Tracing: spans of every sort of function, W3C's context, OTLP to a real receiver."""

import asyncio
import json
import logging
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from anomaly_detection.infrastructure.observability import TracingService
from pynomaly.observability.logs.correlation import carry_context_into_threads
from pynomaly.observability.tracing.config import TracingConfig, otlp_of_jaeger
from pynomaly.observability.tracing.setup import provider_of
from tests.observability.sdk_receiver import Receiver, otlp_receiver


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return kept


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def test_the_guides_decorator_makes_a_span_with_the_functions_result(
    exporter: InMemorySpanExporter,
) -> None:
    @TracingService.trace_function("model_inference")
    def predict(value: int) -> int:
        return value + 1

    assert predict(1) == 2
    assert predict.__name__ == "predict"
    assert names(exporter) == ["model_inference"]


def test_without_a_name_the_span_has_the_functions(exporter: InMemorySpanExporter) -> None:
    @TracingService.trace_function
    def predict() -> None: ...

    @TracingService.trace_function(attributes={"model": "lof"})
    def train() -> None: ...

    predict()
    train()
    assert [name.split(".")[-1] for name in names(exporter)] == ["predict", "train"]
    assert exporter.get_finished_spans()[1].attributes == {"model": "lof"}


def test_an_exception_is_recorded_and_goes_on(exporter: InMemorySpanExporter) -> None:
    @TracingService.trace_function("fails")
    def fails() -> None:
        raise LookupError("no model")

    with pytest.raises(LookupError):
        fails()
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].attributes is not None
    assert span.events[0].attributes["exception.message"] == "no model"


async def test_coroutines_at_once_each_have_their_own_span(
    exporter: InMemorySpanExporter,
) -> None:
    @TracingService.trace_function("child")
    async def child() -> str | None:
        await asyncio.sleep(0)
        return TracingService.current_trace_id()

    @TracingService.trace_function("parent")
    async def parent() -> str | None:
        mine = TracingService.current_trace_id()
        assert await child() == mine
        return mine

    first, second = await asyncio.gather(parent(), parent())
    assert first != second
    assert sorted(names(exporter)) == ["child", "child", "parent", "parent"]


def test_a_generators_span_is_current_in_its_own_code_only(
    exporter: InMemorySpanExporter,
) -> None:
    seen: list[str | None] = []

    @TracingService.trace_function("rows")
    def rows() -> Iterator[int]:
        for number in range(2):
            seen.append(TracingService.current_trace_id())
            got = yield number
            assert got is None

    with TracingService.trace("reader") as reader:
        for _ in rows():
            assert trace.get_current_span() is reader
            with TracingService.trace("reads"):
                pass
    assert None not in seen
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["reads"].parent is not None
    assert spans["reads"].parent.span_id == reader.get_span_context().span_id
    assert spans["rows"].parent is not None
    assert names(exporter) == ["reads", "reads", "rows", "reader"]


def test_a_traced_generator_takes_what_is_sent_and_thrown(exporter: InMemorySpanExporter) -> None:
    @TracingService.trace_function("echo")
    def echo() -> Any:
        got = yield "ready"
        try:
            yield got
        except KeyError:
            yield "caught"
        return "done"

    running = echo()
    assert next(running) == "ready"
    assert running.send("hello") == "hello"
    assert running.throw(KeyError("x")) == "caught"
    with pytest.raises(StopIteration) as stopped:
        next(running)
    assert stopped.value.value == "done"
    left = echo()
    next(left)
    left.close()
    assert names(exporter) == ["echo", "echo"]
    assert all(s.status.status_code is StatusCode.UNSET for s in exporter.get_finished_spans())


async def test_an_asynchronous_generators_span_ends_with_it(
    exporter: InMemorySpanExporter,
) -> None:
    @TracingService.trace_function("stream")
    async def stream() -> AsyncIterator[str | None]:
        yield TracingService.current_trace_id()
        yield TracingService.current_trace_id()

    ids = []
    async for identifier in stream():
        ids.append(identifier)
        assert TracingService.current_trace_id() is None
    assert ids[0] is not None
    assert ids[0] == ids[1]
    assert names(exporter) == ["stream"]


def test_a_thread_works_in_the_trace_of_who_starts_it(exporter: InMemorySpanExporter) -> None:
    carry_context_into_threads()
    with TracingService.trace("request"), ThreadPoolExecutor(1) as pool:
        mine = TracingService.current_trace_id()
        assert pool.submit(TracingService.current_trace_id).result() == mine
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(TracingService.current_trace_id).result() is None


def test_a_classs_public_methods_are_traced(exporter: InMemorySpanExporter) -> None:
    @TracingService.trace_function("model")
    class Model:
        def fit(self) -> "Model":
            return self._inner()

        def _inner(self) -> "Model":
            return self

    Model().fit()
    assert names(exporter) == ["model.fit"]


@pytest.mark.parametrize(
    ("given", "receiver"),
    [
        ("http://localhost:14268", "http://localhost:4318"),
        ("http://jaeger:14268/api/traces", "http://jaeger:4318"),
        ("jaeger:6831", "http://jaeger:4318"),
        ("https://jaeger.example.test", "https://jaeger.example.test:4318"),
        ("http://[::1]:14268", "http://[::1]:4318"),
    ],
)
def test_a_jaeger_of_old_is_reached_by_otlp_with_a_notice(
    given: str, receiver: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert otlp_of_jaeger(given) == receiver
    assert "by OTLP instead" in caplog.text
    assert receiver in caplog.text


def test_a_jaegers_otlp_port_is_taken_without_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    assert otlp_of_jaeger("http://jaeger:4318") == "http://jaeger:4318"
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"service": "shop"}, "does not know 'service'"),
        ({"sample_ratio": 2}, "not between 0 and 1"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TracingConfig.of(settings)


def test_an_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="not an http"):
        provider_of(TracingConfig(otlp_endpoint="localhost:4318"))


def test_a_ratio_of_zero_keeps_only_what_a_caller_has_chosen() -> None:
    kept = InMemorySpanExporter()
    provider = provider_of(TracingConfig(sample_ratio=0, exporter=kept))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("own"):
        pass
    parent = trace.SpanContext(1, 1, True, trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    with tracer.start_as_current_span("called", context=context):
        pass
    provider.force_flush()
    assert names(kept) == ["called"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as running:
        yield running


def run(code: str, tmp_path: Path, **environment: str) -> str:
    """Run a program as a user's; a process has one tracer provider, so each test takes its own."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, str(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


SPANS = """
    import sys
    from opentelemetry import trace
    from pynomaly.infrastructure.observability import TracingService, setup_tracing
    provider = setup_tracing({settings})
    @TracingService.trace_function("outer", attributes={{"n": 3, "f": 1.5, "b": True, "l": [1, 2]}})
    def outer():
        with TracingService.trace("inner"):
            raise LookupError("no model")
    try:
        outer()
    except LookupError:
        pass
    provider.force_flush()
"""


def test_spans_reach_a_receiver_as_json_from_the_spool(receiver: Receiver, tmp_path: Path) -> None:
    settings = {
        "service_name": "shop",
        "environment": "test",
        "otlp_endpoint": receiver.url,
        "spool": str(tmp_path / "spool"),
        "headers": {"Authorization": "Bearer x"},
    }
    run(SPANS.format(settings=settings), tmp_path)
    (request,) = receiver.requests
    assert request.path == "/v1/traces"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer x"
    (resource,) = json.loads(request.body)["resourceSpans"]
    attributes = {a["key"]: a["value"] for a in resource["resource"]["attributes"]}
    assert attributes["service.name"] == {"stringValue": "shop"}
    assert attributes["deployment.environment.name"] == {"stringValue": "test"}
    inner, outer = resource["scopeSpans"][0]["spans"]
    assert (inner["name"], outer["name"]) == ("inner", "outer")
    assert inner["traceId"] == outer["traceId"]
    assert inner["parentSpanId"] == outer["spanId"]
    assert outer["status"]["code"] == 2
    assert {"key": "n", "value": {"intValue": "3"}} in outer["attributes"]
    assert inner["events"][0]["name"] == "exception"


def test_the_json_is_the_protobufs_json(receiver: Receiver, tmp_path: Path) -> None:
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    settings = {"otlp_endpoint": receiver.url, "spool": str(tmp_path / "spool")}
    run(SPANS.format(settings=settings), tmp_path)
    body = json.loads(receiver.requests[0].body)
    # OTLP's JSON has ids in hexadecimal where protobuf's own has base64; the names are the same.
    parsed = json_format.ParseDict(body, ExportTraceServiceRequest())
    assert len(parsed.resource_spans[0].scope_spans[0].spans) == 2
    assert parsed.resource_spans[0].scope_spans[0].spans[1].attributes[0].value.int_value == 3


def test_opentelemetrys_exporter_is_used_where_it_is_installed(
    receiver: Receiver, tmp_path: Path
) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_SERVICE_NAME": "by-variable",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a",
    }
    run(SPANS.format(settings={}), tmp_path, **variables)
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["x-tenant"] == "a"
    parsed = ExportTraceServiceRequest.FromString(request.body)
    found = {a.key: a.value.string_value for a in parsed.resource_spans[0].resource.attributes}
    assert found["service.name"] == "by-variable"


def test_spans_wait_in_the_spool_for_a_receiver_that_is_away(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.status = 503
    settings = {"otlp_endpoint": receiver.url, "spool": str(tmp_path / "spool")}
    run(SPANS.format(settings=settings), tmp_path)
    assert len(list((tmp_path / "spool").iterdir())) == 1
    receiver.status = 200
    receiver.requests.clear()
    run(SPANS.format(settings=settings), tmp_path)
    assert len(receiver.requests) == 2
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        ("http/json", "application/json"),
        ("http/protobuf", "application/x-protobuf"),
        ("grpc", "application/x-protobuf"),
    ],
)
def test_the_protocol_that_is_asked_for_is_spoken_or_the_other_one_named(
    receiver: Receiver, tmp_path: Path, protocol: str, kind: str
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    said = run(SPANS.format(settings={"otlp_endpoint": receiver.url}), tmp_path, **variables)
    assert receiver.requests[0].headers["content-type"] == kind
    assert ("spans go by HTTP all the same" in said) == (protocol == "grpc")


@pytest.mark.parametrize(
    "variables", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}]
)
def test_opentelemetrys_variables_turn_it_off(
    receiver: Receiver, tmp_path: Path, variables: dict[str, str]
) -> None:
    code = SPANS.replace("provider.force_flush()", "getattr(provider, 'shutdown', int)()")
    run(code.format(settings={"otlp_endpoint": receiver.url}), tmp_path, **variables)
    assert receiver.requests == []


def test_the_environment_chooses_the_sampler(receiver: Receiver, tmp_path: Path) -> None:
    variables = {"OTEL_TRACES_SAMPLER": "always_off"}
    run(SPANS.format(settings={"otlp_endpoint": receiver.url}), tmp_path, **variables)
    assert receiver.requests == []


def test_a_second_setup_says_that_it_changes_nothing(tmp_path: Path) -> None:
    said = run(
        """
        from pynomaly.infrastructure.observability import setup_tracing
        a = setup_tracing({"service_name": "pynomaly", "exporter": "none"})
        assert setup_tracing({"service_name": "other"}) is a
        """,
        tmp_path,
    )
    assert "set up already" in said


def test_the_guides_call_works_without_a_receiver(tmp_path: Path) -> None:
    said = run(
        """
        from pynomaly.infrastructure.observability import setup_tracing
        setup_tracing({"service_name": "pynomaly", "jaeger_endpoint": "http://localhost:14268"})
        """,
        tmp_path,
    )
    assert "http://localhost:4318" in said
    assert "Traceback" not in said


def test_outgoing_headers_carry_trace_and_correlation(tmp_path: Path) -> None:
    said = run(
        """
        from opentelemetry.propagate import inject
        from pynomaly.observability import TracingService, correlation, setup_tracing
        setup_tracing({"exporter": "none"})
        headers = {}
        with correlation("order-7"), TracingService.trace("call"):
            inject(headers)
            assert headers["traceparent"].split("-")[1] == TracingService.current_trace_id()
        print(headers["x-correlation-id"])
        """,
        tmp_path,
    )
    assert "order-7" in said
