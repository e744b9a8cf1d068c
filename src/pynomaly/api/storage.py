"""What the store says of itself."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action

Verify = Callable[[], Awaitable[dict[str, Any]]]


def router(verify: Verify) -> APIRouter:
    """``GET /api/storage/verify``: counts of rows, duplicates and orphans; reads everything."""
    routes = APIRouter(prefix="/api/storage", tags=["storage"])

    @routes.get("/verify", dependencies=[Depends(require(Action.ADMIN))])
    async def report() -> dict[str, Any]:
        """The report of ``pynomaly storage verify``."""
        return await verify()

    return routes
