"""The pages on port 8080: built from what it is given, owning nothing but its own tasks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.calendar.charts import ChartEvents
from pynomaly.model.clock import now_ms
from pynomaly.model.errors import PynomalyError
from pynomaly.web.alerts.router import router as alerts_router
from pynomaly.web.anomalies import router as anomalies_router
from pynomaly.web.assets import Assets
from pynomaly.web.backtest import BacktestSpec, run_backtest
from pynomaly.web.deps import Status, WebDeps
from pynomaly.web.detection import router as detection_router
from pynomaly.web.evaluate import Evaluator
from pynomaly.web.happened import HappenedSpec, happened
from pynomaly.web.live import LiveViews
from pynomaly.web.lookup import LIMIT, Lookup
from pynomaly.web.pages import Pages, explorer_address
from pynomaly.web.panels import PanelSpec, encode
from pynomaly.web.rules import rulebook
from pynomaly.web.snapshots import TOPICS, Snapshots, health_json
from pynomaly.web.socket import LiveSocket, explain_fault

# Plotly sets styles from scripts; scripts themselves come from here only.
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_TEXT = Query(max_length=500)

_PAGES_READ = [Depends(require(Action.PAGES_READ))]
_METRICS_READ = [Depends(require(Action.METRICS_READ))]
_RULES_READ = [Depends(require(Action.RULES_READ))]
_HEALTH_READ = [Depends(require(Action.HEALTH_READ))]


class JsonResponse(Response):
    """JSON in which NaN is null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode."""
        return encode(content)


def create_app(deps: WebDeps) -> FastAPI:
    """The pages as an application; its lifespan runs what keeps them live."""
    settings = deps.settings
    slots = asyncio.Semaphore(settings.evaluations_at_once)
    events = ChartEvents(deps.calendar)
    evaluator = Evaluator(deps.querier, slots, settings.query_timeout_seconds, events)
    snapshots = Snapshots(deps)
    views = LiveViews(
        evaluator,
        snapshots,
        deps.bus,
        deps.clock,
        tick=settings.tick_seconds,
        idle_tick=settings.idle_tick_seconds,
        max_panels=settings.max_live_panels,
    )

    assets = Assets()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        serving = asyncio.create_task(views.run(), name="live pages")
        warming = asyncio.create_task(asyncio.to_thread(assets.warm), name="compress plotly")
        yield
        await warming
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    app = FastAPI(
        title="Pynomaly", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    _add_headers(app)
    _add_pages(app, deps, assets)
    if deps.alerting is not None:
        app.include_router(alerts_router(deps, deps.alerting))
    if deps.anomalies is not None:
        app.include_router(anomalies_router(deps.anomalies, deps.clock, events))
    if deps.detection is not None:
        app.include_router(detection_router(deps.detection, deps.clock))
    _add_data(app, deps, evaluator, snapshots, views)
    _add_lookup(app, Lookup(deps.reader, deps.clock))
    socket = LiveSocket(views, deps.bus, deps.clock, settings)

    @app.websocket("/ws", dependencies=_METRICS_READ)
    async def live(websocket: WebSocket) -> None:
        await socket.serve(websocket)

    return app


def _add_headers(app: FastAPI) -> None:
    @app.middleware("http")
    async def secure(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        for name, value in _SECURITY.items():
            response.headers.setdefault(name, value)
        if not request.url.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(
            explain_fault(fault["loc"][1:], fault["msg"]) for fault in error.errors()
        )
        return JsonResponse({"error": faults}, status_code=400)

    @app.exception_handler(PynomalyError)
    async def answer(_: Request, error: PynomalyError) -> Response:
        return JsonResponse({"error": str(error), "kind": error.kind}, status_code=error.status)


def _add_pages(app: FastAPI, deps: WebDeps, assets: Assets) -> None:
    pages = Pages(deps, assets)
    for page in pages.all():
        app.add_api_route(
            page.path, page.respond, methods=["GET"], name=page.name, dependencies=_PAGES_READ
        )

    @app.get("/graph", dependencies=_PAGES_READ)
    async def graph(request: Request) -> Response:
        """Links as Prometheus's ``graphLink`` and ``tableLink`` make them lead to the explorer."""
        return RedirectResponse(explorer_address(request.query_params.multi_items()))

    @app.get("/runbooks/{name}", dependencies=_PAGES_READ)
    async def runbook(name: str) -> Response:
        return await pages.runbook(name)

    @app.get(f"{assets.root}/{{name:path}}", dependencies=_PAGES_READ)
    async def own(name: str, request: Request) -> Response:
        return await asyncio.to_thread(assets.own, name, request)

    @app.get(assets.plotly, dependencies=_PAGES_READ)
    async def plotly(request: Request) -> Response:
        return await asyncio.to_thread(assets.plotly_response, request)

    @app.get("/favicon.ico", dependencies=_PAGES_READ)
    async def favicon(request: Request) -> Response:
        return assets.own("icon.svg", request)


