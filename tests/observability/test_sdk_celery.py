"""Celery: a task is counted and timed, in the trace and correlation of who sent it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery import Celery
from celery.contrib.testing.worker import start_worker
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from pynomaly.observability.instrumentation.instrument import instrument
from pynomaly.observability.logs.configure import configure_logging
from pynomaly.observability.logs.correlation import correlation
from pynomaly.observability.metrics.collector import MetricsCollector


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return kept


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    lines = io.StringIO()
    configure_logging("INFO", stream=lines)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def metrics() -> MetricsCollector:
    return MetricsCollector(CollectorRegistry())


@pytest.fixture
def app(metrics: MetricsCollector, stream: io.StringIO) -> Iterator[Celery]:
    app = Celery("shop", broker="memory://", backend="cache+memory://")

    @app.task(name="shop.add")
    def add(a: int, b: int) -> int:
        structlog.get_logger("shop").info("adding")
        return a + b

    @app.task(name="shop.fail")
    def fail() -> None:
        raise LookupError("no rows")

    @app.task(name="shop.again", bind=True, max_retries=1)
    def again(self: Any) -> str:
        if self.request.retries == 0:
            raise self.retry(countdown=0)
        return "done"

    instrument(app, metrics=metrics, clients=False)
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        yield app


def value(metrics: MetricsCollector, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_task_belongs_to_the_request_that_sent_it(
    app: Celery,
    metrics: MetricsCollector,
    spans: InMemorySpanExporter,
    stream: io.StringIO,
) -> None:
    tracer = trace.get_tracer("t")
    with correlation("order-7"), tracer.start_as_current_span("request") as request:
        result = app.tasks["shop.add"].delay(1, 2)
    assert result.get(timeout=60) == 3
    with pytest.raises(LookupError):
        app.tasks["shop.fail"].delay().get(timeout=60)
    assert app.tasks["shop.again"].delay().get(timeout=60) == "done"
    wait_until(lambda: value(metrics, "background_jobs_in_progress", job="shop.again") == 0)

    ended = {
        (s.labels["job"], s.labels["status"]): s.value
        for family in metrics.registry.collect()
        for s in family.samples
        if s.name == "background_jobs_total"
    }
    assert ended == {
        ("shop.add", "success"): 1,
        ("shop.fail", "failure"): 1,
        ("shop.again", "retry"): 1,
        ("shop.again", "success"): 1,
    }
    assert value(metrics, "background_job_retries_total", job="shop.again") == 1
    assert value(metrics, "background_job_duration_seconds_count", job="shop.add") == 1
    assert value(metrics, "background_job_last_success_timestamp_seconds", job="shop.add")
    assert value(metrics, "background_job_last_success_timestamp_seconds", job="shop.fail") is None
    assert value(metrics, "queue_wait_duration_seconds_count", queue="celery") == 3

    found = {span.name: span for span in spans.get_finished_spans()}
    assert found["run shop.add"].parent is not None
    assert found["run shop.add"].parent.span_id == request.get_span_context().span_id
    assert found["run shop.fail"].status.status_code is trace.StatusCode.ERROR

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "adding"]
    assert line["correlation_id"] == "order-7"
    assert line["trace_id"] == f"{request.get_span_context().trace_id:032x}"


def wait_until(condition: Any) -> None:
    import time

    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
