"""Queries become figures and tables, once for every page that shows them."""

import asyncio
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Histogram

from pynomaly.calendar.charts import ChartEvents, series_of
from pynomaly.figures.series import legend_names, top_rows
from pynomaly.figures.timeseries import Line, Mark, Threshold, timeseries
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Matrix, Querier, QueryResult, Scalar
from pynomaly.web.panels import PanelSpec

_EVALUATIONS = Counter(
    "pynomaly_web_panel_evaluations",
    "Evaluations of charts and tables for pages.",
    ["kind", "outcome"],
    registry=REGISTRY,
)
_DURATION = Histogram(
    "pynomaly_web_panel_evaluation_seconds",
    "How long evaluations of charts and tables took.",
    ["kind"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
    registry=REGISTRY,
)
_POSITION = re.compile(r"^(\d+):(\d+):")
TABLE_ROWS = 500

Message = dict[str, Any]
SeriesKey = tuple[int, Labels]


@dataclass(frozen=True, slots=True)
class GraphState:
    """What a live chart shows now: the series in the order of its lines, and the grid's end."""

    shown: tuple[SeriesKey, ...]
    hidden: int
    end_ms: int
    complete: bool
    """False when a query failed, so that points cannot be added to what is there."""


@dataclass(slots=True)
class _Grid:
    keys: list[SeriesKey] = field(default_factory=list)
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[Message] = field(default_factory=list)
    series: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates panels with a bounded number of queries at once."""

    querier: Querier
    slots: asyncio.Semaphore
    timeout: float
    events: ChartEvents = field(default_factory=ChartEvents)

    async def graph(
        self, spec: PanelSpec, now_ms: int, marks: Sequence[Mark] = ()
    ) -> tuple[Message, GraphState]:
        """The whole figure of a chart, and what is needed to go on from it."""
        start, end, step = spec.bounds(now_ms)
        began = time.perf_counter()
        queries = range(len(spec.queries))
        results = await asyncio.gather(
            *(self._range(spec.expression(i), start, end, step) for i in queries)
        )
        edges = await self._edges(spec, now_ms) if spec.live else {}
        grid = await asyncio.to_thread(_collect, spec, results, (end - start) // step + 1)
        took = time.perf_counter() - began
        _DURATION.labels("graph").observe(took)
        _EVALUATIONS.labels("graph", "error" if grid.errors else "ok").inc()
        message, state = _graph_message(spec, grid, (start, end, step), now_ms, edges, took, marks)
        return message | self.happened(spec, state, now_ms), state

    def happened(self, spec: PanelSpec, state: GraphState, now_ms: int) -> Message:
        """The events that concern the series of a chart; where it shows none, what they ask for."""
        exprs = [spec.expression(query) for query in range(len(spec.queries))]
        series = [series_of(exprs[query], dict(labels)) for query, labels in state.shown]
        start, end, _ = spec.bounds(now_ms)
        until = max(end, now_ms) if spec.live else end
        return {"events": self.events.of(series or [series_of(e, {}) for e in exprs], start, until)}

    async def delta(
        self, spec: PanelSpec, state: GraphState, now_ms: int
    ) -> tuple[Message, GraphState] | None:
        """The points since ``state``; None when the chart must be made anew.

        That is so when a query fails, or a series appears that the chart has room for.
        """
        _, end, step = spec.bounds(now_ms)
        if not state.complete or end < state.end_ms:
            return None
        began = time.perf_counter()
        edges = await self._edges(spec, now_ms)
        room = len(state.shown) < spec.limit and not state.hidden
        if edges is None or (room and set(edges) - set(state.shown)):
            return None
        tail = await self._tail(spec, state, end, step)
        if tail is None:
            return None
        _DURATION.labels("delta").observe(time.perf_counter() - began)
        _EVALUATIONS.labels("delta", "ok").inc()
        message = {
            "kind": "delta",
            "after": state.end_ms,
            "t": list(range(state.end_ms + step, end + 1, step)),
            "y": tail,
            "edge": {"t": now_ms, "y": [edges.get(key) for key in state.shown]},
        }
        return message, GraphState(state.shown, state.hidden, end, True)

    async def table(self, spec: PanelSpec, now_ms: int) -> Message:
        """Every series' value at one time, the greatest first."""
        at = now_ms if spec.live else (spec.end or now_ms)
        began = time.perf_counter()
        queries = range(len(spec.queries))
        results = await asyncio.gather(*(self._instant(spec.expression(i), at) for i in queries))
        message = await asyncio.to_thread(_table_message, results, at)
        took = time.perf_counter() - began
        message["stats"]["seconds"] = round(took, 6)
        _DURATION.labels("table").observe(took)
        _EVALUATIONS.labels("table", "error" if message["errors"] else "ok").inc()
        return message

    async def _tail(
        self, spec: PanelSpec, state: GraphState, end: int, step: int
    ) -> list[list[float | None]] | None:
        if end <= state.end_ms:
            return [[] for _ in state.shown]
        queries = range(len(spec.queries))
        results = await asyncio.gather(
            *(self._range(spec.expression(i), state.end_ms + step, end, step) for i in queries)
        )
        found: dict[SeriesKey, list[float | None]] = {}
        for query, result in enumerate(results):
            if isinstance(result, PynomalyError):
                return None
            for labels, row in _rows(result):
                found[query, labels] = [_number(v) for v in row.tolist()]
        nothing: list[float | None] = [None] * ((end - state.end_ms) // step)
        return [found.get(key, nothing) for key in state.shown]

    async def _edges(self, spec: PanelSpec, now_ms: int) -> dict[SeriesKey, float | None] | None:
        queries = range(len(spec.queries))
        results = await asyncio.gather(
            *(self._instant(spec.expression(i), now_ms) for i in queries)
        )
        found: dict[SeriesKey, float | None] = {}
        for query, result in enumerate(results):
            if isinstance(result, PynomalyError):
                return None
            found.update({(query, labels): _number(row[-1]) for labels, row in _rows(result)})
        return found

    async def _range(
        self, expr: str, start: int, end: int, step: int
    ) -> QueryResult | PynomalyError:
        async with self.slots:
            try:
                return await self.querier.range(expr, start, end, step, timeout=self.timeout)
            except PynomalyError as error:
                return error

    async def _instant(self, expr: str, at: int) -> QueryResult | PynomalyError:
        async with self.slots:
            try:
                return await self.querier.instant(expr, at, timeout=self.timeout)
            except PynomalyError as error:
                return error


def _rows(result: QueryResult) -> list[tuple[Labels, NDArray[np.float64]]]:
    value = result.value
    if isinstance(value, Matrix):
        shown = np.where(value.present, value.values, np.nan)
        return list(zip(value.labels, shown, strict=True))
    if isinstance(value, Scalar):
        return [(Labels(), value.values)]
    return []


def _collect(spec: PanelSpec, results: Sequence[QueryResult | PynomalyError], steps: int) -> _Grid:
    grid = _Grid()
    for query, result in enumerate(results):
        if isinstance(result, PynomalyError):
            grid.errors.append(error_message(query, result))
            grid.series.append(0)
            continue
        grid.warnings += [*result.warnings, *result.infos]
        rows = _rows(result)
        grid.series.append(len(rows))
        labels = [each for each, _ in rows]
        asked = spec.queries[query]
        fallback = "" if len(rows) > 1 else asked.expr
        if rows and not asked.legend and len(rows) == 1 and labels[0].name:
            fallback = str(labels[0])
            grid.names.append(fallback)
        else:
            grid.names += legend_names(labels, asked.legend, fallback)
        grid.keys += [(query, each) for each in labels]
        grid.rows += [row for _, row in rows]
    assert all(len(row) == steps for row in grid.rows), "a querier left the grid"
    return grid


def _graph_message(
    spec: PanelSpec,
    grid: _Grid,
    bounds: tuple[int, int, int],
    now_ms: int,
    edges: dict[SeriesKey, float | None] | None,
    took: float,
    marks: Sequence[Mark],
) -> tuple[Message, GraphState]:
    start, end, step = bounds
    kept = top_rows(np.array(grid.rows), spec.limit) if grid.rows else []
    lines = [
        Line(
            key=_colour_key(grid.keys[i][1], grid.names[i]),
            name=grid.names[i],
            title=str(grid.keys[i][1]),
            values=grid.rows[i],
            query=grid.keys[i][0],
        )
        for i in kept
    ]
    shown = tuple(grid.keys[i] for i in kept)
    figure = timeseries(
        lines,
        start,
        step,
        unit=spec.unit,
        zero=spec.zero,
        thresholds=[Threshold(t.value, t.label) for t in spec.thresholds],
        marks=[mark for mark in marks if start <= mark.at <= now_ms],
    )
    points = int(sum(np.isfinite(row).sum() for row in grid.rows))
    message = {
        "kind": "figure",
        "figure": figure,
        "grid": {"start": start, "end": end, "step": step},
        "edge": {"t": now_ms, "y": [(edges or {}).get(key) for key in shown]} if edges else None,
        "stats": {
            "series": grid.series,
            "shown": len(kept),
            "points": points,
            "seconds": round(took, 6),
        },
        "warnings": grid.warnings,
        "errors": grid.errors,
    }
    state = GraphState(
        shown, len(grid.rows) - len(kept), end, not grid.errors and edges is not None
    )
    return message, state


def _colour_key(labels: Labels, name: str) -> str:
    return str(labels.without(METRIC_NAME)) if len(labels.without(METRIC_NAME)) else name


def _table_message(results: Sequence[QueryResult | PynomalyError], at: int) -> Message:
    errors = [error_message(i, r) for i, r in enumerate(results) if isinstance(r, PynomalyError)]
    rows: list[tuple[int, Labels, float]] = []
    warnings: list[str] = []
    for query, result in enumerate(results):
        if not isinstance(result, PynomalyError):
            warnings += [*result.warnings, *result.infos]
            rows += [(query, labels, float(row[-1])) for labels, row in _rows(result) if len(row)]
    kept = rows[:TABLE_ROWS]
    return {
        "kind": "table",
        "at": at,
        "columns": sorted({name for _, labels, _ in kept for name in labels}),
        "rows": [[query, dict(labels.pairs), _exact(value)] for query, labels, value in kept],
        "stats": {"series": [len(rows)], "shown": len(kept), "points": len(rows), "seconds": 0.0},
        "warnings": warnings,
        "errors": errors,
    }


def error_message(query: int, error: PynomalyError) -> Message:
    """An error as pages show it; ``position`` is [line, column], 1-based, if it is known."""
    found = _POSITION.match(error.message)
    return {
        "query": query,
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "position": [int(found[1]), int(found[2])] if found else None,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _exact(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
