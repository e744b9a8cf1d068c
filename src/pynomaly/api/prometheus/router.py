"""Prometheus's HTTP API, so that Grafana, ``promtool`` and every other client work unchanged.

The envelope, parameters, messages and status codes are those of Prometheus 3
(prometheus/prometheus, web/api/v1/api.go).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import TRUNCATED, compressed, encode_data, encode_result
from pynomaly.api.prometheus.cancel import until_gone
from pynomaly.api.prometheus.parameters import (
    MAX_TIME_MS,
    MIN_TIME_MS,
    Form,
    InvalidParameter,
    parse_duration_ns,
    unescape_label_name,
)
from pynomaly.api.prometheus.readiness import ready_only
from pynomaly.api.prometheus.selections import parse_selections
from pynomaly.api.prometheus.targets import Targets, describe
from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.promql.contract import ParseError, Querier, QueryResult, looking_back
from pynomaly.promql.syntax import prettified, syntax_tree
from pynomaly.storage.samples.contract import SampleReader

_MOST_POINTS = 11_000  # per series: 60 s steps for a week, or 1 h steps for a year


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What ``/api/v1/status/buildinfo`` says.

    Clients read ``version`` to know which API is spoken, so it is a version of Prometheus;
    ``revision`` says who speaks it. Prometheus's description allows no further key.
    """

    version: str
    revision: str
    branch: str = ""
    buildUser: str = ""  # noqa: N815 - the wire's name
    buildDate: str = ""  # noqa: N815
    goVersion: str = ""  # noqa: N815


@dataclass(frozen=True, slots=True)
class PrometheusDeps:
    """What the API stands on.

    ``executor`` runs what blocks: reading the index, encoding, compressing. ``max_timeout`` is
    the longest a query may take, in seconds, whatever its client allows.
    """

    querier: Querier
    reader: SampleReader
    clock: Clock
    targets: Targets
    build: BuildInfo
    executor: Executor
    ready: Callable[[], bool]
    max_timeout: float = 120.0


def router(deps: PrometheusDeps) -> APIRouter:
    """The routes under ``/api/v1``."""
    api = _Api(deps)
    may_read = Depends(require(Action.METRICS_READ))
    ready = Depends(ready_only(deps.ready))
    routes = APIRouter(prefix="/api/v1", tags=["prometheus"], dependencies=[may_read, ready])
    both = ["GET", "POST"]
    routes.add_api_route("/query", api.query, methods=both)
    routes.add_api_route("/query_range", api.query_range, methods=both)
    routes.add_api_route("/format_query", api.format_query, methods=both)
    routes.add_api_route("/parse_query", api.parse_query, methods=both)
    routes.add_api_route("/series", api.series, methods=both)
    routes.add_api_route("/labels", api.label_names, methods=both)
    routes.add_api_route("/label/{name}/values", api.label_values)
    routes.add_api_route("/metadata", api.metadata)
    routes.add_api_route("/targets", api.targets)
    routes.add_api_route("/scrape_pools", api.scrape_pools)
    routes.add_api_route("/status/buildinfo", api.build_info)
    return routes


def probes(ready: Callable[[], bool]) -> APIRouter:
    """``/-/healthy`` while the process runs, ``/-/ready`` once it answers queries."""
    may_read = Depends(require(Action.HEALTH_READ))
    routes = APIRouter(prefix="/-", tags=["health"], dependencies=[may_read])

    async def healthy() -> Response:
        return Response("Pynomaly is Healthy.\n", media_type="text/plain")

    async def is_ready() -> Response:
        if ready():
            return Response("Pynomaly is Ready.\n", media_type="text/plain")
        return Response("Service Unavailable", 503, media_type="text/plain")

    routes.add_api_route("/healthy", healthy, methods=["GET", "HEAD"])
    routes.add_api_route("/ready", is_ready, methods=["GET", "HEAD"])
    return routes


