"""``GET /federate?match[]=…``: the newest samples, for another server to scrape.

As in Prometheus 3 (prometheus/prometheus, web/federate.go), with errors in plain text.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import Counter

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import compressed
from pynomaly.api.prometheus.cancel import until_gone
from pynomaly.api.prometheus.exposed import Exposed, content_type, exposition, negotiated
from pynomaly.api.prometheus.parameters import Form
from pynomaly.api.prometheus.readiness import Starting
from pynomaly.api.prometheus.selections import parse_any_selection
from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import SeriesSamples, is_stale
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Matrix, Querier, QueryError
from pynomaly.storage.samples.contract import SampleSelector

SAMPLES = Counter(
    "pynomaly_federation_samples", "Samples given to federating servers.", registry=REGISTRY
)
ERRORS = Counter(
    "pynomaly_federation_errors",
    "Requests for federation that were not answered, by kind of error.",
    ["kind"],
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class FederateDeps:
    """``lookback`` in seconds: how old a sample may be.

    ``alive`` is asked which series have not ended, where ``reader`` does not give the markers
    that say so.
    """

    reader: SampleSelector
    executor: Executor
    clock: Clock
    ready: Callable[[], bool]
    external_labels: Callable[[], Mapping[str, str]]
    lookback: float = 300.0
    max_samples: int = 50_000_000
    alive: Querier | None = None


def router(deps: FederateDeps) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["prometheus"])
    may_read = Depends(require(Action.METRICS_READ))
    api = _Federation(deps)
    routes.add_api_route("/federate", api.federate, dependencies=[may_read])
    return routes


class _Federation:
    def __init__(self, deps: FederateDeps) -> None:
        self._deps = deps

    async def federate(self, request: Request) -> Response:
        try:
            if not self._deps.ready():
                raise Starting("the server is starting")
            texts = (await Form.of(request)).all("match[]")
            return await until_gone(request, self._answer(request, texts))
        except PynomalyError as error:
            ERRORS.labels(error.kind).inc()
            return Response(f"{error}\n", error.status, media_type="text/plain")

    async def _answer(self, request: Request, texts: Sequence[str]) -> Response:
        deps = self._deps
        selections = await asyncio.to_thread(lambda: [parse_any_selection(t) for t in texts])
        now = now_ms(deps.clock)
        alive = await self._alive(texts, now) if deps.alive is not None else None
        escaping = negotiated(request.headers.get("accept", ""))
        accepted = request.headers.get("accept-encoding", "")
        external = deps.external_labels()

        def write() -> tuple[int, bytes, dict[str, str]]:
            found = self._newest(selections, now)
            if alive is not None:
                found = {labels: each for labels, each in found.items() if labels in alive}
            body = exposition(list(found.values()), external, escaping)
            return len(found), *compressed(body, accepted)

        loop = asyncio.get_running_loop()
        count, body, headers = await loop.run_in_executor(deps.executor, write)
        SAMPLES.inc(count)
        return Response(body, headers={**headers, "content-type": content_type(escaping)})

    async def _alive(self, texts: Sequence[str], now: int) -> set[Labels]:
        assert self._deps.alive is not None
        alive: set[Labels] = set()
        for text in texts:
            found = (await self._deps.alive.instant(text, now)).value
            if isinstance(found, Matrix):
                alive.update(found.labels)
        return alive

    def _newest(self, selections: Sequence[Sequence[Matcher]], now: int) -> dict[Labels, Exposed]:
        start = now - round(self._deps.lookback * 1000)
        found: dict[Labels, Exposed] = {}
        read = 0
        for matchers in selections:
            for chunk in self._deps.reader.select(matchers, start, now):
                read += len(chunk.ts)
                if read > self._deps.max_samples:
                    raise QueryError("federation would load too many samples into memory")
                found.update((each.labels, each) for each in _last_of_each(chunk))
        return found


def _last_of_each(chunk: SeriesSamples) -> Iterator[Exposed]:
    """The last sample of each series that has not ended."""
    last = chunk.offsets[1:] - 1
    ended = is_stale(np.ascontiguousarray(chunk.values[last]))
    rows = zip(chunk.labels, chunk.ts[last].tolist(), chunk.values[last].tolist(), strict=True)
    return (Exposed(*row) for row, over in zip(rows, ended.tolist(), strict=True) if not over)
