"""``POST /api/metrics``: samples as JSON. 200 means stored; 4xx says what and where."""

import asyncio

import orjson
from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.ingest.body import Room, drain, gunzip, is_gzip, pieces_of, read_body
from pynomaly.ingest.json_metrics import parse_samples
from pynomaly.ingest.push import (
    REQUESTS,
    Outcome,
    PushDeps,
    Unsupported,
    store,
)
from pynomaly.model.clock import now_ms
from pynomaly.model.errors import PynomalyError
from pynomaly.model.samples import SampleBatch

_PROTOCOL = "json"
_LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
# curl -d says it is a form, and a program that says nothing means JSON as well.
_JSON = frozenset(
    {"", "application/json", "text/plain", "application/x-www-form-urlencoded", "text/json"}
)


def router(deps: PushDeps) -> APIRouter:
    """The route."""
    room = Room(deps.limits.max_bytes_in_flight)
    routes = APIRouter(tags=["ingest"], dependencies=[Depends(require(Action.METRICS_WRITE))])

    async def push(request: Request) -> Response:
        try:
            outcome = await _push(request, deps, room)
        except PynomalyError as error:
            if isinstance(error, Unsupported):
                await drain(pieces_of(request))
            REQUESTS.labels(_PROTOCOL, str(error.status)).inc()
            raise
        status = 400 if outcome.refused else 200
        REQUESTS.labels(_PROTOCOL, str(status)).inc()
        return Response(orjson.dumps(_answer(outcome)), status, media_type="application/json")

    routes.add_api_route("/api/metrics", push, methods=["POST"])
    return routes


async def _push(request: Request, deps: PushDeps, room: Room) -> Outcome:
    lines = _is_lines(request.headers.get("content-type", ""))
    gzipped = is_gzip(request)

    def parse(body: bytes) -> SampleBatch:
        if gzipped:
            body = gunzip(body, deps.limits.max_unpacked_bytes)
        return parse_samples(body, now_ms(deps.clock), lines=lines)

    with room.reserve() as held:
        body = await read_body(request, deps.limits.max_body_bytes, held)
        loop = asyncio.get_running_loop()
        batch = await loop.run_in_executor(deps.executor, parse, body)
        outcome = Outcome()
        await store(batch, deps, outcome)
    outcome.count(_PROTOCOL)
    return outcome


def _is_lines(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _LINES:
        return True
    if kind in _JSON:
        return False
    raise Unsupported(
        f"Content-Type {content_type!r} is not supported",
        hint="Send application/json or application/x-ndjson.",
    )


def _answer(outcome: Outcome) -> dict[str, object]:
    if not outcome.refused:
        return {"status": "success", "stored": outcome.stored}
    return {
        "status": "error",
        "errorType": "bad_data",
        "error": outcome.message(),
        "stored": outcome.stored,
    }
