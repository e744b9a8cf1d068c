"""ASGI: FastAPI, Starlette, and applications without a framework."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

from pynomaly.observability.instrumentation.exchange import (
    UNMATCHED,
    HttpObserver,
    Incoming,
    Outcome,
)
from pynomaly.observability.logs.correlation import HEADER

Scope = MutableMapping[str, Any]
_HEADER = HEADER.lower().encode()
_NOTHING: Mapping[str, Any] = {}


class ObservingMiddleware:
    """Observes each HTTP request; web sockets and lifespan pass through."""

    def __init__(
        self, app: Any, observer: HttpObserver, endpoint_of: Callable[[Scope], str] | None = None
    ) -> None:
        self._app, self._observer = app, observer
        self._endpoint_of = endpoint_of or (lambda scope: UNMATCHED)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve the request, and record how it ended."""
        if scope["type"] != "http" or scope["path"] in self._observer.exclude:
            await self._app(scope, receive, send)
            return
        incoming = _incoming(scope)
        exchange = self._observer.start(incoming)
        seen = _Seen(send, exchange.correlation.encode())
        if "content-length" not in incoming.headers and "transfer-encoding" in incoming.headers:
            receive = seen.counting(receive)
        error: BaseException | None = None
        try:
            await self._app(scope, receive, seen.send)
        except BaseException as raised:
            error = raised
            raise
        finally:
            exchange.finish(
                Outcome(
                    self._endpoint_of(scope),
                    seen.status or _status_of(error),
                    _length(incoming.headers) or seen.received,
                    seen.sent,
                    seen.ended or time.perf_counter(),
                    error,
                )
            )


class _Seen:
    """What passes between the application and the server."""

    __slots__ = ("_correlation", "_send", "ended", "received", "sent", "status")

    def __init__(self, send: Any, correlation: bytes) -> None:
        self._send, self._correlation = send, correlation
        self.status = self.sent = self.received = 0
        self.ended = 0.0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (_HEADER, self._correlation)]
        elif kind == "http.response.body":
            self.sent += len(message.get("body", b""))
            if not message.get("more_body"):
                # The answer is out; what the application does in the background is not its time.
                self.ended = time.perf_counter()
        await self._send(message)

    def counting(self, receive: Any) -> Any:
        async def counted() -> Any:
            message = await receive()
            self.received += len(message.get("body", b""))
            return message

        return counted


def _status_of(error: BaseException | None) -> int:
    """The status of a request without an answer: 499 if its caller has gone (as nginx says it)."""
    return 499 if isinstance(error, asyncio.CancelledError) else 500


def _incoming(scope: Scope) -> Incoming:
    pairs = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
    headers = dict(pairs)
    if len(headers) < len(pairs):
        headers = _joined(pairs)
    client = scope.get("client")
    # FastAPI traces by itself from 0.165 on: its span is as good as ours, and two are one too many.
    native = getattr(scope.get("fastapi.telemetry"), "span", None)
    return Incoming(
        scope["method"],
        scope["path"],
        headers,
        client[0] if client else "",
        scope.get("scheme", "http"),
        native is not None,
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _length(headers: Mapping[str, str]) -> int:
    said = headers.get("content-length", "")
    return int(said) if said.isdigit() else 0


class Templates:
    """The template of the route that took a request: ``/orders/{id}``, never ``/orders/7``."""

    def __init__(self, routes: Callable[[], Iterable[Any]]) -> None:
        self._routes = routes
        self._known: dict[int, tuple[Any, str]] = {}

    def __call__(self, scope: Scope) -> str:
        """The template, with those of the mounts that it lies in; ``unmatched`` without a route."""
        route = scope.get("route")
        if route is None:
            return self._by_endpoint(scope)
        if (included := _path_as_included(scope, route)) is not None:
            return included
        # Held together with its route, whose id nothing else can have meanwhile.
        known = self._known.get(id(route))
        if known is None:
            self._learn(self._routes(), "")
            known = self._known.setdefault(id(route), (route, getattr(route, "path", UNMATCHED)))
        return known[1] or "/"

    def _learn(self, routes: Iterable[Any], prefix: str) -> None:
        for route in routes:
            path = prefix + getattr(route, "path", "")
            self._known[id(route)] = (route, path)
            self._learn(getattr(route, "routes", None) or (), path)

    def _by_endpoint(self, scope: Scope) -> str:
        """Starlette before 1.0 tells the endpoint only; FastAPI has always told the route."""
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return UNMATCHED
        if not self._known:
            self._learn(self._routes(), "")
        found = (p for r, p in self._known.values() if getattr(r, "endpoint", None) is endpoint)
        return next(found, UNMATCHED)


def _path_as_included(scope: Scope, route: Any) -> str | None:
    """The path of a route of FastAPI's ``include_router``, with the prefixes of all routers.

    Newer FastAPI leaves the route as its own router has it, and keeps what it is by where it was
    included in the scope; None where that is not so.
    """
    context = scope.get("fastapi", _NOTHING).get("effective_route_context")
    if context is None or context.original_route is not route:
        return None
    root = scope.get("root_path", "")
    mounted: str = root.removeprefix(scope.get("app_root_path", root))
    return f"{mounted}{context.path}" or "/"
