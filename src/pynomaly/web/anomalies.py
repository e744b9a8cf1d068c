"""What the page of anomalies asks for, and does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action
from pynomaly.detection.documents import anomaly_document, explanation_document
from pynomaly.detection.events import Feedback
from pynomaly.detection.explanation import explain
from pynomaly.detection.feedback import FeedbackKeeper
from pynomaly.detection.points import is_counter
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.service import Progress
from pynomaly.detection.verdicts import BAND, verdict_labels
from pynomaly.figures.anomalies import anomaly_rate, anomaly_rate_figure
from pynomaly.model.clock import Clock
from pynomaly.model.labels import METRIC_NAME, Labels, quoted
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


class Said(BaseModel):
    """What a person says of an anomaly."""

    feedback: Feedback


def anomalies_snapshot(deps: AnomalyDeps | None) -> Snapshot:
    """Enough to know that there is something new to read, and how many series are judged."""
    progress = deps.progress() if deps is not None else Progress()
    return {
        "changes": deps.anomalies.changes if deps is not None else 0,
        "judged": progress.judged,
        "learning": progress.learning,
    }


def router(deps: AnomalyDeps, clock: Clock) -> APIRouter:
    """Everything under ``/data/anomalies`` but their snapshot."""
    routes = APIRouter(prefix="/data/anomalies")
    kept = deps.anomalies

    @routes.get("/list", dependencies=_READ)
    async def found(since: _Moment, until: _Moment) -> Response:
        """Those that lasted at some time in the range (epoch seconds), the newest first."""
        rows = await asyncio.to_thread(kept.found, since, until, limit=_MOST)
        cut = len(rows) == _MOST
        return _json({"anomalies": [anomaly_document(each) for each in rows], "cut": cut})

    @routes.get("/rate", dependencies=_READ)
    async def rate(hours: Annotated[int, Query(ge=1, le=24 * 31)] = 168) -> Response:
        """The heat map of the last hours."""
        return _json(await asyncio.to_thread(_rate_figure, kept, clock.now(), hours))

    @routes.get("/{anomaly_id}", dependencies=_READ)
    async def one(anomaly_id: str) -> Response:
        """One with what moved with it, the last one like it, and what to draw."""
        explanation = await asyncio.to_thread(explain, kept, anomaly_id)
        chart = {"queries": chart_queries(explanation.anomaly.labels)}
        return _json({**explanation_document(explanation), "chart": chart})

    @routes.post("/{anomaly_id}/feedback", dependencies=_WRITE)
    async def say(anomaly_id: str, said: Said, request: Request) -> Response:
        """Say whether it was real."""
        audit_detail(request, anomaly=anomaly_id, feedback=said.feedback.value)
        return _json(anomaly_document(await deps.feedback.say(anomaly_id, said.feedback)))

    return routes


def _rate_figure(kept: AnomalyRepository, now: float, hours: int) -> Snapshot:
    starts = kept.starts(now - hours * 3600.0, now)
    return anomaly_rate_figure(anomaly_rate(starts, round(now * 1000), hours))


def chart_queries(labels: Labels) -> list[Snapshot]:
    """The series (of a counter its rate), what was expected of it, and its band, in this order."""
    series = selector(labels)
    drawn = f"rate({series}[$__rate_interval])" if is_counter(labels.name) else series
    verdicts = zip(BAND, ("expected", "band from", "band to"), strict=True)
    return [
        {"expr": drawn, "legend": ""},
        *(
            {"expr": selector(verdict_labels(labels, name)), "legend": legend}
            for name, legend in verdicts
        ),
    ]


def selector(labels: Labels) -> str:
    """The selector of one series, whatever its names are.

    >>> selector(Labels({"__name__": "up", "job": "a"}))
    '{__name__="up", job="a"}'
    """
    pairs = [(METRIC_NAME, labels.name), *((n, v) for n, v in labels.items() if n != METRIC_NAME)]
    return "{" + ", ".join(f"{_name(n)}={quoted(v)}" for n, v in pairs) + "}"


def _name(name: str) -> str:
    plain = name.isascii() and name.isidentifier()
    return name if plain else quoted(name)


def _json(data: Any) -> Response:
    return Response(encode(data), media_type="application/json")
