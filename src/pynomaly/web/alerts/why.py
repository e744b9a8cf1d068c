"""Why somebody was told of an alert, and why not, as its page tells it."""

from dataclasses import asdict
from typing import Any

from pynomaly.alerting.alertmanager.matchers import matcher_text
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.explain.explanation import Explanation, Path, Telling
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.notifications.history import Sent
from pynomaly.web.alerts.marks import noise_json

Snapshot = dict[str, Any]


def why_json(found: Explanation, manager: AlertManager) -> Snapshot:
    """An explanation. Times are epoch seconds, 0 for never.

    ``named`` are the names of the alerts, and ``silences`` the silences, that it speaks of.
    """
    alert = found.alert
    blamed = {
        one
        for held in [path.held for path in found.paths if path.held is not None]
        for one in held.by
    } | {one for row in found.verdicts for one in row["by"]}
    return {
        **named_alert(alert),
        "firing": found.firing,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "ends_unless_sent": alert.timeout,
        "received_at": alert.updated_at,
        "source": alert.source,
        "link": alert.generator_url,
        "annotations": dict(alert.annotations),
        **noise_json(found.noise),
        "paths": [_path(path, alert, manager) for path in found.paths],
        "held_back": [dict(row) for row in found.verdicts],
        "sent": [sent_json(sent) for sent in found.sent],
        "named": _names(blamed, manager),
        "silences": _silences(blamed, manager),
    }


def named_alert(alert: ReceivedAlert) -> Snapshot:
    """Which alert it is."""
    return {"id": alert.fingerprint, "name": alert.name, "labels": dict(alert.labels)}


def sent_json(sent: Sent) -> Snapshot:
    """One notification with its attempts; numbers of alerts instead of their fingerprints."""
    return {
        "id": sent.id,
        "at": sent.at,
        **sent.place._asdict(),
        "group_labels": dict(sent.group_labels),
        "reason": sent.reason,
        "outcome": sent.outcome.value,
        "attempts": [asdict(attempt) for attempt in sent.attempts],
        "firing": len(sent.state.firing),
        "resolved": len(sent.state.resolved),
    }


def _path(path: Path, alert: ReceivedAlert, manager: AlertManager) -> Snapshot:
    route = next(r for r in manager.setup.route.walk() if r.id == path.route)
    labels = route.group_labels(alert.labels)
    return {
        "receiver": path.receiver,
        "route": path.route,
        "matchers": [matcher_text(matcher) for matcher in route.matchers],
        "group_by": ["..."] if route.group_by_all else sorted(route.group_by),
        "group_labels": dict(labels),
        "group_wait": path.group_wait,
        "group_interval": path.group_interval,
        "repeat_interval": path.repeat_interval,
        "next_at": path.next_at,
        "held": asdict(path.held) if path.held is not None else None,
        "tellings": [_telling(telling) for telling in path.tellings],
        "change": path.change,
    }


def _telling(telling: Telling) -> Snapshot:
    return {
        "integration": telling.integration,
        "tells": telling.tells,
        "reason": telling.reason,
        "told_at": telling.told_at,
        "repeats_at": telling.repeats_at,
        "last": sent_json(telling.last) if telling.last is not None else None,
    }


def _names(blamed: set[str], manager: AlertManager) -> dict[str, str]:
    found = {one: manager.alerts.get(one) for one in blamed}
    return {one: alert.name for one, alert in found.items() if alert is not None}


def _silences(blamed: set[str], manager: AlertManager) -> dict[str, Snapshot]:
    return {
        silence.id: {
            "by": silence.created_by,
            "comment": silence.comment,
            "ends_at": silence.ends_at,
            "matchers": [matcher_text(matcher) for matcher in silence.matchers],
        }
        for silence in manager.silences.all()
        if silence.id in blamed
    }
