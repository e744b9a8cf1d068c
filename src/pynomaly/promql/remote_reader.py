"""A ``SampleReader`` over a Prometheus-compatible server: its series, labels and metadata."""

import asyncio
import re
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np

from pynomaly.model.labels import Labels, quoted
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import MetricMetadata, SeriesSamples
from pynomaly.promql.contract import QueryError
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.peer.watch import PeerWatch

_EVERYTHING = '{__name__=~".+"}'
_PLAIN_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LATEST_MS = 4_102_444_800_000  # the year 2100: servers parse what is later in different ways

Result = TypeVar("Result")


class RemoteReader:
    """Synchronous, for worker threads: the requests run on the event loop that made this.

    Besides what ``SampleReader`` says, every method raises ``PeerAway`` and ``PeerRefused``.
    """

    def __init__(
        self, api: PeerApi, watch: PeerWatch, querier: RemoteQuerier, timeout: float
    ) -> None:
        self._api = api
        self._watch = watch
        self._querier = querier
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        """Samples with ``start_ms <= ts <= end_ms``, in one chunk.

        The API has no staleness markers: a series that ended just stops.
        """
        # One millisecond more, since Prometheus 3 leaves out the window's left edge.
        window = f"{selector(matchers)}[{end_ms - start_ms + 1}ms]"
        value = self._wait(self._querier.instant(window, end_ms)).value
        if not isinstance(value, SeriesSamples):
            raise QueryError("a range selector did not give samples")
        found = _from(value, start_ms)
        if len(found):
            yield found

    def series(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]:
        """See ``SampleReader.series``; servers may look at whole blocks of time."""
        texts = [selector(each) for each in selections] or [_EVERYTHING]
        parameters = [("match[]", text) for text in texts] + bounds(start_ms, end_ms)
        return sorted({Labels(each) for each in self._get("series", parameters)})

    def label_names(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """See ``SampleReader.label_names``."""
        return sorted(map(str, self._get("labels", _limits(selections, start_ms, end_ms))))

    def label_values(
        self, name: str, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """See ``SampleReader.label_values``."""
        path = f"label/{quote(name, safe='')}/values"
        # This path has no POST.
        found = self._get(path, _limits(selections, start_ms, end_ms), method="GET")
        return sorted(map(str, found))

    def metadata(self, metric: str = "") -> dict[str, list[MetricMetadata]]:
        """What the server learnt when it scraped."""
        found = self._get("metadata", [("metric", metric)] if metric else [], method="GET")
        return {
            name: [
                MetricMetadata(name, e.get("type", ""), e.get("help", ""), e.get("unit", ""))
                for e in said
            ]
            for name, said in sorted(found.items())
        }

    def _get(self, path: str, parameters: Sequence[tuple[str, str]], *, method: str = "") -> Any:
        self._watch.refuse_if_away()
        asked = self._api.get(path, parameters, timeout=self._timeout, method=method)
        data = self._wait(asked).data
        if not isinstance(data, dict if path == "metadata" else list):
            raise PeerAway(f"The answer of {self._api.url} is broken: {path}.")
        return data

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def selector(matchers: Sequence[Matcher]) -> str:
    """Matchers as PromQL writes them; names that are not plain stand in quotes."""
    return "{" + ",".join(map(_matcher, matchers)) + "}"


def _matcher(matcher: Matcher) -> str:
    if _PLAIN_NAME.fullmatch(matcher.name):
        return str(matcher)
    return f"{quoted(matcher.name)}{matcher.op}{quoted(matcher.value)}"


def _limits(
    selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
) -> list[tuple[str, str]]:
    return [("match[]", selector(each)) for each in selections] + bounds(start_ms, end_ms)


def bounds(start_ms: int, end_ms: int) -> list[tuple[str, str]]:
    """``start`` and ``end`` as every server parses them: within the years 1970 to 2100."""
    start, end = (min(max(ms, 0), _LATEST_MS) / 1000 for ms in (start_ms, end_ms))
    return [("start", f"{start:.3f}"), ("end", f"{end:.3f}")]


def _from(samples: SeriesSamples, start_ms: int) -> SeriesSamples:
    """Without what is before ``start_ms``, and without series of which nothing is left."""
    wanted = samples.ts >= start_ms
    if wanted.all():
        return samples
    kept = [0, *wanted.cumsum().tolist()]
    ends = [kept[i] for i in samples.offsets.tolist()]
    rows = [i for i in range(len(samples)) if ends[i + 1] > ends[i]]
    offsets = [0, *(ends[i + 1] for i in rows)]
    return SeriesSamples(
        [samples.labels[i] for i in rows],
        np.array(offsets, dtype=np.int64),
        samples.ts[wanted],
        samples.values[wanted],
    )
