"""Celery: tasks counted, timed and traced, under the correlation of who asked for them."""

import time
from contextvars import Token
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery, signals
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from pynomaly.observability.logs.correlation import (
    HEADER,
    accepted,
    correlation_id,
    reset_correlation_id,
    set_correlation_id,
)
from pynomaly.observability.logs.handlers import is_configured
from pynomaly.observability.metrics.collector import MetricsCollector

_PUBLISHED = "pynomaly-published-at"
_CORRELATION = HEADER.lower()


@dataclass
class _Run:
    started: float
    span: Span
    context: Token[Any]
    correlation: Token[str | None]


_metrics: WeakKeyDictionary[Celery, MetricsCollector] = WeakKeyDictionary()
_running: dict[str, _Run] = {}


def observe_celery(app: Celery, metrics: MetricsCollector) -> None:
    """Observe the tasks of an application, both where they are sent and where they run."""
    if not _metrics:
        signals.before_task_publish.connect(_published, weak=False)
        signals.task_prerun.connect(_begun, weak=False)
        signals.task_failure.connect(_failed, weak=False)
        signals.task_retry.connect(_retried, weak=False)
        signals.task_postrun.connect(_ended, weak=False)
    _metrics[app] = metrics
    if is_configured():
        # With a receiver of this signal Celery leaves the logging alone.
        signals.setup_logging.connect(_keep_logging, weak=False)


def _keep_logging(**_: Any) -> None:
    """The application has configured its logging itself."""


def _published(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        propagate.inject(headers)
        headers[_CORRELATION] = correlation_id() or accepted(None)
        headers[_PUBLISHED] = time.time()


def _begun(task_id: str, task: Any, **_: Any) -> None:
    metrics = _metrics.get(task.app)
    if metrics is None:
        return
    metrics.jobs.in_progress.labels(task.name).inc()
    sent = {k: v for k, v in vars(task.request).items() if isinstance(v, str)}
    context = propagate.extract(sent)
    span = trace.get_tracer("pynomaly.observability").start_span(
        f"run {task.name}",
        context,
        SpanKind.CONSUMER,
        {"messaging.system": "celery", "messaging.message.id": task_id, "code.function": task.name},
    )
    _running[task_id] = _Run(
        time.perf_counter(),
        span,
        otel_context.attach(trace.set_span_in_context(span, context)),
        set_correlation_id(accepted(sent.get(_CORRELATION))),
    )
    _observe_wait(metrics, task)


def _observe_wait(metrics: MetricsCollector, task: Any) -> None:
    published = vars(task.request).get(_PUBLISHED)
    if isinstance(published, int | float) and not task.request.retries:
        delivery = task.request.delivery_info or {}
        queue = str(delivery.get("routing_key") or "default")
        metrics.queue.wait.labels(queue).observe(max(0.0, time.time() - published))


def _failed(task_id: str, exception: BaseException, **_: Any) -> None:
    run = _running.get(task_id)
    if run is not None and run.span.is_recording():
        run.span.record_exception(exception)
        run.span.set_status(StatusCode.ERROR, str(exception))


def _retried(request: Any, sender: Any, **_: Any) -> None:
    metrics = _metrics.get(sender.app)
    if metrics is not None:
        metrics.jobs.retries.labels(sender.name).inc()


def _ended(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    metrics, run = _metrics.get(task.app), _running.pop(task_id, None)
    if metrics is None or run is None:
        return
    metrics.jobs.in_progress.labels(task.name).dec()
    metrics.jobs.ended.labels(task.name, (state or "unknown").lower()).inc()
    metrics.jobs.duration.labels(task.name).observe(time.perf_counter() - run.started)
    if state == "SUCCESS":
        metrics.jobs.last_success.labels(task.name).set_to_current_time()
    run.span.end()
    otel_context.detach(run.context)
    reset_correlation_id(run.correlation)
