"""``setup_tracing``: one call, and spans leave the process."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased

from pynomaly.observability.delivery.http import checked_url
from pynomaly.observability.delivery.otlp import endpoint_of
from pynomaly.observability.metrics import exemplars
from pynomaly.observability.resource import environment_name, service_name
from pynomaly.observability.tracing.config import TracingConfig
from pynomaly.observability.tracing.exporter import OtlpJsonSpanExporter
from pynomaly.observability.tracing.propagation import propagate_correlation

_log = logging.getLogger("pynomaly.observability.tracing")


def setup_tracing(
    config: Mapping[str, Any] | TracingConfig | None = None, **settings: Any
) -> trace.TracerProvider:
    """Trace this process: ``setup_tracing({"service_name": "shop"})``, or by keywords.

    The keys are those of ``TracingConfig``. What they do not say, OpenTelemetry's own ``OTEL_*``
    variables do: endpoint, headers, sampler, resource, propagators, batch sizes,
    ``OTEL_TRACES_EXPORTER`` and ``OTEL_SDK_DISABLED``. Histograms and counters of the SDK keep the
    current trace as their exemplars from here on.

    A process has one tracer provider: if there is one already, it is returned and stays as it is.
    Call it in each worker process, or before they fork.

    Raises ValueError for an unknown key, a ratio outside 0 to 1, or an endpoint that is no URL;
    OSError for a spool that cannot be written.
    """
    chosen = config if isinstance(config, TracingConfig) else TracingConfig.of(config or {})
    if settings:
        chosen = TracingConfig.of({**vars(chosen), **settings})
    held = trace.get_tracer_provider()
    if isinstance(held, TracerProvider):
        _log.warning("Tracing is set up already; this call of setup_tracing changes nothing.")
        return held
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return held
    provider = provider_of(chosen)
    trace.set_tracer_provider(provider)
    propagate_correlation()
    exemplars.source = current_exemplar
    return provider


def provider_of(config: TracingConfig) -> TracerProvider:
    """A tracer provider by these settings, which is not yet the process's."""
    provider = TracerProvider(resource=_resource(config), sampler=_sampler(config))
    exporter = _exporter(config)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def current_exemplar() -> dict[str, str] | None:
    """The ids of the current span, if it is kept: a link to a trace that nobody has helps none."""
    context = trace.get_current_span().get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _resource(config: TracingConfig) -> Resource:
    attributes: dict[str, Any] = {"service.name": service_name(config.service_name)}
    environment = environment_name(config.environment)
    if environment:
        attributes["deployment.environment.name"] = environment
    return Resource.create({**attributes, **config.attributes})


def _sampler(config: TracingConfig) -> Sampler | None:
    """None lets ``OTEL_TRACES_SAMPLER`` choose; a caller's decision is always kept."""
    if config.sample_ratio is None:
        return None
    return ParentBased(TraceIdRatioBased(config.sample_ratio))


def _exporter(config: TracingConfig) -> SpanExporter | None:
    chosen = config.exporter or os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if isinstance(chosen, SpanExporter):
        return chosen
    if chosen == "none":
        return None
    if chosen == "console":
        return ConsoleSpanExporter()
    if chosen != "otlp":
        raise ValueError(f"exporter {chosen!r} is none of otlp, console, none")
    return _otlp_exporter(config)


def _otlp_exporter(config: TracingConfig) -> SpanExporter:
    """OpenTelemetry's own exporter where the extra ``otlp`` is installed; it has no spool."""
    endpoint = config.endpoint()
    url, _ = endpoint_of("traces", endpoint, config.headers)
    checked_url(url, "otlp_endpoint")
    exporter = None if config.spool is not None or _protocol() == "http/json" else _protobuf()
    if exporter is None:
        return OtlpJsonSpanExporter(
            endpoint, config.headers, spool=config.spool, timeout=config.timeout
        )
    made: SpanExporter = exporter(
        endpoint=url if endpoint else None,
        headers=dict(config.headers) or None,
        timeout=config.timeout,
    )
    return made


def _protocol() -> str:
    """What ``OTEL_EXPORTER_OTLP_PROTOCOL`` asks for; gRPC is not spoken here, and that is said."""
    name = "OTEL_EXPORTER_OTLP_PROTOCOL"
    asked = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get(name, "")
    if asked == "grpc":
        _log.warning(
            "%s=grpc: spans go by HTTP all the same, which OTLP receivers take on port 4318.", name
        )
    return asked


def _protobuf() -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        return None
    return OTLPSpanExporter
