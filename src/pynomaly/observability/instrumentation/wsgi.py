"""WSGI: Flask, and applications without a framework."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pynomaly.observability.instrumentation.exchange import (
    UNMATCHED,
    Exchange,
    HttpObserver,
    Incoming,
    Outcome,
)
from pynomaly.observability.logs.correlation import HEADER

Environ = dict[str, Any]


class ObservingWsgi:
    """Observes each request, until its body has been sent."""

    def __init__(
        self, app: Any, observer: HttpObserver, endpoint_of: Callable[[Environ], str] | None = None
    ) -> None:
        self._app, self._observer = app, observer
        self._endpoint_of = endpoint_of or (lambda environ: UNMATCHED)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the request, and record how it ended."""
        path = environ.get("PATH_INFO", "")
        if path in self._observer.exclude:
            handed_on: Iterable[bytes] = self._app(environ, start_response)
            return handed_on
        exchange = self._observer.start(_incoming(environ))
        status = [500]

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            status[0] = int(line.split(" ", 1)[0])
            return start_response(line, [*headers, (HEADER, exchange.correlation)], *rest)

        try:
            body = self._app(environ, start)
        except BaseException as error:
            self._finish(exchange, environ, 500, 0, error)
            raise
        return _Body(
            body,
            lambda sent, error: self._finish(exchange, environ, status[0], sent, error),
        )

    def _finish(
        self,
        exchange: Exchange,
        environ: Environ,
        status: int,
        sent: int,
        error: BaseException | None,
    ) -> None:
        said = environ.get("CONTENT_LENGTH") or "0"
        received = int(said) if said.isdigit() else 0
        endpoint = self._endpoint_of(environ)
        exchange.finish(Outcome(endpoint, status, received, sent, time.perf_counter(), error))


class _Body:
    """A response's body that tells its end once: when it is through, or when it is closed."""

    def __init__(
        self, body: Iterable[bytes], finish: Callable[[int, BaseException | None], None]
    ) -> None:
        self._body, self._finish = body, finish
        self._sent = 0
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._body:
                self._sent += len(part)
                yield part
        except Exception as error:
            self._end(error)
            raise
        self._end()

    def close(self) -> None:
        """The server is done with the response (PEP 3333 has it call this in any case)."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._end()

    def _end(self, error: BaseException | None = None) -> None:
        if not self._ended:
            self._ended = True
            self._finish(self._sent, error)


def _incoming(environ: Environ) -> Incoming:
    headers = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Incoming(
        environ["REQUEST_METHOD"],
        environ.get("PATH_INFO", ""),
        headers,
        environ.get("REMOTE_ADDR", ""),
        environ.get("wsgi.url_scheme", "http"),
    )


_FLASK_ENDPOINT = "pynomaly.endpoint"


def keep_flask_endpoint(app: Any) -> None:
    """Have Flask note the route in the environment; its own request is gone by the end."""
    from flask import request, request_started

    def note(sender: Any, **_: Any) -> None:
        rule = request.url_rule
        request.environ[_FLASK_ENDPOINT] = UNMATCHED if rule is None else rule.rule

    request_started.connect(note, app, weak=False)


def flask_endpoint(environ: Environ) -> str:
    """The rule of Flask's route, ``/orders/<int:id>``; ``unmatched`` if there was none."""
    return str(environ.get(_FLASK_ENDPOINT, UNMATCHED))
