"""Remembers what range queries gave, for as long as it is still true.

A step of a range depends on samples up to its own time only, unless the expression looks ahead
(``@``, a negative offset) or at the range as a whole. So a sample of time T leaves every earlier
step as it was: whatever is written, late or not, cuts what is remembered at the oldest sample
that was written, and what is asked again is evaluated from there on.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from prometheus_client import Counter, Gauge

from pynomaly.observability import REGISTRY
from pynomaly.promql import nodes
from pynomaly.promql.contract import (
    Matrix,
    ParseError,
    Querier,
    QueryResult,
    looking_back,
)
from pynomaly.promql.matrices import in_label_order
from pynomaly.promql.nodes import Node, ValueType
from pynomaly.promql.parser import parse

_STEPS = Counter(
    "pynomaly_query_cache_steps",
    "Steps of range queries by whether they were remembered or evaluated.",
    ["source"],
    registry=REGISTRY,
)
_POINTS = Gauge(
    "pynomaly_query_cache_points",
    "Points (of 9 bytes) that are remembered for range queries.",
    registry=REGISTRY,
)

_OF_THE_WHOLE_RANGE = frozenset({"start", "end", "step", "range"})
_ALWAYS = 2**62

Key = tuple[str, int, int, int]
"""Expression, step, where on the step its grid lies, and the lookback (0: that of the settings)."""


@dataclass(eq=False)
class _Entry:
    """``matrix`` is true up to ``until_ms``."""

    matrix: Matrix
    until_ms: int
    warnings: Sequence[str]
    infos: Sequence[str]

    @property
    def points(self) -> int:
        return int(self.matrix.values.size)


class RangeCache:
    """A ``Querier`` before another, on the same store. For the event loop only.

    ``most_points`` bounds what is remembered, 0 switches it off. Call ``changed`` for everything
    that is written or removed; see ``SampleStore.watch``.
    """

    def __init__(self, inner: Querier, most_points: int) -> None:
        self._inner = inner
        self._most_points = most_points
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._points = 0
        self._running: list[_Entry] = []

    def changed(self, oldest_ms: int) -> None:
        """Samples from ``oldest_ms`` on may differ from now on, or have differed just before."""
        for entry in (*self._entries.values(), *self._running):
            entry.until_ms = min(entry.until_ms, oldest_ms - 1)

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        """Not remembered: see ``Querier``."""
        return await self._inner.instant(expr, at_ms, timeout=timeout)

    def looking_back(self, lookback_ms: int) -> Querier:
        """The same with another lookback, remembered apart."""
        return _LookingBack(self, looking_back(self._inner, lookback_ms), lookback_ms)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        """What is remembered and still true, and the rest evaluated; see ``Querier``."""
        asked = _Asked(self._inner, 0, timeout)
        return await self.answer(asked, expr, start_ms, end_ms, step_ms)

    async def answer(
        self, asked: "_Asked", expr: str, start_ms: int, end_ms: int, step_ms: int
    ) -> QueryResult:
        """The same, by the querier that is asked."""
        if not self._most_points or step_ms <= 0 or not _cacheable(expr):
            return await asked.range(expr, start_ms, end_ms, step_ms)
        key = (expr, step_ms, start_ms % step_ms, asked.lookback_ms)
        head = _head(self._entries.get(key), start_ms, end_ms, step_ms)
        begin = int(head.matrix.timestamps[-1]) + step_ms if head else start_ms
        # What is written while this runs cuts what it gives, like what is remembered already.
        running = _Entry(Matrix.empty(np.empty(0, dtype=np.int64)), _ALWAYS, (), ())
        self._running += [running, head] if head else [running]
        try:
            answer = await _evaluated(asked, expr, begin, end_ms, step_ms)
        finally:
            self._running.remove(running)
            if head:
                self._running.remove(head)
        if not isinstance(answer.value, Matrix):
            return answer
        if head and head.until_ms < begin - step_ms:
            # The head was cut meanwhile: what was asked for is one answer, not two of two times.
            return await asked.range(expr, start_ms, end_ms, step_ms)
        _STEPS.labels("remembered").inc(len(head.matrix.timestamps) if head else 0)
        _STEPS.labels("evaluated").inc(len(answer.value.timestamps))
        whole = _joined(head, answer) if head else answer
        self._remember(key, whole, min(end_ms, running.until_ms))
        return whole

    def _remember(self, key: Key, result: QueryResult, until_ms: int) -> None:
        assert isinstance(result.value, Matrix), "scalars are not remembered"
        self._forget(key)
        entry = _Entry(result.value, until_ms, result.warnings, result.infos)
        if entry.points * 4 > self._most_points:
            return
        self._entries[key] = entry
        self._points += entry.points
        while self._points > self._most_points:
            self._forget(next(iter(self._entries)))
        _POINTS.set(self._points)

    def _forget(self, key: Key) -> None:
        if entry := self._entries.pop(key, None):
            self._points -= entry.points


@dataclass(frozen=True)
class _Asked:
    """Who evaluates what is not remembered, with which lookback."""

    querier: Querier
    lookback_ms: int
    timeout: float

    async def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> QueryResult:
        return await self.querier.range(expr, start_ms, end_ms, step_ms, timeout=self.timeout)


class _LookingBack:
    """A ``Querier`` with another lookback before the same cache."""

    def __init__(self, cache: RangeCache, inner: Querier, lookback_ms: int) -> None:
        self._cache = cache
        self._inner = inner
        self._lookback_ms = lookback_ms

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        return await self._inner.instant(expr, at_ms, timeout=timeout)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        asked = _Asked(self._inner, self._lookback_ms, timeout)
        return await self._cache.answer(asked, expr, start_ms, end_ms, step_ms)


async def _evaluated(
    asked: _Asked, expr: str, begin: int, end_ms: int, step_ms: int
) -> QueryResult:
    if begin > end_ms:
        return QueryResult(Matrix.empty(np.empty(0, dtype=np.int64)))
    return await asked.range(expr, begin, end_ms, step_ms)


def _cacheable(expr: str) -> bool:
    try:
        root = parse(expr)
    except ParseError:
        return False  # whoever evaluates it says what is wrong
    return root.type == ValueType.VECTOR and all(map(_looks_back_only, nodes.walk(root)))


def _looks_back_only(node: Node) -> bool:
    if isinstance(node, nodes.VectorSelector | nodes.Subquery):
        return node.at is None and node.offset_ms >= 0
    if isinstance(node, nodes.Call):
        return node.function not in _OF_THE_WHOLE_RANGE
    return True


def _head(entry: _Entry | None, start_ms: int, end_ms: int, step_ms: int) -> _Entry | None:
    """The steps of an entry that are asked for and still true."""
    if entry is None or not len(entry.matrix.timestamps):
        return None
    times = entry.matrix.timestamps
    if start_ms < times[0]:
        return None
    inside = (times >= start_ms) & (times <= min(end_ms, entry.until_ms))
    if not inside.any():
        return None
    steps = slice(int(np.argmax(inside)), int(len(inside) - np.argmax(inside[::-1])))
    present = entry.matrix.present[:, steps]
    rows = np.flatnonzero(present.any(axis=1))
    kept = Matrix(
        [entry.matrix.labels[i] for i in rows],
        times[steps],
        entry.matrix.values[rows, steps],
        present[rows],
    )
    return _Entry(kept, _ALWAYS, entry.warnings, entry.infos)


def _joined(head: _Entry, tail: QueryResult) -> QueryResult:
    """One answer of the steps of both; a series of either has none at the steps of the other."""
    assert isinstance(tail.value, Matrix), "the head is a matrix of the same expression"
    pieces = (head.matrix, tail.value)
    row_of: dict[object, int] = {}
    for piece in pieces:
        for labels in piece.labels:
            row_of.setdefault(labels, len(row_of))
    times = np.concatenate([piece.timestamps for piece in pieces])
    values = np.zeros((len(row_of), len(times)))
    present = np.zeros(values.shape, dtype=np.bool_)
    begin = 0
    for piece in pieces:
        rows = [row_of[labels] for labels in piece.labels]
        end = begin + len(piece.timestamps)
        values[rows, begin:end] = piece.values
        present[rows, begin:end] = piece.present
        begin = end
    every = {labels: None for piece in pieces for labels in piece.labels}
    whole = in_label_order(Matrix(list(every), times, values, present))
    notes = [
        tuple(dict.fromkeys((*a, *b)))
        for a, b in ((head.warnings, tail.warnings), (head.infos, tail.infos))
    ]
    return QueryResult(whole, *notes)