class _Api:
    def __init__(self, deps: PrometheusDeps) -> None:
        self._deps = deps

    async def query(self, request: Request) -> Response:
        form = await Form.of(request)
        limit = form.limit()
        at = form.time_or("time", now_ms(self._deps.clock))
        timeout = form.timeout(self._deps.max_timeout)
        work = self._querier(form).instant(form.get("query"), at, timeout=timeout)
        result = await until_gone(request, _naming_query(work))
        return await self._answer(request, lambda: encode_result(result, instant=True, limit=limit))

    async def query_range(self, request: Request) -> Response:
        form = await Form.of(request)
        limit = form.limit()
        start, end, step = _range(form)
        timeout = form.timeout(self._deps.max_timeout)
        work = self._querier(form).range(form.get("query"), start, end, step, timeout=timeout)
        result = await until_gone(request, _naming_query(work))
        return await self._answer(
            request, lambda: encode_result(result, instant=False, limit=limit)
        )

    def _querier(self, form: Form) -> Querier:
        """With the lookback that the client wants, or the server's."""
        text = form.get("lookback_delta")
        try:
            lookback_ns = parse_duration_ns(text) if text else 0
        except ValueError as error:
            raise BadInput(f"error parsing lookback delta duration: {error}") from error
        if lookback_ns <= 0:  # as Prometheus
            return self._deps.querier
        return looking_back(self._deps.querier, max(1, lookback_ns // 1_000_000))

    async def format_query(self, request: Request) -> Response:
        return await self._of_text(request, prettified)

    async def parse_query(self, request: Request) -> Response:
        return await self._of_text(request, syntax_tree)

    async def _of_text(self, request: Request, use: Callable[[str], Any]) -> Response:
        expr = (await Form.of(request)).get("query")
        try:
            # Deep expressions need a thread of their own: not on the event loop.
            shown = await asyncio.to_thread(use, expr)
        except ParseError as error:
            raise InvalidParameter("query", error.message) from error
        return Response(encode_data(shown), media_type="application/json")

    async def series(self, request: Request) -> Response:
        form = await Form.of(request)
        if not form.all("match[]"):
            raise BadInput("no match[] parameter provided")
        limit, (start, end) = form.limit(), _bounds(form)
        try:
            selections = parse_selections(form.all("match[]"))
        except PynomalyError as error:
            raise InvalidParameter("match[]", error.message) from error
        read = self._deps.reader.series
        return await self._answer(
            request, lambda: _encode_limited(read(selections, start, end), limit)
        )

    async def label_names(self, request: Request) -> Response:
        limit, start, end, selections = await _label_query(request)
        read = self._deps.reader.label_names
        return await self._answer(
            request, lambda: _encode_limited(read(selections, start, end), limit)
        )

    async def label_values(self, request: Request, name: str) -> Response:
        limit, start, end, selections = await _label_query(request)
        name = unescape_label_name(name)
        read = self._deps.reader.label_values
        return await self._answer(
            request, lambda: _encode_limited(read(name, selections, start, end), limit)
        )

    async def metadata(self, request: Request) -> Response:
        form = await Form.of(request)
        limit, each = form.count("limit"), form.count("limit_per_metric")
        return await self._answer(
            request, lambda: encode_data(self._metadata(form.get("metric"), limit, each))
        )

    def _metadata(self, metric: str, limit: int, each: int) -> dict[str, list[dict[str, str]]]:
        families = self._deps.reader.metadata(metric)
        names = list(families)[:limit] if limit >= 0 else list(families)
        return {
            name: [
                {"type": said.type, "help": said.help, "unit": said.unit}
                for said in (families[name][:each] if each > 0 else families[name])
            ]
            for name in names
        }

    async def targets(self, state: str = "", scrapePool: str = "") -> Response:  # noqa: N803
        data = describe(self._deps.targets, state, scrapePool)
        return Response(encode_data(data), media_type="application/json")

    async def scrape_pools(self) -> Response:
        every = [*self._deps.targets.targets(), *self._deps.targets.dropped_targets()]
        pools = sorted({target.scrape_pool for target in every})
        return Response(encode_data({"scrapePools": pools}), media_type="application/json")

    async def build_info(self) -> Response:
        return Response(encode_data(asdict(self._deps.build)), media_type="application/json")

    async def _answer(self, request: Request, encode: Callable[[], bytes]) -> Response:
        accepted = request.headers.get("accept-encoding", "")
        loop = asyncio.get_running_loop()
        body, headers = await loop.run_in_executor(
            self._deps.executor, lambda: compressed(encode(), accepted)
        )
        return Response(body, headers=headers, media_type="application/json")


async def _naming_query(work: Any) -> QueryResult:
    try:
        result: QueryResult = await work
    except ParseError as error:
        raise InvalidParameter("query", error.message) from error
    return result


def _range(form: Form) -> tuple[int, int, int]:
    start, end = form.time("start"), form.time("end")
    if end < start:
        raise InvalidParameter("end", "end timestamp must not be before start time")
    step_ns = form.duration_ns("step")
    if step_ns < 1_000_000:  # Prometheus steps by milliseconds, too
        raise InvalidParameter(
            "step",
            "zero or negative query resolution step widths are not accepted."
            " Try a positive integer",
        )
    if (end - start) * 1_000_000 // step_ns > _MOST_POINTS:
        raise BadInput(
            "exceeded maximum resolution of 11,000 points per timeseries."
            " Try decreasing the query resolution (?step=XX)"
        )
    return start, end, step_ns // 1_000_000


def _bounds(form: Form) -> tuple[int, int]:
    return form.time_or("start", MIN_TIME_MS), form.time_or("end", MAX_TIME_MS)


async def _label_query(request: Request) -> tuple[int, int, int, list[list[Matcher]]]:
    form = await Form.of(request)
    limit, (start, end) = form.limit(), _bounds(form)
    return limit, start, end, parse_selections(form.all("match[]"))


def _encode_limited(found: Sequence[str] | Sequence[Labels], limit: int) -> bytes:
    if 0 < limit < len(found):
        return encode_data(list(found[:limit]), [TRUNCATED])
    return encode_data(list(found))
