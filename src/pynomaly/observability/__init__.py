"""The SDK that applications import; the server instruments itself with it.

Stands alone: imports nothing else of the product, and only light libraries. Names are imported
when they are first used, so that an application pays for what it takes.
"""

import importlib
from typing import TYPE_CHECKING, Any

from pynomaly.observability.registry import REGISTRY

if TYPE_CHECKING:
    from pynomaly.observability.health import checks
    from pynomaly.observability.health.monitor import Degraded, HealthMonitor
    from pynomaly.observability.health.mount import mount
    from pynomaly.observability.health.serve import serve
    from pynomaly.observability.instrumentation.instrument import instrument
    from pynomaly.observability.logs.configure import configure_logging
    from pynomaly.observability.logs.correlation import correlation, correlation_id
    from pynomaly.observability.logs.delivery import logs_to_file, logs_to_otlp
    from pynomaly.observability.metrics.collector import MetricsCollector
    from pynomaly.observability.metrics.exemplars import mark_worker_dead
    from pynomaly.observability.metrics.naming import MetricNameError
    from pynomaly.observability.push.pusher import Pusher
    from pynomaly.observability.tracing.service import TracingService
    from pynomaly.observability.tracing.setup import setup_tracing

__all__ = [
    "REGISTRY",
    "Degraded",
    "HealthMonitor",
    "MetricNameError",
    "MetricsCollector",
    "Pusher",
    "TracingService",
    "checks",
    "configure_logging",
    "correlation",
    "correlation_id",
    "instrument",
    "logs_to_file",
    "logs_to_otlp",
    "mark_worker_dead",
    "mount",
    "serve",
    "setup_tracing",
]

_WHERE = {
    "Degraded": "health.monitor",
    "HealthMonitor": "health.monitor",
    "MetricNameError": "metrics.naming",
    "MetricsCollector": "metrics.collector",
    "Pusher": "push.pusher",
    "TracingService": "tracing.service",
    "configure_logging": "logs.configure",
    "correlation": "logs.correlation",
    "correlation_id": "logs.correlation",
    "instrument": "instrumentation.instrument",
    "logs_to_file": "logs.delivery",
    "logs_to_otlp": "logs.delivery",
    "mark_worker_dead": "metrics.exemplars",
    "mount": "health.mount",
    "serve": "health.serve",
    "setup_tracing": "tracing.setup",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "checks":
        return importlib.import_module("pynomaly.observability.health.checks")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
