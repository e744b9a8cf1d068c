"""Spans as OTLP's JSON: what the base install exports by, without further libraries."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext
from prometheus_client import CollectorRegistry

from pynomaly.observability.delivery.http import Answer, checked_url, post
from pynomaly.observability.delivery.otlp import attributes_of, endpoint_of
from pynomaly.observability.delivery.outbox import DeliveryMetrics, Outbox
from pynomaly.observability.delivery.spool import Spool

_REMOTE_KNOWN, _REMOTE = 0x100, 0x200  # OTLP's span flags beside W3C's


class OtlpJsonSpanExporter(SpanExporter):
    """Sends spans to an OTLP/HTTP receiver; keeps them in a spool while it is away.

    Raises ValueError for an endpoint that is no URL, OSError for a spool that cannot be written.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        spool: Path | str | None = None,
        timeout: float | None = None,
        registry: CollectorRegistry | None = None,
    ) -> None:
        url, sent = endpoint_of("traces", endpoint, headers)
        checked_url(url, "otlp_endpoint")
        seconds = timeout or float(os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT", "10"))

        def send(payload: bytes) -> Answer:
            return post(url, payload, sent, seconds)

        self._outbox = Outbox(
            send,
            DeliveryMetrics("traces", registry),
            spool=Spool(spool) if spool else None,
            tries=1 if spool else 4,
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; called from the batch processor's thread."""
        sent = self._outbox.deliver(spans_request(spans), len(spans))
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what waits in the spool."""
        return self._outbox.flush()


def spans_request(spans: Sequence[ReadableSpan]) -> bytes:
    """An ExportTraceServiceRequest; all spans of one process share its resource."""
    by_scope: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for span in spans:
        scope = span.instrumentation_scope
        key = (scope.name, scope.version or "") if scope else ("", "")
        by_scope.setdefault(key, []).append(_span(span))
    scopes = [
        {"scope": {"name": name, "version": version}, "spans": found}
        for (name, version), found in by_scope.items()
    ]
    attributes = attributes_of(spans[0].resource.attributes) if spans else []
    request = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scopes}]}
    return json.dumps(request, separators=(",", ":")).encode()


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.get_span_context()
    encoded: dict[str, Any] = {
        **_ids(context),
        "name": span.name,
        "kind": span.kind.value + 1,  # OTLP counts from 1: 0 is unspecified
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": attributes_of(span.attributes or {}),
        "droppedAttributesCount": span.dropped_attributes,
        "events": [_event(event) for event in span.events],
        "links": [_link(link) for link in span.links],
        "status": {"code": span.status.status_code.value},
        "flags": _flags(context, span.parent),
    }
    if span.parent is not None:
        encoded["parentSpanId"] = f"{span.parent.span_id:016x}"
    if span.status.description:
        encoded["status"]["message"] = span.status.description
    return encoded


def _ids(context: SpanContext | None) -> dict[str, str]:
    if context is None:
        return {}
    ids = {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}
    state = context.trace_state.to_header()
    return {**ids, "traceState": state} if state else ids


def _flags(context: SpanContext | None, parent: SpanContext | None) -> int:
    sampled = int(context.trace_flags) if context else 0
    remote = _REMOTE if parent is not None and parent.is_remote else 0
    return sampled | _REMOTE_KNOWN | remote


def _event(event: Event) -> dict[str, Any]:
    return {
        "timeUnixNano": str(event.timestamp),
        "name": event.name,
        "attributes": attributes_of(event.attributes or {}),
    }


def _link(link: Link) -> dict[str, Any]:
    return {**_ids(link.context), "attributes": attributes_of(link.attributes or {})}
