"""The product's own view of alerts."""

from collections.abc import Sequence
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, Depends, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.rules import rfc3339
from pynomaly.model.alert import Alert, AlertState


class AlertSource(Protocol):
    """Where the alerts come from."""

    def alerts(self) -> Sequence[Alert]:
        """The pending and firing alerts."""
        ...


def router(source: AlertSource) -> APIRouter:
    """``GET /api/alerts/active``."""
    routes = APIRouter(prefix="/api/alerts", tags=["alerts"])

    @routes.get("/active", dependencies=[Depends(require(Action.ALERTS_READ))])
    async def active(severity: str = "") -> Response:
        """The pending and firing alerts, firing ones first, the newest of each first."""
        found = [a for a in source.alerts() if severity in ("", a.labels.get("severity", ""))]
        found.sort(key=lambda a: (a.state is not AlertState.FIRING, -a.active_at))
        states = [alert.state for alert in found]
        answer = {
            "firing": states.count(AlertState.FIRING),
            "pending": states.count(AlertState.PENDING),
            "alerts": [_shown(alert) for alert in found],
        }
        # orjson writes NaN, which a value may be, as null.
        return Response(orjson.dumps(answer), media_type="application/json")

    return routes


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