def _add_data(
    app: FastAPI, deps: WebDeps, evaluator: Evaluator, snapshots: Snapshots, views: LiveViews
) -> None:
    @app.get("/health", dependencies=_HEALTH_READ)
    async def health() -> Response:
        current = deps.health()
        down = current.status is Status.DOWN
        return JsonResponse(health_json(current), status_code=503 if down else 200)

    @app.post("/data/panel", dependencies=_METRICS_READ)
    async def panel(spec: PanelSpec) -> Response:
        """One chart or table as it is now; pages use it for ranges that do not move."""
        at = now_ms(deps.clock)
        if spec.kind == "table":
            return JsonResponse(await evaluator.table(spec, at))
        message, _ = await evaluator.graph(spec, at, views.marks(spec))
        return JsonResponse(message)

    @app.post("/data/happened", dependencies=_METRICS_READ)
    async def events(spec: HappenedSpec) -> Response:
        """The events of a chart that a page draws itself."""
        return JsonResponse({"events": happened(spec, evaluator.events)})

    @app.get("/data/rulebook", dependencies=_RULES_READ)
    async def book() -> Response:
        """What the rules are; a page asks again when their state tells another version."""
        return JsonResponse(rulebook(deps.rules.groups(), deps.notes))

    @app.post("/data/backtest", dependencies=_RULES_READ)
    async def backtest(spec: BacktestSpec) -> Response:
        """What a rule would have done over a stretch of stored history."""
        return JsonResponse(await run_backtest(deps, spec, evaluator.events))

    @app.get("/data/{topic}", dependencies=_METRICS_READ)
    async def snapshot(topic: str) -> Response:
        """Alerts, silences, anomalies, targets, rules or the overview as they are now."""
        if topic not in TOPICS:
            return JsonResponse({"error": f"there is no {topic!r}"}, status_code=404)
        return JsonResponse(await snapshots.take(topic))


def _add_lookup(app: FastAPI, lookup: Lookup) -> None:
    @app.get("/lookup/metrics", dependencies=_METRICS_READ)
    async def metrics(
        text: Annotated[str, _TEXT] = "", limit: Annotated[int, Query(ge=1, le=500)] = LIMIT
    ) -> Response:
        return JsonResponse(await lookup.metrics(text, limit))

    @app.get("/lookup/labels", dependencies=_METRICS_READ)
    async def labels(metric: Annotated[str, _TEXT] = "") -> Response:
        return JsonResponse(await lookup.labels(metric))

    @app.get("/lookup/values", dependencies=_METRICS_READ)
    async def values(
        label: Annotated[str, _TEXT],
        metric: Annotated[str, _TEXT] = "",
        text: Annotated[str, _TEXT] = "",
    ) -> Response:
        return JsonResponse(await lookup.values(label, metric, text))
