"""``mount``: the endpoints of health and metrics, on an application in one line."""

import inspect
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, TypeVar

from pynomaly.observability.health.endpoints import PATHS, Answer, Endpoints
from pynomaly.observability.health.monitor import HealthMonitor
from pynomaly.observability.metrics.collector import MetricsCollector

App = TypeVar("App")


def mount(
    app: App, monitor: HealthMonitor | None = None, metrics: MetricsCollector | None = None
) -> App:
    """Answer ``/api/health/live``, ``/api/health/ready``, ``/metrics`` and
    ``/api/v1/monitoring/metrics``.

    FastAPI, Starlette and Flask applications get routes and are returned themselves; a path that
    the application answers already stays its own. Around any other WSGI or ASGI application a
    wrapper is returned: ``app = mount(app)``.
    """
    endpoints = Endpoints(monitor, metrics)
    if is_starlette(app):
        _on_starlette(app, endpoints)
        return app
    if is_flask(app):
        _on_flask(app, endpoints)
        return app
    wrapped: Any = AsgiEndpoints(app, endpoints) if is_asgi(app) else WsgiEndpoints(app, endpoints)
    return wrapped  # type: ignore[no-any-return] # serves as what it wraps


def is_starlette(app: Any) -> bool:
    """Whether it is an application of Starlette or FastAPI, without importing either."""
    return any(c.__module__ == "starlette.applications" for c in type(app).__mro__)


def is_flask(app: Any) -> bool:
    """Whether it is an application of Flask, without importing it."""
    return any(c.__module__ == "flask.app" for c in type(app).__mro__)


def is_asgi(app: Any) -> bool:
    """Whether a callable is asynchronous, as ASGI's applications are and WSGI's are not."""
    called = type(app).__call__ if callable(app) else None
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(called)


class AsgiEndpoints:
    """An ASGI application with the endpoints before it."""

    def __init__(self, app: Any, endpoints: Endpoints) -> None:
        self._app, self._endpoints = app, endpoints

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the paths that are ours, hand on the others."""
        if scope["type"] == "http" and scope["path"] in PATHS:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            answer = await self._endpoints.answer_async(scope["path"], accept)
            if answer is not None:
                await _send(answer, scope["method"], send)
                return
        await self._app(scope, receive, send)


class WsgiEndpoints:
    """A WSGI application with the endpoints before it."""

    def __init__(self, app: Any, endpoints: Endpoints) -> None:
        self._app, self._endpoints = app, endpoints

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the paths that are ours, hand on the others."""
        answer = self._endpoints.answer(
            environ.get("PATH_INFO", ""), environ.get("HTTP_ACCEPT", "")
        )
        if answer is None:
            handed_on: Iterable[bytes] = self._app(environ, start_response)
            return handed_on
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]


async def _send(answer: Answer, method: str, send: Any) -> None:
    headers = [(k.lower().encode(), v.encode()) for k, v in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


def _on_starlette(app: Any, endpoints: Endpoints) -> None:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    def route(path: str) -> Route:
        async def answer(request: Request) -> Response:
            found = await endpoints.answer_async(path, request.headers.get("accept", ""))
            if found is None:
                raise LookupError(f"{path} is none of the SDK's endpoints")
            return Response(found.body, found.status, dict(found.headers))

        return Route(path, answer, include_in_schema=False)

    taken = {getattr(route, "path", None) for route in app.routes}
    # Before the application's own, whose last route may take every path.
    for path in reversed([path for path in PATHS if path not in taken]):
        app.router.routes.insert(0, route(path))


def _on_flask(app: Any, endpoints: Endpoints) -> None:
    from flask import Response, request

    def view(path: str) -> Callable[[], Response]:
        def answer() -> Response:
            found = endpoints.answer(path, request.headers.get("Accept", ""))
            if found is None:
                raise LookupError(f"{path} is none of the SDK's endpoints")
            return Response(found.body, found.status, found.headers)

        return answer

    taken = {rule.rule for rule in app.url_map.iter_rules()}
    for path in PATHS:
        if path not in taken:
            app.add_url_rule(path, f"pynomaly:{path}", view(path))
