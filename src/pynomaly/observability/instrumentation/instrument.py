"""``instrument(app)``: one line."""

import logging
from collections.abc import Sequence
from typing import Any, TypeVar

from pynomaly.observability.health.endpoints import PATHS
from pynomaly.observability.health.monitor import HealthMonitor
from pynomaly.observability.health.mount import is_asgi, is_flask, is_starlette, mount
from pynomaly.observability.instrumentation.asgi import ObservingMiddleware, Templates
from pynomaly.observability.instrumentation.clients import instrument_clients
from pynomaly.observability.instrumentation.exchange import HttpObserver
from pynomaly.observability.instrumentation.wsgi import (
    ObservingWsgi,
    flask_endpoint,
    keep_flask_endpoint,
)
from pynomaly.observability.logs.handlers import is_configured
from pynomaly.observability.metrics.collector import MetricsCollector

App = TypeVar("App")
_log = logging.getLogger("pynomaly.observability")


def instrument(
    app: App,
    *,
    metrics: MetricsCollector | None = None,
    monitor: HealthMonitor | None = None,
    access_log: bool = True,
    source_ip: bool = False,
    exclude: Sequence[str] = (),
    endpoints: bool = True,
    clients: bool = True,
) -> App:
    """Metrics, traces and access logs of an application of FastAPI, Starlette, Flask or Celery.

    HTTP: ``http_requests_total`` by ``method``, ``endpoint`` (the route's template) and ``status``,
    ``http_request_duration_seconds``, requests in flight, and sizes; a server span that continues
    the caller's W3C trace; a line of access log; the correlation id taken from and answered in
    ``X-Correlation-ID``. Celery: tasks by name and outcome, durations, waits, and a span that
    continues the trace of who sent them.

    The application is returned; around one without a framework (plain WSGI or ASGI) it is a
    wrapper: ``app = instrument(app)``.

    - metrics, monitor: the application's own, if it has them.
    - access_log: by the logger ``http.access``; call ``configure_logging`` before, and it takes
      the place of uvicorn's.
    - source_ip: also label ``http_requests_total`` with the caller's address (bounded).
    - exclude: further paths that are not observed; those of health and metrics never are.
    - endpoints: also answer ``/metrics`` and ``/api/health/…``; see ``mount``.
    - clients: also trace SQLAlchemy, Redis, httpx and requests by OpenTelemetry's
      instrumentations, where they are installed.
    """
    metrics = metrics or MetricsCollector()
    if clients:
        instrument_clients()
    if _is_celery(app):
        from pynomaly.observability.instrumentation.celery import observe_celery

        observe_celery(app, metrics)
        return app
    observer = HttpObserver(
        metrics, access_log=access_log, source_ip=source_ip, exclude=[*PATHS, *exclude]
    )
    if access_log and is_configured():
        # Ours has the trace's ids; two lines for each request help nobody.
        logging.getLogger("uvicorn.access").disabled = True
    observed: App = _observe(app, observer)
    return mount(observed, monitor, metrics) if endpoints else observed


def _observe(app: Any, observer: HttpObserver) -> Any:
    if is_starlette(app):
        if any(held.cls is ObservingMiddleware for held in app.user_middleware):
            _log.warning("%r is instrumented already", app)
        else:
            templates = Templates(lambda: app.routes)
            app.add_middleware(ObservingMiddleware, observer=observer, endpoint_of=templates)
            _exclude_natively(app, observer.exclude)
        return app
    if is_flask(app):
        if isinstance(app.wsgi_app, ObservingWsgi):
            _log.warning("%r is instrumented already", app)
        else:
            keep_flask_endpoint(app)
            app.wsgi_app = ObservingWsgi(app.wsgi_app, observer, flask_endpoint)
        return app
    if not callable(app):
        raise TypeError(
            f"instrument() takes an application of FastAPI, Starlette, Flask, Celery, WSGI or "
            f"ASGI, not {type(app).__name__}"
        )
    return ObservingMiddleware(app, observer) if is_asgi(app) else ObservingWsgi(app, observer)


def _exclude_natively(app: Any, paths: frozenset[str]) -> None:
    """Keep probes out of FastAPI's own spans too, unless the application excludes by itself."""
    native = getattr(app, "_telemetry", None)
    if isinstance(native, dict) and native.get("exclude") is None:
        native["exclude"] = lambda scope: scope["path"] in paths


def _is_celery(app: Any) -> bool:
    return any(c.__module__ == "celery.app.base" for c in type(app).__mro__)
