"""The Prometheus HTTP API under ``/api/v1``."""

from pynomaly.api.prometheus.router import BuildInfo, PrometheusDeps, probes, router
from pynomaly.api.prometheus.targets import DroppedTarget, Targets, TargetStatus

__all__ = [
    "BuildInfo",
    "DroppedTarget",
    "PrometheusDeps",
    "TargetStatus",
    "Targets",
    "probes",
    "router",
]
