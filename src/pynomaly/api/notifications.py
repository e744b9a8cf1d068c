"""Dead letters, and tests of receivers."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action
from pynomaly.alerting.contract import Attempt
from pynomaly.alerting.delivery.letter import DeadLetter
from pynomaly.alerting.delivery.service import DeliveryService
from pynomaly.alerting.delivery.trial import Trial
from pynomaly.model.alert import Alert
from pynomaly.model.document import Section

_READ = [Depends(require(Action.ALERTS_READ))]
_WRITE = [Depends(require(Action.ALERTS_WRITE))]


class TestRequest(Section):
    """``channel``: a receiver, one of its integrations (``ops/slack[0]``), or a kind."""

    channel: str = Field(min_length=1)


def router(deliveries: DeliveryService) -> APIRouter:
    """Everything under ``/api/notifications/``."""
    routes = APIRouter(prefix="/api/notifications", tags=["notifications"])

    @routes.get("/dead-letters", dependencies=_READ)
    async def dead_letters() -> dict[str, Any]:
        """What could not be delivered, the newest first."""
        return {"dead_letters": [_letter(letter) for letter in deliveries.letters.all()]}

    @routes.get("/dead-letters/{identity}", dependencies=_READ)
    async def dead_letter(identity: str) -> dict[str, Any]:
        """One of them with its alerts; the beginning of an id is enough."""
        letter = deliveries.letters.get(identity)
        return _letter(letter) | {"alerts": [_alert(a) for a in letter.notification.alerts]}

    @routes.post("/dead-letters/{identity}/resend", dependencies=_WRITE)
    async def resend(identity: str, request: Request) -> dict[str, Any]:
        """Try once more. Delivered, it leaves the list; otherwise it stays, with the new reason."""
        audit_detail(request, dead_letter=identity)
        return _trial(await deliveries.resend(identity))

    @routes.post("/dead-letters/{identity}/drop", dependencies=_WRITE)
    async def drop(identity: str, request: Request) -> dict[str, Any]:
        """Forget it. A group that still has something to tell is tried again by its own timers."""
        audit_detail(request, dead_letter=identity)
        return {"dropped": _letter(await deliveries.letters.drop(identity))}

    @routes.post("/test", dependencies=_WRITE)
    async def test(wanted: TestRequest, request: Request) -> dict[str, Any]:
        """Send a test notification, and say what happened."""
        audit_detail(request, channel=wanted.channel)
        return {"results": [_trial(trial) for trial in await deliveries.test(wanted.channel)]}

    return routes


def _letter(letter: DeadLetter) -> dict[str, Any]:
    told = letter.notification
    return {
        "id": letter.id,
        "receiver": told.receiver,
        "integration": told.integration,
        "group_key": told.group_key,
        "group_labels": dict(told.group_labels),
        "status": told.status,
        "alert_count": len(told.alerts),
        "first_at": letter.first_at,
        "last_at": letter.last_at,
        "times": letter.times,
        "reason": letter.reason,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "starts_at": alert.fired_at or alert.active_at,
        "ends_at": alert.resolved_at or None,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "seconds": attempt.seconds,
        "outcome": attempt.outcome.value,
        "reason": attempt.reason,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "receiver": trial.receiver,
        "integration": trial.integration,
        "delivered": trial.delivered,
        "reason": trial.reason,
        "attempts": [_attempt(attempt) for attempt in trial.attempts],
    }
