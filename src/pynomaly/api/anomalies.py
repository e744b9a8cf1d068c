"""Anomalies that were found, and what people say of them."""

import asyncio
from typing import Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.detection.events import Anomaly, Feedback
from pynomaly.model.clock import Clock
from pynomaly.model.duration import parse_duration
from pynomaly.model.errors import BadInput, PynomalyError

_MOST = 1000


class Anomalies(Protocol):
    """Where they are kept; blocking."""

    def found(
        self, since: float, until: float, *, metric: str, service: str, limit: int
    ) -> list[Anomaly]:
        """Those that lasted at some time in ``[since, until]``, the newest first."""
        ...

    def judge(self, anomaly_id: str, feedback: str) -> Anomaly | None:
        """Keep what a person says of one; None when there is no such anomaly."""
        ...


class NoSuchAnomaly(PynomalyError):
    """There is none with this id."""

    status = 404
    kind = "not_found"


class Said(BaseModel):
    """What a person says of an anomaly."""

    feedback: Feedback = Field(description="`real`, or `false` for a false alarm.")


def router(anomalies: Anomalies, clock: Clock) -> APIRouter:
    """``/api/anomalies``."""
    routes = APIRouter(prefix="/api/anomalies", tags=["anomalies"])

    @routes.get("", dependencies=[Depends(require(Action.METRICS_READ))])
    async def found(
        metric_name: str = "", service: str = "", time_range: str = "24h", limit: int = _MOST
    ) -> dict[str, Any]:
        """Those of the last ``time_range``, the newest first."""
        if not 0 < limit <= _MOST:
            raise BadInput(f"limit is {limit}; 1 to {_MOST} is expected")
        until = clock.now()
        since = until - _seconds(time_range)
        rows = await asyncio.to_thread(
            anomalies.found, since, until, metric=metric_name, service=service, limit=limit
        )
        return {"anomalies": [shown(each) for each in rows]}

    @routes.post("/{anomaly_id}/feedback", dependencies=[Depends(require(Action.ALERTS_WRITE))])
    async def judge(anomaly_id: str, said: Said) -> dict[str, Any]:
        """Say whether it was real."""
        anomaly = await asyncio.to_thread(anomalies.judge, anomaly_id, said.feedback.value)
        if anomaly is None:
            raise NoSuchAnomaly(f"there is no anomaly {anomaly_id}")
        return shown(anomaly)

    return routes


def _seconds(time_range: str) -> float:
    try:
        return parse_duration(time_range)
    except ValueError as error:
        raise BadInput(f"time_range: {error}") from error


def shown(anomaly: Anomaly) -> dict[str, Any]:
    """An anomaly as JSON; times are epoch seconds, ``ended_at`` is null while it lasts."""
    return {
        "id": anomaly.id,
        "metric_name": anomaly.metric,
        "labels": dict(anomaly.labels.items()),
        "service": anomaly.service,
        "severity": anomaly.severity.value,
        "started_at": anomaly.started_at,
        "peaked_at": anomaly.peaked_at,
        "ended_at": anomaly.ended_at or None,
        "score": anomaly.score,
        "confidence": anomaly.confidence,
        "value": anomaly.value,
        "expected": anomaly.expected,
        "lower": anomaly.lower,
        "upper": anomaly.upper,
        "direction": anomaly.direction,
        "cause": anomaly.cause,
        "explanation": anomaly.explanation,
        "feedback": anomaly.feedback or None,
    }
