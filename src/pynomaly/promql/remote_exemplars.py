"""The exemplars of a Prometheus-compatible server."""

import asyncio
from collections.abc import Sequence

from pynomaly.model.errors import PynomalyError
from pynomaly.model.exemplars import Exemplar, SeriesExemplars
from pynomaly.model.labels import Labels
from pynomaly.promql.exemplars import selectors
from pynomaly.promql.remote import PeerApi
from pynomaly.promql.remote_answer import Found
from pynomaly.promql.remote_reader import bounds
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.peer.watch import PeerWatch


class RemoteExemplars:
    """Asks the server; see ``ExemplarQuerier``. Also raises ``PeerAway`` and ``PeerRefused``."""

    def __init__(self, api: PeerApi, watch: PeerWatch, timeout: float) -> None:
        self._api = api
        self._watch = watch
        self._timeout = timeout

    async def exemplars(
        self, expr: str, start_ms: int, end_ms: int
    ) -> Sequence[SeriesExemplars] | None:
        """Those with ``start_ms <= ts <= end_ms``."""
        if await asyncio.to_thread(_has_none, expr):
            return None  # a server's answer to that has no data
        self._watch.refuse_if_away()
        parameters = [("query", expr), *bounds(start_ms, end_ms)]
        found = await self._api.get("query_exemplars", parameters, timeout=self._timeout, expr=expr)
        return await self._api.in_thread(_read, found, self._api.url)


def _has_none(expr: str) -> bool:
    try:
        return not selectors(expr)
    except PynomalyError:
        return False  # what only the server understands


def _read(found: Found, url: str) -> list[SeriesExemplars]:
    try:
        return [
            SeriesExemplars(Labels(each["seriesLabels"]), [_exemplar(e) for e in each["exemplars"]])
            for each in found.data or ()
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PeerAway(f"The answer of {url} is broken: {error}.") from error


def _exemplar(said: dict[str, object]) -> Exemplar:
    value, ts = float(str(said["value"])), float(str(said["timestamp"]))
    labels = said["labels"]
    if not isinstance(labels, dict):
        raise ValueError("an exemplar's labels are no object")
    return Exemplar(Labels(labels), value, round(ts * 1000))
