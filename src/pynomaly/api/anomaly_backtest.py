"""``POST /api/anomalies/backtest``: which anomalies would have been told of stored history."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.errors import describe
from pynomaly.api.prometheus.cancel import until_gone
from pynomaly.detection.backtest import service
from pynomaly.detection.backtest.request import BacktestBody, request_of
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError

LINES = "application/x-ndjson"


def router(backtests: service.DetectionBacktests, clock: Clock) -> APIRouter:
    """The route under ``/api/anomalies``.

    Who accepts ``application/x-ndjson`` gets lines: ``{"progress": 0.25}``, …, and last
    ``{"result": …}`` or the error. A client that goes away ends the backtest.
    """
    routes = APIRouter(prefix="/api/anomalies", tags=["anomalies"])

    @routes.post("/backtest", dependencies=[Depends(require(Action.METRICS_READ))])
    async def backtest(request: Request, body: BacktestBody) -> Response:
        """Run a backtest; see the reference of the API for the shape of the answer."""
        wanted = request_of(body, clock.now())
        if LINES in request.headers.get("accept", ""):
            return StreamingResponse(_lines(backtests, wanted), media_type=LINES)
        result = await until_gone(request, backtests.run(wanted))
        return Response(orjson.dumps(result), media_type="application/json")

    return routes


async def _lines(
    backtests: service.DetectionBacktests, wanted: service.Request
) -> AsyncIterator[bytes]:
    async with aclosing(backtests.told(wanted)) as told:
        try:
            async for each in told:
                yield orjson.dumps(each) + b"\n"
        except PynomalyError as error:
            yield orjson.dumps(describe(error.kind, error.message, error.hint)) + b"\n"
