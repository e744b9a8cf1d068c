"""``from anomaly_detection.infrastructure.observability import TracingService``."""

from pynomaly.observability import TracingService

__all__ = ["TracingService"]
