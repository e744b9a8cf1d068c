"""Is it alive, is it ready, how are its parts: for probes and for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.observability import REGISTRY


class ComponentStatus(StrEnum):
    """How a part is."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """A part's status and, unless it is well, why."""

    status: ComponentStatus
    reason: str = ""


class SystemHealth(Protocol):
    """Where the state of the parts comes from."""

    def ready(self) -> bool:
        """Whether queries are answered and samples taken in."""
        ...

    def components(self) -> Mapping[str, ComponentHealth]:
        """Every part by its name in the configuration."""
        ...


def overall(components: Mapping[str, ComponentHealth]) -> str:
    """``unhealthy`` when a part has failed, ``degraded`` when one is, else ``healthy``."""
    states = {c.status for c in components.values()}
    if ComponentStatus.FAILED in states:
        return "unhealthy"
    return "degraded" if ComponentStatus.DEGRADED in states else "healthy"


def router(health: SystemHealth) -> APIRouter:
    """``/api/health/*`` for orchestrators, ``/api/system-health`` for people, ``/metrics``."""
    routes = APIRouter()
    anyone = [Depends(require(Action.HEALTH_READ))]

    @routes.get("/api/health/live", dependencies=anyone)
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @routes.get("/api/health/ready", dependencies=anyone)
    async def ready() -> JSONResponse:
        """503 until samples are taken in and queries answered, and while stopping."""
        if health.ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    @routes.get("/api/system-health", dependencies=[Depends(require(Action.METRICS_READ))])
    async def system_health() -> dict[str, Any]:
        """The product as a whole and each of its parts, with the reason where one is not well."""
        components = health.components()
        return {
            "overall_status": overall(components),
            "components": {name: _shown(c) for name, c in components.items()},
        }

    @routes.get("/metrics", dependencies=[Depends(require(Action.METRICS_READ))])
    def metrics() -> Response:
        """The product's own metrics, as Prometheus scrapes them."""
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return routes


def _shown(component: ComponentHealth) -> dict[str, str]:
    shown = {"status": str(component.status)}
    return {**shown, "reason": component.reason} if component.reason else shown
