"""``/api/v1/status/…``, ``alertmanagers``, ``targets/metadata``, ``notifications``: what the server
says of itself.

Shapes and messages are those of Prometheus 3 (prometheus/prometheus, web/api/v1/api.go). What Go
alone has says the nearest that Python has: ``goroutineCount`` is threads and tasks, ``GOMAXPROCS``
the processors that may be used, and nothing limits memory (``GOMEMLIMIT``) or collects by ``GOGC``.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import compressed, encode_data
from pynomaly.api.prometheus.parameters import Form, InvalidParameter
from pynomaly.api.prometheus.readiness import ready_only
from pynomaly.api.prometheus.selections import parse_any_selection
from pynomaly.api.prometheus.self_metrics import described
from pynomaly.api.prometheus.targets import rfc3339
from pynomaly.model.clock import Clock
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, all_match, compile_anchored
from pynomaly.model.samples import MetricMetadata
from pynomaly.observability import REGISTRY
from pynomaly.storage.samples.cardinality import Cardinality, Stat
from pynomaly.storage.samples.replay import Replay

_MOST_STATS = 10_000
_SHOWN_STATS = 10
_RELOAD_FAILED = "Configuration reload has failed."
_NO_LIMIT = 2**63 - 1


class TargetsSaying(Protocol):
    """Who knows what targets say of their metrics. Called on the event loop."""

    def target_metadata(self) -> Sequence[tuple[Labels, Sequence[MetricMetadata]]]:
        """The labels of each active target, and what it says of its metric families, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """How the process fares. Times in epoch seconds: ``config_time`` is the last good reload's,
    ``reload_failed`` that of the last one if it was refused, else 0."""

    start_time: float
    config_time: float
    reload_failed: float
    storage_retention: str


@dataclass(frozen=True, slots=True)
class StorageStatus:
    """What a backend holds. ``chunks`` are the parts that samples lie in; times in milliseconds."""

    cardinality: Cardinality
    chunks: int
    min_time_ms: int
    max_time_ms: int


@dataclass(frozen=True, slots=True)
class StatusDeps:
    """Where the answers come from.

    ``configuration`` gives YAML and ``flags`` texts, both without secrets. ``storage`` takes the
    number of figures wanted of each kind. ``alertmanagers`` gives the addresses that alerts are
    sent to, and those that are known and are not.
    """

    clock: Clock
    executor: Executor
    ready: Callable[[], bool]
    targets: TargetsSaying
    configuration: Callable[[], str]
    flags: Callable[[], Mapping[str, str]]
    runtime: Callable[[], Runtime]
    storage: Callable[[int], Awaitable[StorageStatus]]
    replay: Callable[[], Replay]
    alertmanagers: Callable[[], tuple[Sequence[str], Sequence[str]]]


def router(deps: StatusDeps) -> APIRouter:
    """The routes. What was configured is for those who may see configuration."""
    api = _Status(deps)
    may_read = [Depends(require(Action.METRICS_READ))]
    may_see = [Depends(require(Action.CONFIG_READ))]
    ready = [Depends(ready_only(deps.ready))]
    routes = APIRouter(prefix="/api/v1", tags=["prometheus"])
    routes.add_api_route("/targets/metadata", api.target_metadata, dependencies=may_read + ready)
    routes.add_api_route(
        "/alertmanagers",
        api.alertmanagers,
        dependencies=[Depends(require(Action.ALERTS_READ)), *ready],
    )
    routes.add_api_route("/status/config", api.config, dependencies=may_see + ready)
    routes.add_api_route("/status/flags", api.flags, dependencies=may_see + ready)
    routes.add_api_route("/status/runtimeinfo", api.runtime, dependencies=may_read + ready)
    routes.add_api_route("/status/tsdb", api.storage, dependencies=may_read + ready)
    routes.add_api_route("/status/self_metrics", api.self_metrics, dependencies=may_read + ready)
    # As in Prometheus also before it is ready: that is when one asks.
    routes.add_api_route("/status/walreplay", api.replay, dependencies=may_read)
    routes.add_api_route("/notifications", api.notifications, dependencies=may_read)
    return routes


