"""What ``/api/v1/status/…`` tells, gathered from the parts that know it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pynomaly.api.prometheus.status import StorageStatus
from pynomaly.promql.remote import PeerApi
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.cardinality import Cardinality, Stat
from pynomaly.storage.samples.store import SampleStore

AskStorage = Callable[[int], Awaitable[StorageStatus]]


def of_store(store: SampleStore) -> AskStorage:
    """Figures of our own store: counted in the index, the parts and times asked of the engine."""

    def ask(limit: int) -> StorageStatus:
        first, last = store.span_ms()
        return StorageStatus(store.cardinality(limit), store.stats().parts, first, last)

    return lambda limit: asyncio.to_thread(ask, limit)


def of_peer(api: PeerApi, watch: PeerWatch, timeout: float) -> AskStorage:
    """The figures of the server that keeps the series, as it says them.

    VictoriaMetrics says less than Prometheus: what it does not say is 0, or empty.
    """

    async def ask(limit: int) -> StorageStatus:
        watch.refuse_if_away()
        wanted = [("limit", str(limit)), ("topN", str(limit))]
        found = await api.get("status/tsdb", wanted, timeout=timeout, method="GET")
        try:
            return _read(found.data, limit)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PeerAway(f"The answer of {api.url} is broken: status/tsdb.") from error

    return ask


def _read(data: Mapping[str, Any], limit: int) -> StorageStatus:
    head = data.get("headStats") or {}
    counted = Cardinality(
        series=int(head.get("numSeries", data.get("totalSeries", 0))),
        label_pairs=int(head.get("numLabelPairs", data.get("totalLabelValuePairs", 0))),
        by_metric=_stats(data, "seriesCountByMetricName", limit),
        values_by_label=_stats(data, "labelValueCountByLabelName", limit),
        memory_by_label=_stats(data, "memoryInBytesByLabelName", limit),
        by_pair=_stats(data, "seriesCountByLabelValuePair", limit),
    )
    chunks, first, last = (int(head.get(n, 0)) for n in ("chunkCount", "minTime", "maxTime"))
    return StorageStatus(counted, chunks, first, last)


def _stats(data: Mapping[str, Any], name: str, limit: int) -> list[Stat]:
    # Prometheus knows the limit from 2.45 on; before it gives ten.
    found = [Stat(str(each["name"]), int(each["value"])) for each in data.get(name) or ()]
    return found[:limit]
