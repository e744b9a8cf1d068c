"""Acts on the server itself, under Prometheus's paths."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action

Reload = Callable[[], Awaitable[None]]


def router(reload: Reload) -> APIRouter:
    """``POST /-/reload`` (or PUT): read the configuration files again.

    200 when they are in force; 400 with file, line and fault when one cannot be used, and then
    nothing has changed.
    """
    routes = APIRouter(prefix="/-", tags=["control"])

    async def read_again() -> Response:
        await reload()
        return Response("Reloaded.\n", media_type="text/plain")

    may = [Depends(require(Action.CONFIG_WRITE))]
    routes.add_api_route("/reload", read_again, methods=["POST", "PUT"], dependencies=may)
    return routes
