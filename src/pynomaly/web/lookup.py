"""Names for completion and search: metrics, labels, values. Bounded answers, newest data first."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.storage.samples.contract import SampleReader

LIMIT = 60
_WINDOW_MS = 3_600_000
_CACHE_MS = 5_000

Row = dict[str, Any]


class Lookup:
    """Finds names among the series of the last hour."""

    def __init__(self, reader: SampleReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._names: list[str] = []
        self._names_at = -_CACHE_MS
        self._lock = asyncio.Lock()

    async def metrics(self, text: str, limit: int = LIMIT) -> list[Row]:
        """Metrics whose name holds the words of ``text``, best first, with type and help."""
        found = rank(text, await self._metric_names())[:limit]
        metadata = await asyncio.to_thread(self._metadata, found)
        return [{"name": name, **metadata.get(name, {})} for name in found]

    async def labels(self, metric: str) -> list[str]:
        """The names of the labels of a metric, or of all series."""
        names = await asyncio.to_thread(
            self._reader.label_names, _selection(metric), *self._recent()
        )
        return [name for name in names if name != METRIC_NAME]

    async def values(self, label: str, metric: str, text: str, limit: int = LIMIT) -> list[str]:
        """The values of a label that hold ``text``."""
        values = await asyncio.to_thread(
            self._reader.label_values, label, _selection(metric), *self._recent()
        )
        return rank(text, values)[:limit]

    async def _metric_names(self) -> list[str]:
        async with self._lock:
            now = now_ms(self._clock)
            if now - self._names_at >= _CACHE_MS:
                self._names = await asyncio.to_thread(
                    self._reader.label_values, METRIC_NAME, [], *self._recent()
                )
                self._names_at = now
            return self._names

    def _metadata(self, names: Sequence[str]) -> dict[str, Row]:
        known = self._reader.metadata()
        found: dict[str, Row] = {}
        for name in names:
            entries = known.get(name) or known.get(_family(name))
            if entries:
                found[name] = {"type": entries[0].type, "help": entries[0].help}
        return found

    def _recent(self) -> tuple[int, int]:
        now = now_ms(self._clock)
        return now - _WINDOW_MS, now


def _selection(metric: str) -> list[list[Matcher]]:
    return [[Matcher(METRIC_NAME, MatchOp.EQUAL, metric)]] if metric else []


def _family(name: str) -> str:
    """The family that a histogram's or summary's series belongs to."""
    for suffix in ("_bucket", "_count", "_sum", "_total"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def rank(text: str, names: Sequence[str]) -> list[str]:
    """Names that hold every word of ``text``: those that begin with it, then at a word, then any.

    >>> rank("cpu", ["a_cpu", "acpu", "cpu_x", "mem"])
    ['cpu_x', 'a_cpu', 'acpu']
    """
    wanted = text.lower()
    words = wanted.split()

    def place(name: str) -> int:
        low = name.lower()
        if low.startswith(wanted):
            return 0
        return 1 if f"_{words[0]}" in low else 2

    if not words:
        return list(names)
    return sorted((n for n in names if all(w in n.lower() for w in words)), key=place)
