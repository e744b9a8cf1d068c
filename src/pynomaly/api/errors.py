"""One shape for every error on 8090: Prometheus's envelope, which all its clients read.

``{"status": "error", "errorType": kind, "error": message}``, and ``hint`` where what to do next
is known. On Prometheus's own paths, whose description allows no further key, the hint is the end of
the message.
"""

import logging
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pynomaly.model.errors import PynomalyError

log = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = 5  # long enough for merges of the engine to catch up, short for a sender

_PROMETHEUS = "/api/v1/"

_KINDS = {
    400: "bad_data",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "bad_data",
    406: "not_acceptable",
    413: "bad_data",
    415: "bad_data",
    422: "execution",
    429: "too_many_requests",
    503: "unavailable",
}


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` in this shape, also those of routing and validation."""
    app.add_exception_handler(PynomalyError, _product_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen_error)


def describe(kind: str, message: str, hint: str = "") -> dict[str, str]:
    """An error as clients read it."""
    body = {"status": "error", "errorType": kind, "error": message}
    return {**body, "hint": hint} if hint else body


def error_response(
    status: int, kind: str, message: str, hint: str = "", headers: dict[str, str] | None = None
) -> Response:
    """An answer of this shape, for those who cannot raise (middlewares)."""
    body = describe(kind, message, hint)
    headers = dict(headers or {})
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers.setdefault("retry-after", str(_RETRY_AFTER_SECONDS))
    content = orjson.dumps(body)
    return Response(content, status, headers=headers, media_type="application/json")


async def _product_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PynomalyError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request failed", extra={"path": request.url.path, "error": str(error)})
    if request.url.path.startswith(_PROMETHEUS) and error.hint:
        message = f"{error.message.rstrip('.')}. {error.hint}"
        return error_response(error.status, error.kind, message)
    return error_response(error.status, error.kind, error.message, error.hint)


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(fault["loc"], fault["msg"]) for fault in error.errors()]
    return error_response(400, "bad_data", "; ".join(faults))


def _fault(where: tuple[str | int, ...], what: str) -> str:
    # The first part only says "query", "path" or "body".
    name = ".".join(str(part) for part in where[1:])
    return f'invalid parameter "{name}": {what}' if name else f"invalid {where[0]}: {what}"


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _KINDS.get(error.status_code, "internal" if error.status_code >= 500 else "bad_data")
    message = str(error.detail)
    if message == HTTPStatus(error.status_code).phrase:  # says nothing that the status does not
        message = f"{request.method} {request.url.path}: {message.lower()}"
    return error_response(error.status_code, kind, message, headers=dict(error.headers or {}))


async def _unforeseen_error(request: Request, error: Exception) -> Response:
    log.error("unforeseen error", exc_info=error, extra={"path": request.url.path})
    message = f"unexpected {type(error).__name__}; the server's log has the details"
    return error_response(500, "internal", message)
