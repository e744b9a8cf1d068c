"""Backtests of routing as their page asks for them: lines of progress, and last the result."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.alerting.backtest.result import (
    Rerouted,
    RoutingBacktest,
    RoutingReport,
    UnheardAlert,
)
from pynomaly.alerting.backtest.service import RoutingBacktestBody, RoutingBacktests
from pynomaly.model.errors import PynomalyError
from pynomaly.web.panels import encode

Snapshot = dict[str, Any]

MAX_ROWS = 200
"""Alerts of a list; how many there are stands beside it."""

_LOOK_SECONDS = 0.2


def add_rerouting(routes: APIRouter, backtests: RoutingBacktests) -> None:
    """The route by which the page runs one."""
    may = [Depends(require(Action.ALERTS_READ)), Depends(require(Action.METRICS_READ))]

    @routes.post("/routing/backtest", dependencies=may)
    async def backtest(body: RoutingBacktestBody) -> Response:
        """Who would have been told; closing the connection ends it."""
        return StreamingResponse(_lines(backtests, body), media_type="application/x-ndjson")


async def _lines(backtests: RoutingBacktests, body: RoutingBacktestBody) -> AsyncIterator[bytes]:
    async with aclosing(told(backtests, body)) as lines:
        async for line in lines:
            yield await asyncio.to_thread(encode, line) + b"\n"


async def told(
    backtests: RoutingBacktests, body: RoutingBacktestBody
) -> AsyncGenerator[Snapshot, None]:
    """``progress`` (0 to 1) a few times a second, then ``result``, or ``error``.

    Whoever stops listening ends the backtest.
    """
    far = [0.0]

    def progress(share: float) -> None:
        far[0] = share

    running = asyncio.create_task(backtests.run(body, progress))
    try:
        while not (await asyncio.wait([running], timeout=_LOOK_SECONDS))[0]:
            yield {"progress": far[0]}
        result = await running
        yield {"result": await asyncio.to_thread(result_json, result)}
    except PynomalyError as error:
        yield {"error": str(error)}
    finally:
        running.cancel()
        await asyncio.wait([running])


def result_json(found: RoutingBacktest) -> Snapshot:
    """A result with at most ``MAX_ROWS`` alerts in each list, the newest, and their numbers."""
    return {
        "start": found.start,
        "end": found.end,
        "alerts": found.alerts,
        "notes": list(found.notes),
        "report": _report(found.report),
        "against": _report(found.against) if found.against is not None else None,
        "rerouted": {
            "total": len(found.rerouted),
            "rows": _newest(found.rerouted),
        },
    }


def _report(report: RoutingReport) -> Snapshot:
    return {
        "notifications": report.notifications,
        "heard": report.heard,
        "ways": [way.model_dump() for way in report.ways],
        "unheard": {
            "total": len(report.unheard),
            "rows": _newest(report.unheard),
        },
    }


def _newest(rows: Sequence[Rerouted | UnheardAlert]) -> list[Snapshot]:
    ordered = sorted(rows, key=lambda row: row.fired_at, reverse=True)
    return [row.model_dump() for row in ordered[:MAX_ROWS]]
