"""What ``setup_tracing`` can be told, and where spans go."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.export import SpanExporter

_log = logging.getLogger("pynomaly.observability.tracing")

OTLP_PORT = 4318
# Jaeger's own protocols: Thrift over HTTP, over UDP (two encodings), and its gRPC.
_JAEGER_PORTS = frozenset([14268, 6831, 6832, 14250])


@dataclass(frozen=True)
class TracingConfig:
    """Settings of tracing; what is not given comes from OpenTelemetry's ``OTEL_*`` variables.

    - service_name, environment: who sends the spans.
    - otlp_endpoint: an OTLP/HTTP receiver, such as ``http://localhost:4318``.
    - jaeger_endpoint: a Jaeger of old; spans go to OTLP's port 4318 of its host.
    - headers: sent with every request, such as an ``Authorization``.
    - sample_ratio: share of traces to keep, 0 to 1, where no caller has decided.
    - attributes: further attributes of the resource.
    - exporter: ``otlp``, ``console``, ``none``, or a span exporter of OpenTelemetry's.
    - spool: a folder where spans wait while the receiver is away.
    - timeout: seconds for one request; ``OTEL_EXPORTER_OTLP_TIMEOUT``, or 10.
    """

    service_name: str | None = None
    environment: str | None = None
    otlp_endpoint: str | None = None
    jaeger_endpoint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    sample_ratio: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    exporter: Literal["otlp", "console", "none"] | SpanExporter | None = None
    spool: Path | str | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.sample_ratio is not None and not 0 <= self.sample_ratio <= 1:
            raise ValueError(f"sample_ratio {self.sample_ratio} is not between 0 and 1")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "TracingConfig":
        """The settings of a dict; raises ValueError that names a key which is none of them."""
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise ValueError(
                f"setup_tracing does not know {', '.join(map(repr, unknown))}; "
                f"it knows {', '.join(sorted(known))}"
            )
        return cls(**settings)

    def endpoint(self) -> str | None:
        """The OTLP receiver, or None to let ``OTEL_EXPORTER_OTLP_*`` say it."""
        if self.otlp_endpoint:
            return self.otlp_endpoint
        if self.jaeger_endpoint:
            return otlp_of_jaeger(self.jaeger_endpoint)
        said = any(name.startswith("OTEL_EXPORTER_OTLP") for name in os.environ)
        jaeger = os.environ.get("JAEGER_ENDPOINT")
        return otlp_of_jaeger(jaeger) if jaeger and not said else None


def otlp_of_jaeger(endpoint: str) -> str:
    """The OTLP receiver of a Jaeger's host, for an endpoint of one of its own protocols.

    OpenTelemetry has no exporter for those any more, and Jaeger has taken OTLP since 1.35.
    Raises ValueError if the endpoint names no host.
    """
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    if not parts.hostname:
        raise ValueError(f"jaeger_endpoint {endpoint!r} is no URL, such as http://jaeger:14268")
    old = parts.port in _JAEGER_PORTS or parts.port is None
    port = OTLP_PORT if old else parts.port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    receiver = f"{parts.scheme if parts.scheme == 'https' else 'http'}://{host}:{port}"
    if old:
        _log.warning(
            "jaeger_endpoint %s speaks Jaeger's old protocol: spans go to %s by OTLP instead, "
            "which Jaeger has taken since 1.35. Say otlp_endpoint to be rid of this notice.",
            endpoint,
            receiver,
        )
    return receiver
