"""The Python API by the guide's path: everything here is defined elsewhere.

``AnomalyDetector`` needs the extra ``ml`` only; what belongs to alerting, which needs the extra
``server``, is imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

from pynomaly.detection.detector import AnomalyDetector
from pynomaly.detection.orchestrator import AdvancedMonitoringOrchestrator, MetricVerdict

if TYPE_CHECKING:
    from pynomaly.alerting.suppression.engine import CorrelationEngine

    correlation_engine: CorrelationEngine

__all__ = [
    "AdvancedMonitoringOrchestrator",
    "AnomalyDetector",
    "CorrelationEngine",
    "MetricVerdict",
    "correlation_engine",
]


def __getattr__(name: str) -> Any:
    """``CorrelationEngine``, and ``correlation_engine``, the one of this process."""
    if name not in ("CorrelationEngine", "correlation_engine"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pynomaly.alerting.suppression.engine import CorrelationEngine

    found = CorrelationEngine if name == "CorrelationEngine" else CorrelationEngine()
    return globals().setdefault(name, found)
