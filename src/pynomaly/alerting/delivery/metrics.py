"""What delivery says of itself."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.alerting.contract import Outcome
from pynomaly.observability import REGISTRY

ATTEMPTS = Counter(
    "pynomaly_notification_attempts",
    "Attempts to deliver a notification; the log says why one failed.",
    ["channel", "outcome"],
    registry=REGISTRY,
)
LATENCY = Histogram(
    "pynomaly_notification_attempt_seconds",
    "How long an attempt to deliver took.",
    ["channel"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30),
    registry=REGISTRY,
)
PACED = Counter(
    "pynomaly_notification_paced_seconds",
    "Seconds that notifications waited since their channel is told at most so often a minute "
    "(alerting.rate_limits); much of it: group alerts more coarsely.",
    ["channel"],
    registry=REGISTRY,
)
DEAD = Gauge(
    "pynomaly_notification_dead_letters",
    "Notifications that could not be delivered; look at `pynomaly notify dead list`.",
    registry=REGISTRY,
)


def known(channel: str) -> None:
    """Show a channel's counters before their first increase, so that rates exist."""
    for outcome in Outcome:
        ATTEMPTS.labels(channel, outcome.value)
    PACED.labels(channel)
