"""Where the series are: in a store of our own, or on a Prometheus that is already there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pynomaly.api.health import ComponentHealth, ComponentStatus
from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.errors import PynomalyError
from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.promql.contract import ExemplarQuerier, Querier
from pynomaly.promql.exemplars import LocalExemplars
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.query_log import QueryLog
from pynomaly.promql.range_cache import RangeCache
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.promql.remote_exemplars import RemoteExemplars
from pynomaly.promql.remote_reader import RemoteReader
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.defaults import peer_groups
from pynomaly.rules.manager import Elsewhere
from pynomaly.rules.own import about_itself
from pynomaly.server.errors import NotStoredHere
from pynomaly.server.health import ACTIVE, Check, HealthBoard, of_trouble
from pynomaly.server.sections import Configuration
from pynomaly.server.status import AskStorage, of_peer, of_store
from pynomaly.server.views import Stored
from pynomaly.storage.bus import Bus
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.engine.lock import FolderLock
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.contract import Appender, SampleReader
from pynomaly.storage.samples.forward import Forwarder
from pynomaly.storage.samples.recent import RecentSamples
from pynomaly.storage.samples.remote import RemoteAppender
from pynomaly.storage.samples.replay import Replay
from pynomaly.storage.samples.store import SampleStore
from pynomaly.storage.scheduler import Scheduler

_QUERY_THREADS = 4
_RETENTION_SECONDS = 600.0
_OWN_SECONDS = 1800.0  # the windows of the shipped rules about the product itself, with room
_TOP_METRICS = 10


@dataclass(frozen=True)
class Site:
    """What a backend is built in; ``undo`` takes what must be closed."""

    configuration: Configuration
    data_dir: Path
    clock: Clock
    bus: Bus
    scheduler: Scheduler
    health: HealthBoard
    undo: AsyncExitStack

    def threads(self, count: int, name: str) -> ThreadPoolExecutor:
        """Worker threads that go with everything else."""
        executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self.undo.callback(executor.shutdown, wait=False, cancel_futures=True)
        return executor


@dataclass(frozen=True)
class Backend:
    """Where series are read and written.

    ``querier`` serves people: pages and the API. ``judging`` serves rules and judges, and says
    "away" rather than answer in part. ``own`` takes the product's own series, which
    ``own_querier`` reads; ``elsewhere`` says which rule groups need no more than those.
    ``rule_groups`` are rules that this backend adds to the shipped ones. ``place`` says to
    people where everything is kept. ``storage_status`` and ``replay`` are for the API's ``status``.
    """

    querier: Querier
    exemplars: ExemplarQuerier
    judging: Querier
    appender: Appender
    reader: SampleReader
    executor: ThreadPoolExecutor
    own: Appender
    own_querier: Querier
    stored: Callable[[], Awaitable[Stored]]
    verify: Callable[[], Awaitable[dict[str, Any]]]
    place: str
    storage_status: AskStorage
    elsewhere: Elsewhere | None = None
    store: SampleStore | None = None
    replay: Callable[[], Replay] = Replay
    queries: QueryLog | None = None
    rule_groups: Sequence[RuleGroup] = field(default=())


async def open_backend(site: Site) -> Backend:
    """The one that the configuration asks for, ready for queries; takes the data folder.

    Raises:
        PynomalyError: the folder cannot be used, or is used by another process.
    """
    if site.configuration.prometheus.url is None:
        return await _open_store(site)
    return await _open_peer(site)


async def _open_store(site: Site) -> Backend:
    storage = site.configuration.storage
    engine = await asyncio.to_thread(EmbeddedEngine, site.data_dir, storage.engine)
    site.undo.push_async_callback(asyncio.to_thread, engine.close)

    def committed(samples: int, newest_ms: int) -> None:
        site.bus.publish("samples", {"samples": samples, "newest": newest_ms})

    store = SampleStore(
        engine,
        site.clock,
        storage.samples,
        site.data_dir,
        fsync=storage.engine.fsync,
        on_commit=committed,
        exemplars=storage.exemplars,
    )
    site.undo.push_async_callback(store.close)
    await store.start()
    site.health.add("storage", of_trouble(store.trouble))

    async def enforce_retention(_: float) -> None:
        await store.enforce_retention()

    async def count() -> dict[str, Any]:
        report = await store.verify()
        counts: dict[str, Any] = orjson.loads(report.to_json())
        return counts

    async def stored() -> Stored:
        figures = await asyncio.to_thread(store.stats)
        return Stored(series=figures.series, disk_bytes=figures.all_bytes)

    site.scheduler.every("retention", _RETENTION_SECONDS, enforce_retention)
    executor = site.threads(_QUERY_THREADS, "query")
    settings = site.configuration.query
    queries = QueryLog(site.clock, slow_seconds=settings.log_slower_than, most=settings.max_queries)
    querier = LocalQuerier(
        store,
        executor,
        settings,
        cancel_read=engine.cancel,
        query_log=queries,
        quick_from=store.memory_from_ms,
    )
    cache = RangeCache(querier, settings.cache_points)
    store.watch(cache.changed)
    return Backend(
        querier=cache,
        exemplars=LocalExemplars(store.exemplars, executor, settings),
        queries=queries,
        store=store,
        judging=querier,
        appender=store,
        reader=store,
        executor=executor,
        own=store,
        own_querier=querier,
        stored=stored,
        verify=count,
        place=f"{site.data_dir}  where everything is kept",
        storage_status=of_store(store),
        replay=store.replay,
    )


async def _open_peer(site: Site) -> Backend:
    settings, query = site.configuration.prometheus, site.configuration.query
    lock = await asyncio.to_thread(FolderLock, site.data_dir)
    site.undo.callback(lock.release)
    client = PeerClient(settings, site.clock)
    site.undo.push_async_callback(client.close)
    watch = PeerWatch(client)
    await _keep_watching(watch, site)
    api = PeerApi(client)
    querier = RemoteQuerier(api, watch, query)
    appender = RemoteAppender(client, watch)
    site.health.add("storage", of_trouble(appender.trouble))
    recent = RecentSamples(site.clock, _OWN_SECONDS)
    own = OwnSeries(recent, _forwarder(appender, site) if settings.own_series else None)
    own_querier = LocalQuerier(recent, site.threads(1, "own query"), query)

    def elsewhere(group: RuleGroup) -> tuple[Querier, Appender] | None:
        return (own_querier, own) if about_itself(group) else None

    async def count() -> dict[str, Any]:
        raise NotStoredHere(f"Samples are not stored here but by {settings.url}.")

    return Backend(
        querier=querier,
        exemplars=RemoteExemplars(api, watch, settings.timeout),
        judging=RemoteQuerier(api, watch, query, judging=True),
        appender=appender,
        reader=RemoteReader(api, watch, querier, settings.timeout),
        executor=site.threads(_QUERY_THREADS, "query"),
        own=own,
        own_querier=own_querier,
        stored=lambda: _stored_by(api, watch, settings.timeout),
        verify=count,
        place=f"{settings.url}  where all series are; records are in {site.data_dir}",
        storage_status=of_peer(api, watch, settings.timeout),
        elsewhere=elsewhere,
        rule_groups=peer_groups(),
    )


async def _keep_watching(watch: PeerWatch, site: Site) -> None:
    async def look(due: float) -> None:
        await watch.check(due)
        if not watch.away:  # it does not tell us of new samples
            site.bus.publish("samples", {"samples": 0, "newest": now_ms(site.clock)})

    await watch.check()
    interval = site.configuration.prometheus.check_interval
    site.scheduler.every("prometheus check", interval, look)
    site.health.add("prometheus", of_watch(watch))


def _forwarder(appender: Appender, site: Site) -> Forwarder:
    forwarder = Forwarder(appender, site.clock)
    site.undo.push_async_callback(forwarder.close)
    return forwarder


class OwnSeries:
    """An ``Appender`` for what must be known when nothing else answers: memory first."""

    def __init__(self, recent: Appender, forwarder: Forwarder | None) -> None:
        self._recent = recent
        self._forwarder = forwarder

    async def append(self, batch: SampleBatch) -> Appended:
        """Keep a batch in memory, and pass it on in the background if that is wanted."""
        appended = await self._recent.append(batch)
        if self._forwarder is not None:
            self._forwarder.offer(batch)
        return appended


def of_watch(watch: PeerWatch) -> Check:
    """Failed while the server is away, degraded while nothing is judged by it yet."""

    def check() -> ComponentHealth:
        trouble = watch.trouble()
        if trouble is None:
            return ACTIVE
        status = ComponentStatus.FAILED if watch.away else ComponentStatus.DEGRADED
        return ComponentHealth(status, trouble)

    return check


async def _stored_by(api: PeerApi, watch: PeerWatch, timeout: float) -> Stored:
    """What the server says of its newest samples; nothing where it has no such figures."""
    try:
        watch.refuse_if_away()
        limit = [("topN", str(_TOP_METRICS)), ("limit", str(_TOP_METRICS))]
        found = await api.get("status/tsdb", limit, timeout=timeout, method="GET")
        names = found.data["seriesCountByMetricName"]
        top = [(str(each["name"]), int(each["value"])) for each in names[:_TOP_METRICS]]
        series = found.data.get("headStats", {}).get("numSeries", found.data.get("totalSeries"))
        return Stored(series=None if series is None else int(series), top_metrics=top)
    except (PynomalyError, KeyError, TypeError, ValueError, AttributeError):
        return Stored(top_metrics=[])
