"""What an operator sees of remote reads."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

IN_FLIGHT = Gauge(
    "pynomaly_remote_read_requests_in_flight",
    "Remote reads that are being answered or wait for their turn.",
    registry=REGISTRY,
)
REQUESTS = Counter(
    "pynomaly_remote_read_requests",
    "Remote reads, by the type of the answer and its status.",
    ["type", "status"],
    registry=REGISTRY,
)
DURATION = Histogram(
    "pynomaly_remote_read_duration_seconds",
    "How long it took to read and to write what a remote reader asked for.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=REGISTRY,
)
SAMPLES = Counter(
    "pynomaly_remote_read_samples", "Samples that remote readers were given.", registry=REGISTRY
)
