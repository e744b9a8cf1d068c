"""What rules record in a backtest, kept in memory over what is stored."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import Matcher, MatchOp, all_match
from pynomaly.model.samples import BoolArray, SeriesSamples, TimeArray, ValueArray
from pynomaly.promql import nodes
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Matrix, Querier, QueryResult, Scalar, String
from pynomaly.promql.evaluator import Evaluator, Value
from pynomaly.promql.matrices import stacked
from pynomaly.promql.nodes import Node, ValueType, VectorSelector, walk
from pynomaly.promql.printer import to_text
from pynomaly.promql.state import Grid, QueryState
from pynomaly.rules.backtest.errors import BacktestFailed
from pynomaly.rules.backtest.plan import Member

STALE_BITS = np.uint64(0x7FF0000000000002)


@dataclass(slots=True, eq=False)
class _Series:
    parts: list[tuple[TimeArray, ValueArray]] = field(default_factory=list)

    def whole(self) -> tuple[TimeArray, ValueArray]:
        if len(self.parts) > 1:
            ts = np.concatenate([part[0] for part in self.parts])
            values = np.concatenate([part[1] for part in self.parts])
            self.parts = [(ts, values)]
        return self.parts[0]


class Recorded:
    """Series in memory: appended in the order of time, read as a store is. Thread-safe."""

    def __init__(self) -> None:
        self._series: dict[Labels, _Series] = {}
        self._lock = threading.Lock()

    def append(self, labels: Labels, ts: TimeArray, values: ValueArray) -> None:
        """Add samples later than all before: int64 milliseconds and float64 of one length."""
        if not len(ts):
            return
        with self._lock:
            self._series.setdefault(labels, _Series()).parts.append((ts, values))

    def forget_before(self, ms: int) -> None:
        """Drop what nobody will read any more."""
        with self._lock:
            for labels in list(self._series):
                ts, values = self._series[labels].whole()
                first = int(np.searchsorted(ts, ms, side="left"))
                if first == len(ts):
                    del self._series[labels]
                elif first:
                    self._series[labels].parts = [(ts[first:].copy(), values[first:].copy())]

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        """Samples in a closed time range; see ``SampleReader``. They come as one chunk."""
        found: list[tuple[Labels, TimeArray, ValueArray]] = []
        with self._lock:
            for labels, series in self._series.items():
                if not all_match(matchers, labels):
                    continue
                ts, values = series.whole()
                first, last = np.searchsorted(ts, [start_ms, end_ms + 1], side="left")
                if first < last:
                    found.append((labels, ts[first:last], values[first:last]))
        if found:
            lengths = [len(ts) for _, ts, _ in found]
            yield SeriesSamples(
                [labels for labels, _, _ in found],
                np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
                np.concatenate([ts for _, ts, _ in found]),
                np.concatenate([values for _, _, values in found]),
            )


class Ledger:
    """Writes down what one rule gives, with a staleness marker where a series ends."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._alive: set[Labels] = set()

    def write(self, matrix: Matrix) -> None:
        """The next steps of a rule; where it failed is not among them."""
        times, steps = matrix.timestamps, len(matrix.timestamps)
        if not steps:
            return
        for row, labels in enumerate(matrix.labels):
            present = matrix.present[row]
            before = np.concatenate(([labels in self._alive], present[:-1]))
            self._recorded.append(labels, *_samples(times, matrix.values[row], present, before))
        for labels in self._alive.difference(matrix.labels):
            self._recorded.append(labels, times[:1], STALE_BITS.reshape(1).view(np.float64))
        last = matrix.present[:, -1].tolist()
        self._alive = {
            labels for labels, is_there in zip(matrix.labels, last, strict=True) if is_there
        }


def _samples(
    times: TimeArray, values: ValueArray, present: BoolArray, before: BoolArray
) -> tuple[TimeArray, ValueArray]:
    ended = before & ~present
    bits = np.where(ended, STALE_BITS, np.ascontiguousarray(values).view(np.uint64))
    kept = present | ended
    return times[kept], bits[kept].view(np.float64)


