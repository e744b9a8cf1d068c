"""``POST /api/v1/write``: Prometheus remote write 1.0 and 2.0, answered as Prometheus does.

The answers are plain text, since senders log them and read only the status:
204 stored; 400 malformed, or partly refused (what is valid is stored; do not send again);
413, 415; 429 and 503 with Retry-After, nothing stored (send again).
"""

from fastapi import APIRouter, Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pynomaly.access.asgi import Guarded
from pynomaly.access.policy import Action
from pynomaly.api.ingest.body import RETRY_AFTER, Room, drain, pieces_of, read_body
from pynomaly.ingest.push import REQUESTS, Outcome, PushDeps, Unsupported
from pynomaly.ingest.remote_write.receiver import Receiver, Version, check_encoding, version_of
from pynomaly.ingest.remote_write.snappy import unpacked_size
from pynomaly.model.errors import PynomalyError

_WRITTEN = "x-prometheus-remote-write-{}-written"


def router(deps: PushDeps) -> APIRouter:
    """The route. It is Starlette's: FastAPI's own costs a third of a small request's time, to
    find parameters that there are none of."""
    receiver, room = Receiver(deps), Room(deps.limits.max_bytes_in_flight)

    async def write(request: Request) -> Response:
        version, outcome = Version.V1, Outcome()
        try:
            version = version_of(request.headers.get("content-type", ""))
            check_encoding(request.headers.get("content-encoding", ""))
            with room.reserve() as held:
                packed = await read_body(request, deps.limits.max_body_bytes, held)
                held.grow(min(unpacked_size(packed), deps.limits.max_unpacked_bytes))
                outcome = await receiver.receive(packed, version)
        except PynomalyError as error:
            if isinstance(error, Unsupported):
                await drain(pieces_of(request))
            return _answer(version, Outcome(), error.status, str(error))
        if outcome.faults:
            return _answer(version, outcome, 400, outcome.message())
        return _answer(version, outcome, 204)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        response = await write(Request(scope, receive))
        await response(scope, receive, send)

    routes = APIRouter()
    guarded = Guarded(serve, Action.METRICS_WRITE)
    routes.routes.append(Route("/api/v1/write", guarded, methods=["POST"]))
    return routes


def _answer(version: Version, outcome: Outcome, status: int, message: str = "") -> Response:
    REQUESTS.labels(version.protocol, str(status)).inc()
    headers = dict(RETRY_AFTER) if status in (429, 503) else {}
    if version is Version.V2:
        headers[_WRITTEN.format("samples")] = str(outcome.stored)
        headers[_WRITTEN.format("histograms")] = "0"
        headers[_WRITTEN.format("exemplars")] = str(outcome.exemplars)
    return Response(f"{message}\n" if message else b"", status, headers, "text/plain")
