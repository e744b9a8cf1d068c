"""Alertmanager's webhook payload, version 4 (its notify/webhook and template/template.go)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pynomaly.alerting.channels.messages import common, quote_meta
from pynomaly.alerting.contract import Notification
from pynomaly.model.alert import Alert, AlertState

_STILL_FIRING = "0001-01-01T00:00:00Z"


def truncated(notification: Notification, most: int) -> Notification:
    """With at most so many alerts (0: all); says how many are left out."""
    excess = len(notification.alerts) - most
    if not most or excess <= 0:
        return notification
    left_out = notification.truncated + excess
    return replace(notification, alerts=notification.alerts[:most], truncated=left_out)


def webhook_payload(notification: Notification, external_url: str) -> dict[str, Any]:
    """The JSON object that receivers of Alertmanager's webhooks read."""
    alerts = notification.alerts
    return {
        "receiver": quote_meta(notification.receiver),
        "status": notification.status,
        "alerts": [_alert(alert) for alert in alerts],
        "notification_reason": notification.reason,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": common(alert.labels for alert in alerts),
        "commonAnnotations": common(alert.annotations for alert in alerts),
        "routeLabels": dict(notification.route_labels),
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


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