class _Status:
    def __init__(self, deps: StatusDeps) -> None:
        self._deps = deps

    async def target_metadata(self, request: Request) -> Response:
        form = await Form.of(request)
        limit = form.count("limit")
        matchers = _target_matchers(form.get("match_target"))
        said = _metadata(self._deps.targets, matchers, form.get("metric"), limit)
        return await self._answer(request, lambda: encode_data(said))

    async def alertmanagers(self) -> Response:
        active, dropped = self._deps.alertmanagers()
        return _json(
            {
                "activeAlertmanagers": [{"url": url} for url in active],
                "droppedAlertmanagers": [{"url": url} for url in dropped],
            }
        )

    async def config(self, request: Request) -> Response:
        make = self._deps.configuration
        return await self._answer(request, lambda: encode_data({"yaml": make()}))

    async def flags(self) -> Response:
        return _json(dict(self._deps.flags()))

    async def runtime(self) -> Response:
        runtime = self._deps.runtime()
        return _json(
            {
                "startTime": rfc3339(runtime.start_time),
                "CWD": str(Path.cwd()),
                "hostname": socket.gethostname(),
                "serverTime": rfc3339(self._deps.clock.now()),
                "reloadConfigSuccess": not runtime.reload_failed,
                "lastConfigTime": rfc3339(runtime.config_time),
                "corruptionCount": self._deps.replay().corruptions,
                "goroutineCount": threading.active_count() + len(asyncio.all_tasks()),
                "GOMAXPROCS": _processors(),
                "GOMEMLIMIT": _NO_LIMIT,
                "GOGC": "",
                "GODEBUG": "",
                "storageRetention": runtime.storage_retention,
            }
        )

    async def storage(self, request: Request) -> Response:
        status = await self._deps.storage(_limit(await Form.of(request)))
        return await self._answer(request, lambda: encode_data(_described(status)))

    async def replay(self) -> Response:
        replay = self._deps.replay()
        return _json({"min": 0, "max": replay.commits, "current": replay.current})

    async def self_metrics(self, request: Request) -> Response:
        pattern = (await Form.of(request)).get("metric_name_pattern")
        try:
            matches = compile_anchored(pattern or ".*").fullmatch
        except BadInput as error:
            raise BadInput(f"invalid metric_name_pattern: {error.message}") from error
        # On the event loop, as /metrics: some of them count what belongs to it.
        found = described(REGISTRY.collect(), lambda name: matches(name) is not None)
        return await self._answer(request, lambda: encode_data(found))

    async def notifications(self) -> Response:
        failed = self._deps.runtime().reload_failed
        said = {"text": _RELOAD_FAILED, "date": rfc3339(failed), "active": True}
        return _json([said] if failed else [])

    async def _answer(self, request: Request, encode: Callable[[], bytes]) -> Response:
        accepted = request.headers.get("accept-encoding", "")
        body, headers = await asyncio.get_running_loop().run_in_executor(
            self._deps.executor, lambda: compressed(encode(), accepted)
        )
        return Response(body, headers=headers, media_type="application/json")


def _json(data: Any) -> Response:
    return Response(encode_data(data), media_type="application/json")


def _target_matchers(text: str) -> list[Matcher]:
    if not text:
        return []
    try:
        return parse_any_selection(text)
    except PynomalyError as error:
        raise InvalidParameter("match_target", error.message) from error


def _metadata(
    targets: TargetsSaying, matchers: Sequence[Matcher], metric: str, limit: int
) -> list[dict[str, Any]]:
    """As in Prometheus ``limit`` ends the list between targets, not within one."""
    found: list[dict[str, Any]] = []
    for labels, families in targets.target_metadata():
        if 0 <= limit <= len(found):
            break
        if not all_match(matchers, labels):
            continue
        for said in families:
            if metric and said.name != metric:
                continue
            name = {} if metric else {"metric": said.name}
            more = {"type": said.type, "help": said.help, "unit": said.unit}
            found.append({"target": labels, **name, **more})
    return found


def _limit(form: Form) -> int:
    text = form.get("limit")
    if not text:
        return _SHOWN_STATS
    try:
        limit = form.count("limit")
    except BadInput:
        limit = 0
    if limit < 1:
        raise BadInput("limit must be a positive number")
    if limit > _MOST_STATS:
        raise BadInput(f"limit must not exceed {_MOST_STATS}")
    return limit


def _described(status: StorageStatus) -> dict[str, Any]:
    found = status.cardinality
    return {
        "headStats": {
            "numSeries": found.series,
            "numLabelPairs": found.label_pairs,
            "chunkCount": status.chunks,
            "minTime": status.min_time_ms,
            "maxTime": status.max_time_ms,
        },
        "seriesCountByMetricName": _stats(found.by_metric),
        "labelValueCountByLabelName": _stats(found.values_by_label),
        "memoryInBytesByLabelName": _stats(found.memory_by_label),
        "seriesCountByLabelValuePair": _stats(found.by_pair),
    }


def _stats(stats: Sequence[Stat]) -> list[dict[str, Any]]:
    return [{"name": each.name, "value": each.value} for each in stats]


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
