"""The SDK by the guides' path: ``from pynomaly.infrastructure.observability import …``."""

from typing import TYPE_CHECKING, Any

from pynomaly import observability

if TYPE_CHECKING:
    from pynomaly.observability import (
        HealthMonitor,
        MetricsCollector,
        TracingService,
        configure_logging,
        instrument,
        setup_tracing,
    )

__all__ = [
    "HealthMonitor",
    "MetricsCollector",
    "TracingService",
    "configure_logging",
    "instrument",
    "setup_tracing",
]


def __getattr__(name: str) -> Any:
    """Imported when first used, as there."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(observability, name)
