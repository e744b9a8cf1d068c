"""One HTTP request, observed: what all frameworks have in common."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextvars import Token
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode

from pynomaly.observability.logs.correlation import (
    accepted,
    reset_correlation_id,
    set_correlation_id,
)
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.observability.metrics.types import OVERFLOW, Counter, Gauge, Histogram

UNMATCHED = "unmatched"
"""The ``endpoint`` of a request that no route took."""

# Others are counted as one, or a stranger could make a series with each request.
_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
_access = logging.getLogger("http.access")


class _Series(NamedTuple):
    duration: Histogram
    request_size: Histogram
    response_size: Histogram


class Incoming(NamedTuple):
    """A request as it comes in.

    Header names are in lower case; the values of one that comes twice are joined by a comma, which
    leaves two ``traceparent`` no valid one, as W3C's trace context wants it. ``has_span``: the
    framework has begun a server span itself, which is current.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    client: str = ""
    scheme: str = "http"
    has_span: bool = False


class Outcome(NamedTuple):
    """How a request ended; sizes in bytes, ``ended`` on ``time.perf_counter``."""

    endpoint: str
    status: int
    request_size: int
    response_size: int
    ended: float
    error: BaseException | None = None


class HttpObserver:
    """Observes the requests of one application.

    - access_log: log a line for each request, by the logger ``http.access``.
    - source_ip: label ``http_requests_total`` with the caller's address; the first
      ``max_sources`` addresses of a process are told apart, the others are one.
    - exclude: paths that are not observed.
    """

    def __init__(
        self,
        metrics: MetricsCollector,
        *,
        access_log: bool = True,
        source_ip: bool = False,
        max_sources: int = 200,
        exclude: Sequence[str] = (),
    ) -> None:
        self._http = metrics.http
        self._access_log, self._source_ip, self._max_sources = access_log, source_ip, max_sources
        self.exclude = frozenset(exclude)
        self._sources: set[str] = set()
        self._in_flight: dict[str, Gauge] = {}
        self._series: dict[tuple[str, str], _Series] = {}
        self._counts: dict[tuple[str, str, int], Counter] = {}

    def start(self, incoming: Incoming) -> "Exchange":
        """A request begins; everything until ``finish`` is within its span and correlation."""
        method = incoming.method if incoming.method in _METHODS else "OTHER"
        in_flight = self._in_flight.get(method)
        if in_flight is None:
            in_flight = self._in_flight[method] = self._http.in_flight.labels(method)
        in_flight.inc()
        return Exchange(self, incoming, method, in_flight)

    def record(self, method: str, source: str, outcome: Outcome, seconds: float) -> None:
        """Count a request that has ended."""
        series = self._series.get((method, outcome.endpoint)) or self._new(method, outcome.endpoint)
        self._count(method, source, outcome).inc()
        series.duration.observe(seconds)
        series.request_size.observe(outcome.request_size)
        series.response_size.observe(outcome.response_size)

    def log(self, exchange: "Exchange", outcome: Outcome, seconds: float) -> None:
        """Write the access log's line; the path without its query, which may hold secrets."""
        if not (self._access_log and _access.isEnabledFor(logging.INFO)):
            return
        level = logging.ERROR if outcome.status >= 500 else logging.INFO
        incoming = exchange.incoming
        said = (incoming.method, incoming.path, outcome.status)
        # Made here, since logging would first walk the stack for the caller, which is always us.
        record = logging.LogRecord(_access.name, level, __file__, 0, "%s %s %d", said, None)
        record.__dict__.update(
            category="access",
            method=incoming.method,
            path=incoming.path,
            endpoint=outcome.endpoint,
            status=outcome.status,
            response_time=round(seconds * 1000, 3),
            client=incoming.client,
            response_bytes=outcome.response_size,
        )
        _access.handle(record)

    def _count(self, method: str, source: str, outcome: Outcome) -> Counter:
        if self._source_ip:
            labels = (method, outcome.endpoint, str(outcome.status), self._known(source))
            return self._http.requests.labels(*labels)
        key = (method, outcome.endpoint, outcome.status)
        count = self._counts.get(key)
        if count is None:
            count = self._http.requests.labels(method, outcome.endpoint, str(outcome.status), "")
            self._counts[key] = count
        return count

    def _known(self, source: str) -> str:
        if source in self._sources:
            return source
        if len(self._sources) >= self._max_sources:
            return OVERFLOW
        self._sources.add(source)
        return source

    def _new(self, method: str, endpoint: str) -> _Series:
        made = _Series(
            self._http.duration.labels(method, endpoint),
            self._http.request_size.labels(method, endpoint),
            self._http.response_size.labels(method, endpoint),
        )
        self._series[method, endpoint] = made
        return made


class Exchange:
    """One request under way."""

    __slots__ = (
        "_correlation_token",
        "_in_flight",
        "_method",
        "_observer",
        "_span",
        "_started",
        "_token",
        "correlation",
        "incoming",
    )

    def __init__(
        self, observer: HttpObserver, incoming: Incoming, method: str, in_flight: Gauge
    ) -> None:
        self._observer, self.incoming = observer, incoming
        self._method, self._in_flight = method, in_flight
        headers = incoming.headers
        self.correlation = accepted(headers.get("x-correlation-id") or headers.get("x-request-id"))
        self._correlation_token = set_correlation_id(self.correlation)
        self._span, self._token = _begin_span(incoming)
        self._started = time.perf_counter()

    def finish(self, outcome: Outcome) -> None:
        """The request has ended."""
        seconds = max(0.0, outcome.ended - self._started)
        self._in_flight.dec()
        # Within the span still: exemplars and the access log's line name its trace.
        self._observer.record(self._method, self.incoming.client, outcome, seconds)
        self._observer.log(self, outcome, seconds)
        if self._span is not None:
            _end_span(self._span, self._method, outcome)
        if self._token is not None:
            otel_context.detach(self._token)
        reset_correlation_id(self._correlation_token)


def _begin_span(incoming: Incoming) -> tuple[Span | None, Token[Any] | None]:
    """The request's span; without tracing only the caller's context, for the logs' sake."""
    if incoming.has_span:
        return None, None
    traced = isinstance(trace.get_tracer_provider(), TracerProvider)
    if not traced and "traceparent" not in incoming.headers:
        return None, None
    context = propagate.extract(incoming.headers)
    if not traced:
        return None, otel_context.attach(context)
    span = trace.get_tracer("pynomaly.observability").start_span(
        incoming.method,
        context,
        SpanKind.SERVER,
        {
            "http.request.method": incoming.method,
            "url.path": incoming.path,
            "url.scheme": incoming.scheme,
            "client.address": incoming.client,
        },
    )
    return span, otel_context.attach(trace.set_span_in_context(span, context))


def _end_span(span: Span, method: str, outcome: Outcome) -> None:
    """Names and attributes by OpenTelemetry's semantic conventions for HTTP servers."""
    if span.is_recording():
        if outcome.endpoint != UNMATCHED:
            span.update_name(f"{method} {outcome.endpoint}")
            span.set_attribute("http.route", outcome.endpoint)
        span.set_attribute("http.response.status_code", outcome.status)
        if outcome.error is not None:
            span.record_exception(outcome.error)
        if outcome.status >= 500:
            span.set_status(StatusCode.ERROR)
    span.end()
