"""What the pages of backtests of detection and of its models ask for, and do."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action
from pynomaly.detection.algorithms.registry import DETECTORS
from pynomaly.detection.backtest.request import BacktestBody, request_of
from pynomaly.detection.backtest.service import DetectionBacktests
from pynomaly.detection.backtest.service import Request as BacktestRequest
from pynomaly.detection.backtest.work import JUDGE
from pynomaly.detection.watched.documents import model_document, training_document
from pynomaly.detection.watched.loaded import DRIFT
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.web.panels import encode

_READ = [Depends(require(Action.METRICS_READ))]
_CHANGE = [Depends(require(Action.CONFIG_WRITE))]


@dataclass(frozen=True, slots=True)
class DetectionDeps:
    """What those pages stand on."""

    watched: WatchedQueries
    backtests: DetectionBacktests


class Version(BaseModel):
    """A version of a model."""

    query: str
    algorithm: str
    version: int = Field(ge=1)


class Training(BaseModel):
    """What to train."""

    query: str


def detection_boot(deps: DetectionDeps | None) -> dict[str, Any]:
    """What the pages know at first: whether there is detection, by which names."""
    watched = deps.watched.queries if deps else []
    return {
        "there": deps is not None,
        "algorithms": [JUDGE, *DETECTORS],
        "queries": [{"name": each.name, "expr": each.expr} for each in watched],
    }


def router(deps: DetectionDeps, clock: Clock) -> APIRouter:
    """Everything under ``/data/detection``."""
    routes = APIRouter(prefix="/data/detection")
    watched = deps.watched

    @routes.post("/backtest", dependencies=_READ)
    async def backtest(body: BacktestBody) -> Response:
        """Lines of progress, and last the result or what is wrong."""
        wanted = request_of(body, clock.now())
        return StreamingResponse(_lines(deps.backtests, wanted), media_type="application/x-ndjson")

    @routes.get("/models", dependencies=_READ)
    async def models() -> Response:
        """Every version that is kept, how trainings are, and what is drawn of the drift."""
        versions = await watched.models()
        return _json(
            {
                "models": [model_document(each, watched.drift(each)) for each in versions],
                "trainings": [training_document(each) for each in watched.progress()],
                "queries": [each.name for each in watched.queries],
                "drift": DRIFT,
            }
        )

    @routes.post("/models/use", dependencies=_CHANGE)
    async def use(version: Version, request: Request) -> Response:
        """Use a version from now on."""
        audit_detail(request, **version.model_dump())
        used = await watched.roll_back(version.query, version.algorithm, version.version)
        return _json(model_document(used, watched.drift(used)))

    @routes.post("/models/train", dependencies=_CHANGE)
    async def train(wanted: Training, request: Request) -> Response:
        """Begin to train a query."""
        audit_detail(request, query=wanted.query)
        return _json(training_document(watched.train_soon(wanted.query)))

    return routes


async def _lines(backtests: DetectionBacktests, wanted: BacktestRequest) -> AsyncIterator[bytes]:
    async with aclosing(backtests.told(wanted)) as told:
        try:
            async for each in told:
                yield encode(each) + b"\n"
        except PynomalyError as error:
            yield encode({"error": str(error)}) + b"\n"


def _json(data: Any) -> Response:
    return Response(encode(data), media_type="application/json")
