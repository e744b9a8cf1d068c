"""PromQL over the samples that are stored here."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext

import numpy as np

from pynomaly.model.samples import SeriesSamples
from pynomaly.promql import leaves, nodes
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import (
    Matrix,
    ParseError,
    QueryResult,
    QueryTimeout,
    Scalar,
    String,
)
from pynomaly.promql.evaluator import Evaluator
from pynomaly.promql.experimental import refuse_experimental
from pynomaly.promql.metrics import QUERIES_IN_FLIGHT, QUERY_DURATION, QUERY_SAMPLES
from pynomaly.promql.nodes import Node, ValueType
from pynomaly.promql.ordering import in_order
from pynomaly.promql.parser import parse
from pynomaly.promql.query_log import QueryLog
from pynomaly.promql.shared_reads import SharedReads
from pynomaly.promql.state import Grid, QueryState
from pynomaly.storage.samples.contract import SampleSelector


class LocalQuerier:
    """Evaluates in worker threads what ``reader`` selects.

    ``cancel_read`` stops a running read of the engine by its query id; without it a cancelled
    query ends at its next chunk of samples. ``quick_from`` gives the time (ms) from which on
    ``reader`` answers from memory.
    """

    def __init__(
        self,
        reader: SampleSelector,
        executor: Executor,
        settings: QuerySettings | None = None,
        *,
        cancel_read: Callable[[str], None] | None = None,
        query_log: QueryLog | None = None,
        quick_from: Callable[[], int] | None = None,
    ) -> None:
        self._reader = reader
        self._executor = executor
        self._settings = settings or QuerySettings()
        self._cancel_read = cancel_read
        self._query_log = query_log
        self._quick_from = quick_from

    def sharing(self, expressions: Sequence[str]) -> "LocalQuerier":
        """The same for these expressions at one moment, reading what they share only once.

        For a moment only: it does not see what is written after it has read.
        """
        return LocalQuerier(
            SharedReads(self._reader, expressions, self._quick_from),
            self._executor,
            self._settings,
            cancel_read=self._cancel_read,
            query_log=self._query_log,
            quick_from=self._quick_from,
        )

    def looking_back(self, lookback_ms: int) -> "LocalQuerier":
        """The same with another lookback."""
        return LocalQuerier(
            self._reader,
            self._executor,
            self._settings.model_copy(update={"lookback": lookback_ms / 1000}),
            cancel_read=self._cancel_read,
            query_log=self._query_log,
            quick_from=self._quick_from,
        )

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        """Evaluate at one time; see ``Querier``."""
        return await self._run("instant", expr, Grid(at_ms, 1, 1), at_ms, timeout)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        """Evaluate at ``start, start + step, … <= end``; see ``Querier``."""
        if step_ms <= 0:
            raise ParseError("zero or negative query resolution step widths are not accepted")
        grid = Grid.between(start_ms, end_ms, step_ms)
        return await self._run("range", expr, grid, end_ms, timeout)

    async def _run(
        self, kind: str, expr: str, grid: Grid, end_ms: int, timeout: float
    ) -> QueryResult:
        timeout = min(timeout, self._settings.timeout)
        state = QueryState(
            self._reader,
            self._settings,
            grid,
            end_ms=end_ms,
            query_id=f"promql-{uuid.uuid4().hex}",
            deadline=time.monotonic() + timeout,
        )
        with self._query_log.following(kind, expr, state) if self._query_log else nullcontext():
            return await self._answered(kind, expr, state, timeout)

    async def _answered(
        self, kind: str, expr: str, state: QueryState, timeout: float
    ) -> QueryResult:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._executor, answer, kind, expr, state)
        with QUERIES_IN_FLIGHT.track_inprogress(), QUERY_DURATION.labels(kind).time():
            try:
                done, _ = await asyncio.wait({work}, timeout=timeout)
                if not done:
                    raise QueryTimeout("query timed out in expression evaluation")
                return work.result()
            finally:
                QUERY_SAMPLES.inc(state.samples_read)
                if not work.done():
                    await asyncio.shield(asyncio.ensure_future(self._abandon(state, work)))

    async def _abandon(self, state: QueryState, work: "asyncio.Future[QueryResult]") -> None:
        """Tell a running evaluation to stop; nobody waits for it."""
        state.cancel()
        work.cancel()
        if self._cancel_read and state.reading:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._cancel_read, state.reading)


def answer(kind: str, expr: str, state: QueryState) -> QueryResult:
    """Parse and evaluate, in the calling thread.

    ``kind`` is ``instant`` (the state's grid has one step) or ``range``.

    Raises:
        ParseError: the expression cannot be understood.
        QueryError: it cannot be answered, or exceeds a limit.
        QueryTimeout: the state's deadline has passed.
    """
    node = parse(expr)
    if not state.settings.experimental_functions and (error := refuse_experimental(expr, node)):
        raise error
    if kind == "range" and node.type not in (ValueType.SCALAR, ValueType.VECTOR):
        message = f'invalid expression type "{_documented(node)}" for range query'
        raise ParseError(f"{message}, must be Scalar or instant Vector")
    if node.type == ValueType.MATRIX:
        return _range_vector(node, state)
    # Infinities and NaN are values of PromQL: nothing to warn of.
    with np.errstate(all="ignore"):
        value = Evaluator(state).evaluate(node, state.grid)
    if isinstance(value, Matrix):
        value = in_order(node, value, instant=kind == "instant")
    return _result(value, state)


def _documented(node: Node) -> str:
    return "range vector" if node.type == ValueType.MATRIX else str(node.type)


def _range_vector(node: Node, state: QueryState) -> QueryResult:
    """The samples themselves, as an instant query of ``x[5m]`` gives them."""
    if isinstance(node, nodes.MatrixSelector):
        return _result(leaves.samples_of(state, node, state.grid), state)
    assert isinstance(node, nodes.Subquery)
    ends = leaves.reference(state, state.grid, node.offset_ms, node.at)
    with np.errstate(all="ignore"):
        return _result(Evaluator(state).subquery(node, ends), state)


def _result(value: Matrix | Scalar | String | SeriesSamples, state: QueryState) -> QueryResult:
    return QueryResult(value, tuple(state.warnings), tuple(state.infos))
