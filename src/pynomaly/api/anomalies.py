"""Anomalies that were found, why, and what people say of them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.detection.documents import (
    anomaly_document,
    event_document,
    event_explanation_document,
    explanation_document,
)
from pynomaly.detection.events import Anomaly, Feedback
from pynomaly.detection.explanation import PastAnomalies, explain, explain_event
from pynomaly.detection.joint import Event, say_of_all
from pynomaly.detection.lessons import Alike
from pynomaly.model.clock import Clock
from pynomaly.model.duration import parse_duration
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels

_MOST = 1000


class Anomalies(PastAnomalies, Protocol):
    """Where they are kept; blocking."""

    def found(
        self, since: float, until: float, *, metric: str, service: str, limit: int
    ) -> list[Anomaly]:
        """Those that lasted at some time in ``[since, until]``, the newest first."""
        ...

    def events(
        self, since: float, until: float, *, metric: str, service: str, limit: int
    ) -> list[Event]:
        """The same by events: what began together in related series is one."""
        ...


class Judgements(Protocol):
    """What people say of them."""

    async def say(self, anomaly_id: str, feedback: Feedback) -> Anomaly:
        """Keep what a person says of one.

        Raises:
            NoSuchAnomaly: there is none with this id.
        """
        ...

    async def alike(self, anomaly: Anomaly) -> Alike:
        """What was said of others like it."""
        ...


class Said(BaseModel):
    """What a person says of an anomaly."""

    feedback: Feedback = Field(description="`real`, or `false` for a false alarm.")
    members: bool = Field(
        default=False, description="Say it of all anomalies of the event with this id."
    )


def router(
    anomalies: Anomalies,
    judgements: Judgements,
    clock: Clock,
    series: Callable[[], Sequence[Labels]] = tuple,
) -> APIRouter:
    """``/api/anomalies``; ``series``: those that are judged."""
    routes = APIRouter(prefix="/api/anomalies", tags=["anomalies"])
    read = [Depends(require(Action.METRICS_READ))]

    @routes.get("", dependencies=read)
    async def found(
        metric_name: str = "",
        service: str = "",
        time_range: str = "24h",
        limit: int = _MOST,
        flat: bool = False,
    ) -> dict[str, Any]:
        """Those of the last ``time_range``, the newest first; ``flat``: each series by itself."""
        if not 0 < limit <= _MOST:
            raise BadInput(f"limit is {limit}; 1 to {_MOST} is expected")
        until = clock.now()
        since = until - _seconds(time_range)
        wanted = {"metric": metric_name, "service": service}
        if flat:
            rows = await asyncio.to_thread(anomalies.found, since, until, **wanted, limit=limit)
            return {"anomalies": [anomaly_document(each) for each in rows]}
        events = await asyncio.to_thread(anomalies.events, since, until, **wanted, limit=limit)
        return {"anomalies": [event_document(each) for each in events]}

    @routes.get("/{anomaly_id}", dependencies=read)
    async def one(anomaly_id: str, flat: bool = False) -> dict[str, Any]:
        """One, with what else moved with it, and the last one like it.

        An event has its members, and which label values stand out; ``flat``: only the anomaly.
        ``alike`` says what people said of others like it (of an event, like its rarest one).
        """
        found = await asyncio.to_thread(explain_event, anomalies, anomaly_id, series())
        if found is not None and len(found.event.members) > 1 and not flat:
            return event_explanation_document(found, await judgements.alike(found.event.head))
        one = await asyncio.to_thread(explain, anomalies, anomaly_id)
        return explanation_document(one, await judgements.alike(one.anomaly))

    @routes.post("/{anomaly_id}/feedback", dependencies=[Depends(require(Action.ALERTS_WRITE))])
    async def judge(anomaly_id: str, said: Said) -> dict[str, Any]:
        """Say whether it was real; with ``members``, of all anomalies of an event."""
        event = await asyncio.to_thread(anomalies.group, anomaly_id) if said.members else None
        if event is None:
            return anomaly_document(await judgements.say(anomaly_id, said.feedback))

        async def say(each: str) -> Anomaly:
            return await judgements.say(each, said.feedback)

        return event_document(await say_of_all(event, say))

    return routes


def _seconds(time_range: str) -> float:
    try:
        return parse_duration(time_range)
    except ValueError as error:
        raise BadInput(f"time_range: {error}") from error
