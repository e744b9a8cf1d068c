"""The doors through which others push samples: one module per protocol."""

from fastapi import APIRouter

from pynomaly.api.ingest.imports import router as imports_router
from pynomaly.api.ingest.json_metrics import router as json_router
from pynomaly.api.ingest.remote_write import router as remote_write_router
from pynomaly.ingest.push import PushDeps


def router(deps: PushDeps) -> APIRouter:
    """All doors: ``/api/v1/write``, ``/api/metrics``, ``/api/v1/import``."""
    routes = APIRouter()
    routes.include_router(remote_write_router(deps))
    routes.include_router(json_router(deps))
    routes.include_router(imports_router(deps))
    return routes
