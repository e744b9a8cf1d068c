"""The HTTP API, instrumented, with its health checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from detection_service.accounts import LoginFailed, NotAllowed, User
from detection_service.archive import ArchiveFull
from detection_service.database import NoSuchRow
from detection_service.faults import NoSuchFault
from detection_service.learning import MODEL, VERSION
from detection_service.plant import FEATURES
from detection_service.service import DetectionService
from detection_service.settings import Settings
from detection_service.work import QueueFull
from pynomaly.observability import (
    HealthMonitor,
    MetricsCollector,
    checks,
    instrument,
)

_STATUS: dict[type[Exception], int] = {
    NoSuchFault: 404,
    LoginFailed: 401,
    NotAllowed: 403,
    NoSuchRow: 404,
    ValueError: 422,
    QueueFull: 429,
    SQLAlchemyError: 503,
    ArchiveFull: 507,
}

Row = Annotated[list[float], Field(min_length=len(FEATURES), max_length=len(FEATURES))]


class Login(BaseModel):
    """Who wants in."""

    user: str = Field(max_length=100)
    password: str = Field(max_length=100)


class Measured(BaseModel):
    """Readings of a machine: each has the four features of ``plant.FEATURES``."""

    machine: str = Field(max_length=100)
    readings: Annotated[list[Row], Field(min_length=1, max_length=1000)]


class Truth(BaseModel):
    """Which readings were of a machine that was not well."""

    anomalous: list[bool]


class FaultPlan(BaseModel):
    """When a fault is switched on, and for how long, in seconds."""

    after: float = Field(default=0.0, ge=0, le=86_400)
    lasts: float = Field(default=60.0, gt=0, le=3600)


def create_app(settings: Settings, metrics: MetricsCollector | None = None) -> FastAPI:
    """The service as a FastAPI application, instrumented; ``app.state.service`` is what it does."""
    metrics = metrics or MetricsCollector()
    service = DetectionService(settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    app = FastAPI(title="Detection service", lifespan=lifespan)
    app.state.service = service
    for error, status in _STATUS.items():
        app.add_exception_handler(error, _answers(status))
    app.include_router(_api(service))
    app.include_router(_faults(service))
    return instrument(app, metrics=metrics, monitor=_health(service))


def _health(service: DetectionService) -> HealthMonitor:
    health, settings = HealthMonitor(service.metrics.registry), service.settings
    health.add("database", checks.sql(service.database.engine))
    health.add("archive", service.archive.check)
    health.add("disk", checks.disk(settings.data_dir), critical=False)
    health.add("memory", checks.memory(), critical=False)
    jobs = checks.queue(lambda: len(service.queue), degraded_above=settings.queue_capacity / 2)
    health.add("jobs", jobs, critical=False)
    return health


def _answers(status: int) -> Any:
    def answer(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status)

    return answer


def _api(service: DetectionService) -> APIRouter:
    def user(authorization: Annotated[str, Header()] = "") -> User:
        return service.accounts.user(authorization.removeprefix("Bearer "))

    def reliable() -> None:
        service.errors.perhaps_fail()

    everybody = APIRouter(prefix="/api/v1", dependencies=[Depends(reliable)])
    routes = APIRouter(dependencies=[Depends(user)])

    @everybody.post("/login")
    def log_in(login: Login) -> dict[str, str]:
        return {"token": service.accounts.log_in(login.user, login.password)}

    @routes.post("/detections")
    def detect(measured: Measured) -> dict[str, Any]:
        number, flags = service.detect(measured.machine, measured.readings)
        return {"id": number, "anomalous": flags}

    @routes.get("/detections")
    def detections(limit: int = 20) -> list[dict[str, Any]]:
        service.metrics.security.data_access.labels("detections", "read").inc()
        limit = max(1, min(limit, 200))
        found: list[dict[str, Any]] = service.cache.get(
            f"detections {limit}", lambda: service.database.detections(limit)
        )
        return found

    @routes.post("/detections/{detection_id}/labels", status_code=204)
    def label(detection_id: int, truth: Truth) -> None:
        service.label(detection_id, truth.anomalous)

    @routes.get("/model")
    def model() -> dict[str, Any]:
        return {"model": MODEL, "version": VERSION, "trees": len(service.model.forest.estimators_)}

    @routes.post("/jobs/detection", status_code=202)
    def queue_detection(measured: Measured) -> dict[str, int]:
        return {"id": service.queue_detection(measured.machine, measured.readings)}

    @routes.post("/jobs/training", status_code=202)
    def queue_training(who: Annotated[User, Depends(user)]) -> dict[str, int]:
        service.accounts.may_train(who)
        return {"id": service.queue_training()}

    @routes.get("/jobs/{job_id}")
    def job(job_id: int) -> dict[str, Any]:
        return service.database.job(job_id)

    everybody.include_router(routes)
    return everybody


def _faults(service: DetectionService) -> APIRouter:
    """Switching faults on and off: without a login, since the service listens on this machine."""
    board = service.switchboard
    routes = APIRouter(prefix="/faults")

    @routes.get("")
    async def faults() -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "says": fault.says,
                "on": board.is_on(name),
                "begins": plan.begins if (plan := board.planned(name)) else None,
                "ends": plan.ends if plan else None,
            }
            for name, fault in board.faults.items()
        ]

    @routes.post("/{name}", status_code=204)
    async def plan(name: str, plan: FaultPlan) -> None:
        board.plan(name, plan.after, plan.lasts)
        service.metrics.security.privileged.labels("switch_fault").inc()

    @routes.delete("/{name}", status_code=204)
    async def cancel(name: str) -> None:
        board.cancel(name)

    return routes
