"""``POST /api/v1/read``: other servers query our samples as if they were theirs.

Errors are plain text, as Prometheus's are (prometheus/prometheus, storage/remote/read_handler.go).
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.ingest.body import Room, read_body
from pynomaly.api.prometheus.cancel import until_gone
from pynomaly.api.prometheus.readiness import Starting
from pynomaly.api.prometheus.remote_read import metrics
from pynomaly.api.prometheus.remote_read.answer import Reading, as_chunks, as_samples
from pynomaly.api.prometheus.remote_read.request import LARGEST, Asked, ResponseType, decode
from pynomaly.model.errors import PynomalyError
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.query_log import QueryLog
from pynomaly.promql.state import Grid, QueryState
from pynomaly.storage.samples.contract import SampleSelector

Result = TypeVar("Result")

_AT_ONCE = 2  # so that the threads of queries are never all busy with this
_CHUNK_SAMPLES = 1_000_000  # they take 24 bytes each before they are written
_WAITING_BYTES = 4 * LARGEST
_STREAM = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"


@dataclass(frozen=True, slots=True)
class ReadDeps:
    """``external_labels`` are added to series that do not have them. A remote read is a query: the
    limits of ``settings`` hold for it, and ``queries`` follows it."""

    reader: SampleSelector
    executor: Executor
    ready: Callable[[], bool]
    external_labels: Callable[[], Mapping[str, str]]
    settings: QuerySettings
    queries: QueryLog | None = None


def router(deps: ReadDeps) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/api/v1", tags=["prometheus"])
    may_read = Depends(require(Action.METRICS_READ))
    api = _Read(deps)
    routes.add_api_route("/read", api.read, methods=["POST"], dependencies=[may_read])
    return routes


class _Read:
    def __init__(self, deps: ReadDeps) -> None:
        self._deps = deps
        self._room = Room(_WAITING_BYTES)
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._settings = deps.settings.model_copy(update={"chunk_samples": _CHUNK_SAMPLES})

    async def read(self, request: Request) -> Response:
        asked = None
        try:
            if not self._deps.ready():
                raise Starting("the server is starting")
            with self._room.reserve() as held:
                packed = await read_body(request, LARGEST, held)
            external = self._deps.external_labels()
            asked = await self._threaded(lambda: decode(packed, external))
            with metrics.IN_FLIGHT.track_inprogress():
                async with self._at_once:
                    response = await self._answer(request, asked, external)
        except PynomalyError as error:
            response = Response(f"{error}\n", error.status, media_type="text/plain")
        kind = asked.response_type.name.lower() if asked is not None else "unknown"
        metrics.REQUESTS.labels(kind, str(response.status_code)).inc()
        return response

    async def _answer(
        self, request: Request, asked: Asked, external: Mapping[str, str]
    ) -> Response:
        state = self._state(asked)
        followed = self._deps.queries.following if self._deps.queries else _unfollowed
        try:
            with metrics.DURATION.time(), followed("remote_read", _shown(asked), state):
                return await self._written(request, asked, Reading(state, external))
        finally:
            state.cancel()  # a worker thread may still read for whoever has gone
            metrics.SAMPLES.inc(state.samples_read)

    async def _written(self, request: Request, asked: Asked, reading: Reading) -> Response:
        if asked.response_type is ResponseType.STREAMED_XOR_CHUNKS:
            chunks = self._threaded(lambda: as_chunks(reading, asked.queries))
            frames = await until_gone(request, chunks)
            return StreamingResponse(_sent(frames), media_type=_STREAM)
        samples = self._threaded(lambda: as_samples(reading, asked.queries))
        body = await until_gone(request, samples)
        headers = {"content-encoding": "snappy"}
        return Response(body, headers=headers, media_type="application/x-protobuf")

    def _state(self, asked: Asked) -> QueryState:
        start = min((query.start_ms for query in asked.queries), default=0)
        return QueryState(
            self._deps.reader,
            self._settings,
            Grid(start, 1, 1),
            end_ms=max((query.end_ms for query in asked.queries), default=0),
            query_id=f"remote-read-{uuid.uuid4().hex}",
            deadline=time.monotonic() + self._settings.timeout,
        )

    async def _threaded(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._deps.executor, work)


@contextmanager
def _unfollowed(kind: str, expr: str, state: QueryState) -> Iterator[None]:
    yield


def _shown(asked: Asked) -> str:
    """The selectors, as people write them."""
    return ", ".join("{" + ",".join(map(str, query.matchers)) + "}" for query in asked.queries)


async def _sent(frames: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Some frames at a time, so that sending many small ones costs no more than few large ones."""
    some: list[bytes] = []
    size = 0
    for frame in frames:
        some.append(frame)
        size += len(frame)
        if size > 1 << 18:
            yield b"".join(some)
            some, size = [], 0
    yield b"".join(some)
