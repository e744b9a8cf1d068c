"""``POST /api/rules/backtest``: what rules would have done over stored history."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.errors import describe
from pynomaly.api.prometheus.cancel import until_gone
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.rules.backtest import service
from pynomaly.rules.backtest.request import BacktestBody, request_of

LINES = "application/x-ndjson"
_SECONDS_BETWEEN = 1.0  # lines of progress, so that a client knows that somebody is there


def router(backtests: service.Backtests, clock: Clock) -> APIRouter:
    """The route under ``/api/rules``.

    Who accepts ``application/x-ndjson`` gets lines: ``{"progress": 0.25}``, …, and last
    ``{"result": …}`` or the error. A client that goes away ends the backtest.
    """
    routes = APIRouter(prefix="/api/rules", tags=["rules"])
    may = [Depends(require(Action.METRICS_READ)), Depends(require(Action.RULES_READ))]

    @routes.post("/backtest", dependencies=may)
    async def backtest(request: Request, body: BacktestBody) -> Response:
        """Run a backtest; see the reference of the API for the shape of the answer."""
        wanted = await asyncio.to_thread(request_of, body, clock.now())
        if LINES in request.headers.get("accept", ""):
            return StreamingResponse(_lines(backtests, wanted), media_type=LINES)
        result = await until_gone(request, backtests.run(wanted))
        content = await asyncio.to_thread(result.model_dump_json)
        return Response(content, media_type="application/json")

    return routes


async def _lines(backtests: service.Backtests, wanted: service.Request) -> AsyncIterator[bytes]:
    done = 0.0

    def progress(share: float) -> None:
        nonlocal done
        done = share

    work = asyncio.create_task(backtests.run(wanted, progress))
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=_SECONDS_BETWEEN)
            if not work.done():
                yield _line({"progress": round(done, 4)})
        try:
            result = work.result()
        except PynomalyError as error:
            yield _line(describe(error.kind, error.message, error.hint))
            return
        yield b'{"result":' + (await asyncio.to_thread(result.model_dump_json)).encode() + b"}\n"
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({work})


def _line(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content) + b"\n"
