"""``/api/v1/query_exemplars``, as Prometheus 3 answers it (web/api/v1/api.go, json_codec.go)."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import orjson
from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import compressed, encode_data, format_timestamp, format_value
from pynomaly.api.prometheus.parameters import MAX_TIME_MS, MIN_TIME_MS, Form
from pynomaly.api.prometheus.readiness import ready_only
from pynomaly.model.errors import BadInput
from pynomaly.model.exemplars import Exemplar, SeriesExemplars
from pynomaly.promql.contract import ExemplarQuerier


@dataclass(frozen=True, slots=True)
class ExemplarDeps:
    """Where the answers come from; ``executor`` runs what blocks."""

    querier: ExemplarQuerier
    executor: Executor
    ready: Callable[[], bool]


def router(deps: ExemplarDeps) -> APIRouter:
    """The route."""

    async def query_exemplars(request: Request) -> Response:
        form = await Form.of(request)
        start, end = form.time_or("start", MIN_TIME_MS), form.time_or("end", MAX_TIME_MS)
        if end < start:
            raise BadInput("end timestamp must not be before start timestamp")
        found = await deps.querier.exemplars(form.get("query"), start, end)
        if found is None:
            return Response(status_code=204)
        accepted = request.headers.get("accept-encoding", "")
        body, headers = await asyncio.get_running_loop().run_in_executor(
            deps.executor, lambda: compressed(_encoded(found), accepted)
        )
        return Response(body, headers=headers, media_type="application/json")

    routes = APIRouter(
        prefix="/api/v1",
        tags=["prometheus"],
        dependencies=[Depends(require(Action.METRICS_READ)), Depends(ready_only(deps.ready))],
    )
    routes.add_api_route("/query_exemplars", query_exemplars, methods=["GET", "POST"])
    return routes


def _encoded(found: Sequence[SeriesExemplars]) -> bytes:
    return encode_data(
        [
            {"seriesLabels": each.labels, "exemplars": [_described(e) for e in each.exemplars]}
            for each in found
        ]
    )


def _described(exemplar: Exemplar) -> dict[str, object]:
    return {
        "labels": exemplar.labels,
        "value": format_value(exemplar.value),
        "timestamp": orjson.Fragment(format_timestamp(exemplar.ts)),
    }
