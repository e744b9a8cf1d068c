"""The product's own view of alerts: what is active, who was told of what, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, Depends, Query, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.alerting.alertmanager.matchers import parse_matcher
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.explain.explanation import Explanation, NoiseStanding, Path, Telling
from pynomaly.alerting.explain.noise import standing
from pynomaly.alerting.explain.service import Explainer
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.notifications.history import HistoryFilter, Sent
from pynomaly.api.rules import rfc3339
from pynomaly.calendar.events import Occurrence
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock
from pynomaly.model.errors import BadInput
from pynomaly.model.times import parse_moment

_MOST = 1000


class AlertSource(Protocol):
    """Where the alerts of rules come from."""

    def alerts(self) -> Sequence[Alert]:
        """The pending and firing alerts."""
        ...


def router(
    source: AlertSource,
    manager: AlertManager | None = None,
    explainer: Explainer | None = None,
    clock: Clock | None = None,
) -> APIRouter:
    """Everything under ``/api/alerts``; without an alert manager only what rules find."""
    routes = APIRouter(prefix="/api/alerts", tags=["alerts"])
    may_read = [Depends(require(Action.ALERTS_READ))]

    @routes.get("/active", dependencies=may_read)
    async def active(severity: str = "") -> Response:
        """The pending and firing alerts, firing ones first, the newest of each first."""
        found = [*source.alerts(), *_received(source, manager, clock)]
        found = [a for a in found if severity in ("", a.labels.get("severity", ""))]
        found.sort(key=lambda a: (a.state is not AlertState.FIRING, -a.active_at))
        states = [alert.state for alert in found]
        answer = {
            "firing": states.count(AlertState.FIRING),
            "pending": states.count(AlertState.PENDING),
            "alerts": [_shown(alert) | _standing(alert, manager, clock) for alert in found],
        }
        # orjson writes NaN, which a value may be, as null.
        return _json(answer)

    if explainer is not None and clock is not None:
        _add_explanations(routes, explainer, clock)
    return routes


def _add_explanations(routes: APIRouter, explainer: Explainer, clock: Clock) -> None:
    may_read = [Depends(require(Action.ALERTS_READ))]

    @routes.get("/notifications", dependencies=may_read)
    async def notifications(
        matcher: list[str] = Query(default=[]),  # noqa: B008 - how FastAPI is told of a list
        since: str = "7d",
        until: str = "now",
        receiver: str = "",
        limit: int = Query(default=100, ge=1, le=_MOST),
    ) -> Response:
        """Who was told of what: the notifications of alerts that match, the newest first."""
        now = clock.now()
        try:
            wanted = HistoryFilter(
                since=parse_moment(since, now),
                until=parse_moment(until, now),
                receiver=receiver,
                limit=limit,
            )
        except ValueError as error:
            raise BadInput(str(error)) from error
        matchers = [parse_matcher(text) for text in matcher]
        found = await explainer.who_was_told(matchers, wanted)
        return _json(
            {
                "notifications": [
                    _sent(sent) | {"matching": [_named(alert) for alert in alerts]}
                    for sent, alerts in found
                ]
            }
        )

    @routes.get("/{fingerprint}/explain", dependencies=may_read)
    async def explain(fingerprint: str) -> Response:
        """For each receiver: the way of the alert, what holds it back, and each attempt."""
        return _json(_explained(await explainer.explain(fingerprint)))


def _received(
    source: AlertSource, manager: AlertManager | None, clock: Clock | None
) -> Iterator[Alert]:
    """The firing alerts that others sent."""
    if manager is None or clock is None:
        return
    own, now = {alert.fingerprint for alert in source.alerts()}, clock.now()
    for alert in manager.alerts.all():
        if alert.fingerprint not in own and not alert.resolved(now):
            yield alert.at(now)


def _standing(alert: Alert, manager: AlertManager | None, clock: Clock | None) -> dict[str, Any]:
    """Whom a firing alert goes to, and what holds it back."""
    if manager is None or clock is None or alert.state is not AlertState.FIRING:
        return {}
    now = clock.now()
    found = manager.setup.inhibitor.inhibited_by(alert.fingerprint, alert.labels, now)
    known = manager.alerts.get(alert.fingerprint)
    return {
        "receivers": [route.receiver for route in manager.setup.route.match(alert.labels)],
        "silenced_by": list(manager.silencer.silenced_by(alert.fingerprint, alert.labels)),
        "inhibited_by": [found.source] if found is not None else [],
        "maintenance": [_window(each) for each in manager.maintenance.windows(alert.labels, now)],
        "source": known.source if known is not None else "rules",
        **_noise(standing(manager, alert, clock.now())),
    }


def _noise(how: NoiseStanding) -> dict[str, Any]:
    """The rules that suppress an alert, who has taken it on, and whether it flaps."""
    kept, flap = how.acknowledgement, how.flap
    return {
        "suppressed_by": list(how.suppressed_by),
        "acknowledged": {"by": kept.by, "at": rfc3339(kept.at), "comment": kept.comment}
        if kept is not None
        else None,
        "flapping": {
            "since": rfc3339(flap.since),
            "changes": flap.changes,
            "window": flap.window,
            "calm_at": rfc3339(flap.calm_at),
        }
        if flap is not None
        else None,
    }


def _window(window: Occurrence) -> dict[str, str]:
    """A window of maintenance that holds an alert back."""
    event = window.event
    return {"id": event.id, "title": event.title, "ends_at": rfc3339(window.ends_at)}


def _shown(alert: Alert) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "name": alert.name,
        "state": alert.state.value,
        "severity": alert.labels.get("severity", ""),
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": alert.value,
        "active_at": rfc3339(alert.active_at),
        "fired_at": rfc3339(alert.fired_at) if alert.fired_at else None,
        "generator_url": alert.generator_url,
    }


def _explained(found: Explanation) -> dict[str, Any]:
    return {
        **_named(found.alert),
        "annotations": dict(found.alert.annotations),
        "state": "firing" if found.firing else "resolved",
        "starts_at": rfc3339(found.alert.starts_at),
        "ends_at": rfc3339(found.alert.ends_at),
        "received_at": rfc3339(found.alert.updated_at),
        "source": found.alert.source,
        "generator_url": found.alert.generator_url,
        **_noise(found.noise),
        "receivers": [_path(path) for path in found.paths],
        "history": {
            "held_back": [{**row, "at": rfc3339(row["at"])} for row in found.verdicts],
            "notifications": [_sent(sent) for sent in found.sent],
        },
    }


def _path(path: Path) -> dict[str, Any]:
    return {
        "receiver": path.receiver,
        "route": path.route,
        "group_key": path.group_key,
        "group_wait": path.group_wait,
        "group_interval": path.group_interval,
        "repeat_interval": path.repeat_interval,
        "next_at": _moment(path.next_at),
        "held_back": asdict(path.held) if path.held is not None else None,
        "integrations": [_telling(telling) for telling in path.tellings],
        "change": path.change,
    }


def _telling(telling: Telling) -> dict[str, Any]:
    return {
        "integration": telling.integration,
        "tells": telling.tells,
        "reason": telling.reason,
        "told_at": _moment(telling.told_at),
        "repeats_at": _moment(telling.repeats_at),
        "last": _sent(telling.last) if telling.last is not None else None,
    }


def _sent(sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.id,
        "at": rfc3339(sent.at),
        **sent.place._asdict(),
        "route": sent.route,
        "group_labels": dict(sent.group_labels),
        "reason": sent.reason,
        "outcome": sent.outcome.value,
        "attempts": [{**asdict(attempt), "at": rfc3339(attempt.at)} for attempt in sent.attempts],
        "firing": len(sent.state.firing),
        "resolved": len(sent.state.resolved),
    }


def _named(alert: ReceivedAlert) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "name": alert.name,
        "labels": dict(alert.labels),
    }


def _moment(at: float) -> str | None:
    return rfc3339(at) if at else None


def _json(data: Any) -> Response:
    return Response(orjson.dumps(data), media_type="application/json")
