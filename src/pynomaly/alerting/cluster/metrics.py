"""What Prometheus measures of its notifier, under names of ours."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

SENT = Counter(
    "pynomaly_alertmanager_sent",
    "Alerts that an Alertmanager has taken.",
    ["alertmanager"],
    registry=REGISTRY,
)
ERRORS = Counter(
    "pynomaly_alertmanager_errors",
    "Alerts that an Alertmanager was sent and has not taken.",
    ["alertmanager"],
    registry=REGISTRY,
)
DROPPED = Counter(
    "pynomaly_alertmanager_dropped",
    "Alerts that left the queue of an Alertmanager without being taken; they are sent again "
    "within a minute if they still matter.",
    ["alertmanager"],
    registry=REGISTRY,
)
LATENCY = Histogram(
    "pynomaly_alertmanager_latency_seconds",
    "How long an Alertmanager took to take a batch of alerts.",
    ["alertmanager"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
    registry=REGISTRY,
)
QUEUED = Gauge(
    "pynomaly_alertmanager_queue_length",
    "Alerts that wait to be sent to an Alertmanager.",
    ["alertmanager"],
    registry=REGISTRY,
)
CAPACITY = Gauge(
    "pynomaly_alertmanager_queue_capacity",
    "Alerts that may wait for each Alertmanager.",
    registry=REGISTRY,
)
DISCOVERED = Gauge(
    "pynomaly_alertmanagers",
    "Alertmanagers that alerts are sent to.",
    registry=REGISTRY,
)
UP = Gauge(
    "pynomaly_alertmanager_up",
    "Whether an Alertmanager answered when it was last sent alerts or asked (1), or not (0).",
    ["alertmanager"],
    registry=REGISTRY,
)

_OF_ONE = (SENT, ERRORS, DROPPED, LATENCY, QUEUED, UP)


def begin(alertmanager: str) -> None:
    """All of one at zero, so that the first is an increase."""
    for metric in _OF_ONE:
        metric.labels(alertmanager)
    UP.labels(alertmanager).set(1)


def end(alertmanager: str) -> None:
    """Forget one that is told no more."""
    for metric in _OF_ONE:
        metric.remove(alertmanager)
