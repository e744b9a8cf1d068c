"""What the page of anomalies asks for, and does."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action
from pynomaly.calendar.charts import ChartEvents
from pynomaly.detection.documents import (
    event_document,
    event_explanation_document,
    explanation_document,
)
from pynomaly.detection.events import Anomaly, Feedback, NoSuchAnomaly
from pynomaly.detection.explanation import explain, explain_event
from pynomaly.detection.feedback import FeedbackKeeper
from pynomaly.detection.joint import Event, say_of_all
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.rules.service import AnomalyRules
from pynomaly.detection.service import Progress
from pynomaly.figures.anomalies import HOUR_MS, anomaly_rate, anomaly_rate_figure
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.web.anomaly_charts import chart_queries
from pynomaly.web.anomaly_rules import router as rules_router
from pynomaly.web.panels import encode

_READ = [Depends(require(Action.METRICS_READ))]
_WRITE = [Depends(require(Action.ALERTS_WRITE))]
_MOST = 1000
_Moment = Annotated[float, Query(ge=0, le=1e11)]

Snapshot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AnomalyDeps:
    """What the page of anomalies stands on."""

    anomalies: AnomalyRepository
    feedback: FeedbackKeeper
    progress: Callable[[], Progress]
    series: Callable[[], Sequence[Labels]] = tuple
    """Those that are judged."""
    rules: AnomalyRules | None = None


class Said(BaseModel):
    """What a person says of an anomaly, or of all ``members`` of an event."""

    feedback: Feedback
    members: bool = False


def anomalies_snapshot(deps: AnomalyDeps | None) -> Snapshot:
    """Enough to know that there is something new to read, and how many series are judged."""
    progress = deps.progress() if deps is not None else Progress()
    return {
        "changes": deps.anomalies.changes if deps is not None else 0,
        "judged": progress.judged,
        "learning": progress.learning,
    }


def router(deps: AnomalyDeps, clock: Clock, happened: ChartEvents) -> APIRouter:
    """Everything under ``/data/anomalies`` but their snapshot. ``happened``: events of charts."""
    routes = APIRouter(prefix="/data/anomalies")
    if deps.rules is not None:
        routes.include_router(rules_router(deps.rules))
    kept = deps.anomalies

    @routes.get("/list", dependencies=_READ)
    async def found(since: _Moment, until: _Moment) -> Response:
        """The events that lasted at some time in the range (epoch seconds), the newest first."""
        rows = await asyncio.to_thread(kept.events, since, until, limit=_MOST)
        cut = len(rows) == _MOST
        return _json({"anomalies": [event_document(each) for each in rows], "cut": cut})

    @routes.get("/rate", dependencies=_READ)
    async def rate(hours: Annotated[int, Query(ge=1, le=24 * 31)] = 168) -> Response:
        """The heat map of the last hours."""
        figure = await asyncio.to_thread(_rate_figure, kept, clock.now(), hours)
        return _json(figure | {"events": _happened(figure, happened)})

    @routes.get("/{event_id}/together", dependencies=_READ)
    async def together(event_id: str) -> Response:
        """An event with its members, what they have in common, and what else moved with it."""
        found = await asyncio.to_thread(explain_event, kept, event_id, deps.series())
        if found is None:
            raise NoSuchAnomaly(event_id)
        alike = await deps.feedback.alike(found.event.head)
        return _json(event_explanation_document(found, alike))

    @routes.get("/{anomaly_id}", dependencies=_READ)
    async def one(anomaly_id: str) -> Response:
        """One with what moved with it, the last one like it, and what to draw."""
        explanation = await asyncio.to_thread(explain, kept, anomaly_id)
        chart = {"queries": chart_queries(explanation.anomaly)}
        alike = await deps.feedback.alike(explanation.anomaly)
        return _json({**explanation_document(explanation, alike), "chart": chart})

    @routes.post("/{anomaly_id}/feedback", dependencies=_WRITE)
    async def say(anomaly_id: str, said: Said, request: Request) -> Response:
        """Say whether it was real."""
        audit_detail(request, anomaly=anomaly_id, feedback=said.feedback.value)
        event = await asyncio.to_thread(kept.group, anomaly_id) if said.members else None
        if event is None:
            judged = await deps.feedback.say(anomaly_id, said.feedback)
            return _json(event_document(Event(judged.group_id or judged.id, (judged,))))

        async def say_it(each: str) -> Anomaly:
            return await deps.feedback.say(each, said.feedback)

        return _json(event_document(await say_of_all(event, say_it)))

    return routes


def _rate_figure(kept: AnomalyRepository, now: float, hours: int) -> Snapshot:
    starts = kept.starts(now - hours * 3600.0, now)
    return anomaly_rate_figure(anomaly_rate(starts, round(now * 1000), hours))


def _happened(figure: Snapshot, happened: ChartEvents) -> list[Snapshot]:
    """The events that concern one of the services of a heat map."""
    (trace,) = figure["data"]
    services, hours = trace["meta"]["services"], trace["meta"]["hours"]
    series = [{"service": service} if service else {} for service in services]
    return happened.of(series, hours[0], hours[-1] + HOUR_MS) if hours else []


def _json(data: Any) -> Response:
    return Response(encode(data), media_type="application/json")
