"""The faults of the demo's service, and where each is seen."""

from dataclasses import dataclass

from pynomaly.model.errors import BadInput

NONE = "none"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by the service's name for it.

    - series: a regular expression of the metrics whose anomalies it explains.
    - alerts: those that it should make fire, of the service's ``rules.yml`` and the shipped rules.
    - look_at: PromQL that shows it.
    """

    name: str
    series: str
    alerts: frozenset[str]
    look_at: str


def _fault(name: str, series: str, alerts: tuple[str, ...], look_at: str) -> Fault:
    return Fault(name, series, frozenset(alerts), look_at)


FAULTS = {
    fault.name: fault
    for fault in (
        _fault(
            "slow-database",
            "detection_service:(db_query|latency|requests).*|db_.*|http_requests_in_flight",
            ("DetectionDatabaseSlow", "DetectionSlow"),
            "detection_service:db_query_seconds:mean30s",
        ),
        _fault(
            "error-burst",
            "detection_service:errors.*|http_requests_total",
            ("DetectionErrors",),
            "detection_service:errors:ratio30s",
        ),
        _fault(
            "memory-leak",
            "process_(resident|virtual)_memory_bytes",
            ("DetectionMemoryLeak",),
            'process_resident_memory_bytes{job="detection-service"}',
        ),
        _fault(
            "disk-filling",
            "archive_used_bytes",
            ("DetectionArchiveFilling",),
            "archive_used_bytes",
        ),
        _fault(
            "brute-force",
            "(detection_service:)?auth_failures.*|http_requests_total",
            ("DetectionBruteForce",),
            "detection_service:auth_failures:rate30s",
        ),
        _fault(
            "model-drift",
            "model_(drift_score|accuracy_score|precision_ratio)|anomaly_.*_total",
            ("DetectionModelDrift",),
            "model_drift_score",
        ),
        _fault(
            "crash",
            "up|process_start_time_seconds|http_requests_total|detection_service:requests.*",
            ("DetectionRestarting", "TargetDown"),
            'up{job="detection-service"}',
        ),
    )
}

DEFAULT = "slow-database"


def fault_named(name: str) -> Fault | None:
    """The fault of this name; None for ``none``.

    Raises:
        BadInput: there is no such fault.
    """
    if name == NONE:
        return None
    if name not in FAULTS:
        raise BadInput(f"There is no fault {name!r}.", hint=f"There are {', '.join(FAULTS)}; none.")
    return FAULTS[name]
