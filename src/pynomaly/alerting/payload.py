"""Alertmanager's webhook payload, version 4 (its notify/webhook and template/template.go)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pynomaly.alerting.contract import Notification
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels

_STILL_FIRING = "0001-01-01T00:00:00Z"


def webhook_payload(notification: Notification, external_url: str) -> dict[str, Any]:
    """The JSON object that receivers of Alertmanager's webhooks read."""
    alerts = notification.alerts
    return {
        "receiver": notification.receiver,
        "status": notification.status,
        "alerts": [_alert(alert) for alert in alerts],
        "groupLabels": dict(notification.group_labels),
        "commonLabels": _common([alert.labels for alert in alerts]),
        "commonAnnotations": _common([alert.annotations for alert in alerts]),
        "externalURL": external_url,
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    fires = alert.state is AlertState.FIRING
    return {
        "status": "firing" if fires else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _time(alert.fired_at or alert.active_at),
        "endsAt": _STILL_FIRING if fires else _time(alert.resolved_at),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _common(sets: Sequence[Labels]) -> dict[str, str]:
    """What all label sets share."""
    shared = set(sets[0].pairs).intersection(*(labels.pairs for labels in sets)) if sets else ()
    return dict(sorted(shared))


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
