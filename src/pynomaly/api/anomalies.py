"""Anomalies that were found, why, and what people say of them."""

import asyncio
from typing import Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.detection.documents import anomaly_document, explanation_document
from pynomaly.detection.events import Anomaly, Feedback
from pynomaly.detection.explanation import PastAnomalies, explain
from pynomaly.model.clock import Clock
from pynomaly.model.duration import parse_duration
from pynomaly.model.errors import BadInput

_MOST = 1000


class Anomalies(PastAnomalies, Protocol):
    """Where they are kept; blocking."""

    def found(
        self, since: float, until: float, *, metric: str, service: str, limit: int
    ) -> list[Anomaly]:
        """Those that lasted at some time in ``[since, until]``, the newest first."""
        ...


class Judgements(Protocol):
    """What people say of them."""

    async def say(self, anomaly_id: str, feedback: Feedback) -> Anomaly:
        """Keep what a person says of one.

        Raises:
            NoSuchAnomaly: there is none with this id.
        """
        ...


class Said(BaseModel):
    """What a person says of an anomaly."""

    feedback: Feedback = Field(description="`real`, or `false` for a false alarm.")


def router(anomalies: Anomalies, judgements: Judgements, clock: Clock) -> APIRouter:
    """``/api/anomalies``."""
    routes = APIRouter(prefix="/api/anomalies", tags=["anomalies"])
    read = [Depends(require(Action.METRICS_READ))]

    @routes.get("", dependencies=read)
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
        return {"anomalies": [anomaly_document(each) for each in rows]}

    @routes.get("/{anomaly_id}", dependencies=read)
    async def one(anomaly_id: str) -> dict[str, Any]:
        """One, with what else moved with it, and the last one like it."""
        return explanation_document(await asyncio.to_thread(explain, anomalies, anomaly_id))

    @routes.post("/{anomaly_id}/feedback", dependencies=[Depends(require(Action.ALERTS_WRITE))])
    async def judge(anomaly_id: str, said: Said) -> dict[str, Any]:
        """Say whether it was real."""
        return anomaly_document(await judgements.say(anomaly_id, said.feedback))

    return routes


def _seconds(time_range: str) -> float:
    try:
        return parse_duration(time_range)
    except ValueError as error:
        raise BadInput(f"time_range: {error}") from error
