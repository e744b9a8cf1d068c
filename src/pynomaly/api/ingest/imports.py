"""``POST /api/v1/import``: history as OpenMetrics or CSV, streamed, of any length.

200 when all of it is stored; otherwise the answer says how many samples and lines are, and what
stopped it or was refused. The same file may be sent again: what is there already stays once.
"""

import orjson
from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.ingest.body import RETRY_AFTER, drain, gunzipped, is_gzip, pieces_of
from pynomaly.ingest.history.importer import (
    BLOCK_BYTES,
    PROTOCOL,
    Imported,
    import_history,
    reader_of,
)
from pynomaly.ingest.history.reader import LineFault
from pynomaly.ingest.push import REQUESTS, PushDeps, Unsupported


def router(deps: PushDeps) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["ingest"], dependencies=[Depends(require(Action.METRICS_WRITE))])

    async def take(request: Request) -> Response:
        try:
            reader = reader_of(request.headers.get("content-type", ""))
            arriving = pieces = pieces_of(request)
            if is_gzip(request):
                pieces = gunzipped(arriving, BLOCK_BYTES)
        except Unsupported as error:
            await drain(pieces_of(request))
            REQUESTS.labels(PROTOCOL, str(error.status)).inc()
            raise
        imported = await import_history(pieces, reader, deps)
        await drain(arriving, None)  # a fault may have ended it before the body did
        status = _status(imported)
        REQUESTS.labels(PROTOCOL, str(status)).inc()
        headers = dict(RETRY_AFTER) if status in (429, 503) else {}
        body = orjson.dumps(_answer(imported))
        return Response(body, status, headers, media_type="application/json")

    routes.add_api_route("/api/v1/import", take, methods=["POST"])
    return routes


def _status(imported: Imported) -> int:
    if imported.failure:
        return imported.failure.status
    return 400 if imported.outcome.refused else 200


def _answer(imported: Imported) -> dict[str, object]:
    outcome, failure = imported.outcome, imported.failure
    answer: dict[str, object] = {
        "status": "success",
        "stored": outcome.stored,
        "lines": imported.lines,
        "refused": dict(outcome.refused),
    }
    faults = [str(failure)] if failure else []
    if outcome.refused:
        faults.append(outcome.message())
    if faults:
        if failure and imported.lines:
            faults.append(f"the {imported.lines} lines before are stored")
        kind = failure.kind if failure else "bad_data"
        answer |= {"status": "error", "errorType": kind, "error": "; ".join(faults)}
    if isinstance(failure, LineFault):
        answer["line"] = failure.line
    return answer
