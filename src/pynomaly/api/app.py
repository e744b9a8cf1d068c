"""The application on 8090, assembled."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from pynomaly import __version__
from pynomaly.api import errors


def create_app(routers: Sequence[APIRouter]) -> FastAPI:
    """Every router, and one shape for every error. Put it behind ``AccessMiddleware``."""
    app = FastAPI(
        title="Pynomaly", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    for router in routers:
        app.include_router(router)
    errors.install(app)
    return app
