"""How a stage holds alerts back."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.verdict import Verdict

Told = Callable[[str, str], frozenset[str]]
"""Which alerts a receiver knows as firing, by the keys of a group; by their fingerprints."""


def without(
    notification: Notification, held: Mapping[str, Verdict], if_all: str
) -> Notification | Stopped:
    """The notification without the alerts of these fingerprints, the verdicts written down."""
    if not held:
        return notification
    notification.trace.held.update(held)
    left = tuple(alert for alert in notification.alerts if alert.fingerprint not in held)
    return replace(notification, alerts=left) if left else Stopped(if_all)


def hold_all(notification: Notification, verdict: Verdict) -> Stopped:
    """Hold everything back for one reason."""
    notification.trace.hold([alert.fingerprint for alert in notification.alerts], verdict)
    return Stopped(verdict.reason)