class Source:
    """Answers expressions from what is stored, and from what ``writers`` have recorded so far.

    What does not read recorded series is asked of ``querier`` as it stands; the rest is evaluated
    here, of which every part that reads only stored series is asked of ``querier`` again.
    """

    def __init__(
        self, querier: Querier, writers: Sequence[Member], settings: QuerySettings | None = None
    ) -> None:
        self.querier = querier
        self.recorded = Recorded()
        self.writers = writers
        self.settings = settings or QuerySettings()

    def touches(self, node: Node) -> bool:
        """Whether an expression may read recorded series."""
        return bool(self.writers) and any(
            writer.may_write(each.matchers)
            for each in walk(node)
            if isinstance(each, VectorSelector)
            for writer in self.writers
        )

    def stored_part(self, selector: VectorSelector) -> VectorSelector | None:
        """The selector without what is recorded here; None if nothing else can be meant."""
        matchers = selector.matchers
        mine = [writer for writer in self.writers if writer.may_write(matchers)]
        records = {writer.rule.record for writer in mine} - {""}
        alerts = {writer.rule.alert for writer in mine} - {""}
        equal = {m.name: m.value for m in matchers if m.op is MatchOp.EQUAL}
        if equal.get(METRIC_NAME) in records or equal.get("alertname") in alerts:
            return None
        without = [Matcher(METRIC_NAME, MatchOp.NOT_EQUAL, name) for name in sorted(records)]
        without += [Matcher("alertname", MatchOp.NOT_EQUAL, name) for name in sorted(alerts)]
        return replace(selector, matchers=(*matchers, *without))

    async def over(self, node: Node, grid: Grid) -> Matrix:
        """The value of an expression at every step; a scalar is a series without labels.

        Raises:
            QueryError, QueryTimeout: as ``Querier``.
            BacktestFailed: it reads stored and recorded series in one selector of a range.
        """
        if not self.touches(node):
            return await self._stored(node, grid)
        self._refuse_mixed(node)
        loop = asyncio.get_running_loop()
        state = QueryState(self.recorded, self.settings, grid)
        evaluator = _OverlayEvaluator(
            state, self, lambda part, steps: _ask(loop, self._stored(part, steps))
        )
        try:
            return _as_matrix(await asyncio.to_thread(_evaluate, evaluator, node, grid), grid)
        finally:
            state.cancel()

    async def _stored(self, node: Node, grid: Grid) -> Matrix:
        text = to_text(node)
        if grid.count == 1:
            answer = await self.querier.instant(text, grid.start)
        else:
            answer = await self.querier.range(text, grid.start, grid.end, grid.step)
        return _as_matrix(_value(answer), grid)

    def _refuse_mixed(self, root: Node) -> None:
        for node in walk(root):
            match node:
                case nodes.MatrixSelector(vector=selector):
                    pass
                case nodes.Call(function="timestamp", args=(VectorSelector() as selector,)):
                    pass
                case nodes.Call(function="info"):
                    raise BacktestFailed("info() over recorded series cannot be backtested")
                case _:
                    continue
            if self.touches(selector) and self.stored_part(selector) is not None:
                raise BacktestFailed(
                    f"`{to_text(node)}` may read both what these rules record and what is stored.",
                    hint="Name one metric in the selector.",
                )


def _evaluate(evaluator: Evaluator, node: Node, grid: Grid) -> Value:
    with np.errstate(all="ignore"):
        return evaluator.evaluate(node, grid)


def _ask(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Matrix]) -> Matrix:
    future: Future[Matrix] = asyncio.run_coroutine_threadsafe(work, loop)
    return future.result()


def _value(answer: QueryResult) -> Matrix | Scalar:
    assert isinstance(answer.value, Matrix | Scalar), "a rule gives a vector or a scalar"
    return answer.value


def _as_matrix(value: Value, grid: Grid) -> Matrix:
    match value:
        case Matrix():
            return value
        case Scalar():
            shape = (1, grid.count)
            values = np.asarray(value.values, dtype=np.float64).reshape(shape)
            return Matrix([Labels()], grid.times, values, np.ones(shape, dtype=np.bool_))
        case String():
            raise AssertionError("a rule gives a vector or a scalar")


class _OverlayEvaluator(Evaluator):
    """Evaluates what reads recorded series; asks ``stored`` for everything else."""

    def __init__(
        self, state: QueryState, source: Source, stored: Callable[[Node, Grid], Matrix]
    ) -> None:
        super().__init__(state)
        self._source = source
        self._stored = stored

    def evaluate(self, node: Node, grid: Grid) -> Value:
        """The value of an expression at every step of a grid."""
        self.state.check()
        if grid.count == 0 or isinstance(node, nodes.Number | nodes.Text):
            return super().evaluate(node, grid)
        if not self._source.touches(node):
            return self._elsewhere(node, grid)
        own = super().evaluate(node, grid)
        if isinstance(node, VectorSelector) and isinstance(own, Matrix):
            rest = self._source.stored_part(node)
            if rest is not None:
                other = self._stored(rest, grid)
                parts = [(m.labels, m.values, m.present) for m in (own, other)]
                return stacked(parts, grid.times)
        return own

    def in_pieces(self, node: nodes.Aggregation, grid: Grid) -> Matrix | None:
        """Nothing: operands are not only read, but also asked for."""
        return None

    def _elsewhere(self, node: Node, grid: Grid) -> Value:
        found = self._stored(node, grid)
        if node.type is ValueType.SCALAR:
            return Scalar(grid.times, found.values[0])
        return found


@dataclass(frozen=True, slots=True)
class Column:
    """A ``Querier`` that knows the answer to one expression and hands on every other."""

    expr: str
    answer: QueryResult
    other: Querier

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        """The answer, or that of the other querier."""
        if expr == self.expr:
            return self.answer
        return await self.other.instant(expr, at_ms, timeout=timeout)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        """That of the other querier."""
        return await self.other.range(expr, start_ms, end_ms, step_ms, timeout=timeout)
