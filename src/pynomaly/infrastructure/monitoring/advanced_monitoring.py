"""The Python API by the guide's path: everything here is defined elsewhere."""

from pynomaly.detection.detector import AnomalyDetector
from pynomaly.detection.orchestrator import AdvancedMonitoringOrchestrator, MetricVerdict

__all__ = ["AdvancedMonitoringOrchestrator", "AnomalyDetector", "MetricVerdict"]
