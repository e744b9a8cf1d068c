"""What an operator sees of queries."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

QUERY_DURATION = Histogram(
    "pynomaly_query_duration_seconds",
    "How long PromQL queries took, by kind (instant, range).",
    ["kind"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=REGISTRY,
)
QUERIES_IN_FLIGHT = Gauge(
    "pynomaly_queries_in_flight",
    "PromQL queries that are being evaluated or wait for a thread.",
    registry=REGISTRY,
)
QUERY_SAMPLES = Counter(
    "pynomaly_query_samples",
    "Stored samples that PromQL queries have read.",
    registry=REGISTRY,
)
