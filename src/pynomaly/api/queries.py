"""``GET /api/queries``: which queries run, and which ran."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.promql.query_log import QueryLog


def router(queries: QueryLog) -> APIRouter:
    """The route under ``/api``."""
    routes = APIRouter(prefix="/api", tags=["queries"])

    @routes.get("/queries", dependencies=[Depends(require(Action.METRICS_READ))])
    async def known() -> dict[str, Any]:
        """Those that run, the oldest first, and the last 200 that ended, the newest first."""
        return {
            "active": [asdict(record) for record in queries.active()],
            "recent": [asdict(record) for record in queries.recent()],
        }

    return routes
