"""What the judge of every series tells of itself."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

JUDGED = Counter(
    "pynomaly_detection_points", "Points of series that were judged.", registry=REGISTRY
)
SERIES = Gauge(
    "pynomaly_detection_series",
    "Series that are judged, or will be when they have enough points.",
    registry=REGISTRY,
)
LEFT_OUT = Gauge(
    "pynomaly_detection_left_out_series",
    "Series that are not judged since there are more than the setting max_series.",
    registry=REGISTRY,
)
KNOWN = Gauge(
    "pynomaly_detection_judged_series",
    "Series whose newest point was judged.",
    registry=REGISTRY,
)
LEARNING = Gauge(
    "pynomaly_detection_learning_series",
    "Series of which too little was seen yet to judge them.",
    registry=REGISTRY,
)
EVENTS = Counter(
    "pynomaly_detection_anomalies",
    "Anomalies that began.",
    ["severity"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "pynomaly_detection_run_seconds",
    "How long it took to read and judge what was new.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
