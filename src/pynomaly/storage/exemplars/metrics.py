"""Every metric of the exemplar store."""

from prometheus_client import Counter, Gauge

from pynomaly.observability import REGISTRY

STORED = Counter(
    "pynomaly_exemplars_stored", "Exemplars stored for good, of every source.", registry=REGISTRY
)
REFUSED = Counter(
    "pynomaly_exemplars_refused",
    "Exemplars that were not stored, by reason. Repeated ones are not counted: sources expose the "
    "same exemplar until there is a newer one.",
    ["reason"],
    registry=REGISTRY,
)
KEPT = Gauge("pynomaly_exemplars_kept", "Exemplars that can be queried.", registry=REGISTRY)
LIMIT = Gauge(
    "pynomaly_exemplars_limit",
    "The most exemplars that are kept; 0 stores none.",
    registry=REGISTRY,
)
SERIES = Gauge("pynomaly_exemplars_series", "Series that have exemplars.", registry=REGISTRY)
OLDEST = Gauge(
    "pynomaly_exemplars_oldest_timestamp_seconds",
    "The time of the exemplar that goes next when the limit is reached: how far back they go.",
    registry=REGISTRY,
)
FLUSH_FAILURES = Counter(
    "pynomaly_exemplars_flush_failures",
    "Times the engine did not take the exemplars of the log; they stay in it, and can be read.",
    registry=REGISTRY,
)
