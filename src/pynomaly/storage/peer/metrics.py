"""What an operator sees of the server that everything is read from and written to."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

UP = Gauge(
    "pynomaly_prometheus_up",
    "Whether the Prometheus that Pynomaly works on answers; 0 after several failed checks.",
    ["url"],
    registry=REGISTRY,
)
REQUESTS = Counter(
    "pynomaly_prometheus_requests",
    "Requests to the Prometheus that Pynomaly works on, by kind and outcome (ok, refused, "
    "failed, silent). Each try counts.",
    ["operation", "outcome"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "pynomaly_prometheus_request_duration_seconds",
    "How long its answers took to come.",
    ["operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
    registry=REGISTRY,
)
WRITTEN = Counter(
    "pynomaly_prometheus_written_samples",
    "Samples that it took by remote write.",
    registry=REGISTRY,
)
NOT_WRITTEN = Counter(
    "pynomaly_prometheus_unwritten_samples",
    "Samples that it did not take: rejected (too old, out of order, …), no_receiver (it takes no "
    "remote write), busy (too much waited), failed (it was away), dropped (own series that waited "
    "too long).",
    ["reason"],
    registry=REGISTRY,
)
PENDING = Gauge(
    "pynomaly_prometheus_pending_samples",
    "Samples that wait until it has taken them.",
    registry=REGISTRY,
)
