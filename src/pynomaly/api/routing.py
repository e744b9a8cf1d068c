"""``/api/routes``: the routing tree in force, where an alert would go, and backtests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.alerting.alertmanager.tree import as_json, node_as_json
from pynomaly.alerting.backtest.service import RoutingBacktestBody, RoutingBacktests
from pynomaly.api.prometheus.cancel import until_gone
from pynomaly.model.clock import Clock
from pynomaly.model.document import Section
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.model.times import parse_moment


class RouteTest(Section):
    """An alert by its labels, and when."""

    labels: dict[str, str]
    at: str | float = Field(default="now")


@dataclass(frozen=True, slots=True)
class RoutingDeps:
    """What the routes stand on. ``config``: the configuration in force."""

    config: Callable[[], AlertmanagerConfig]
    backtests: RoutingBacktests
    clock: Clock


def router(deps: RoutingDeps) -> APIRouter:
    """Everything under ``/api/routes``."""
    routes = APIRouter(prefix="/api/routes", tags=["routes"])
    may_read = [Depends(require(Action.ALERTS_READ))]

    @routes.get("", dependencies=may_read)
    async def tree() -> dict[str, Any]:
        """The tree, each node with what it has from above, and the receivers."""
        config = deps.config()
        return {"route": as_json(build_routes(config)), "receivers": _receivers(config)}

    @routes.post("/test", dependencies=may_read)
    async def test(asked: RouteTest) -> dict[str, Any]:
        """Where an alert would go, in the order of the tree; ``silent`` says why a route is."""
        config, labels = deps.config(), Labels(asked.labels)
        at = _moment(asked.at, deps.clock.now())
        ends = build_routes(config).match(labels)
        return {"routes": [_end(end, config, labels, at) for end in ends]}

    @routes.post("/backtest", dependencies=[*may_read, Depends(require(Action.METRICS_READ))])
    async def backtest(request: Request, body: RoutingBacktestBody) -> Response:
        """Who would have been told of past alerts; see the reference for the shape."""
        result = await until_gone(request, deps.backtests.run(body))
        content = await asyncio.to_thread(result.model_dump_json)
        return Response(content, media_type="application/json")

    return routes


def _receivers(config: AlertmanagerConfig) -> list[dict[str, Any]]:
    return [
        {
            "name": receiver.name,
            "integrations": [f"{way.kind}[{way.index}]" for way in receiver.integrations()],
        }
        for receiver in config.receivers
    ]


def _moment(text: str | float, now: float) -> float:
    try:
        return parse_moment(str(text), now)
    except ValueError as error:
        raise BadInput(f"at: {error}") from error


def _end(end: Route, config: AlertmanagerConfig, labels: Labels, at: float) -> dict[str, Any]:
    mute, active = end.mute_time_intervals, end.active_time_intervals
    return {
        **node_as_json(end),
        "group_labels": dict(end.group_labels(labels)),
        "silent": config.intervals.why_silent(mute, active, at),
    }
