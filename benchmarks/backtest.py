"""A month of history through one rule: simulated days a second, on the embedded engine.

A peer has no such thing; beside it stands the time that the same range query takes alone.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.tables import Table
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.service import Backtests, Request, SweepValues
from pynomaly.rules.config import load_rules
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore

SERIES = 100
DAYS = 30
SPACING = 15
START = 1_700_006_400.0

RULES = {
    "x > 0.95": "cpu_busy_ratio > 0.95",
    "rate(x[5m]) > 16": "rate(http_requests_total[5m]) > 16",
    "avg_over_time(x[1h]) > 0.75": "avg_over_time(cpu_busy_ratio[1h]) > 0.75",
    "sum by (job) (rate(x[5m])) > 120": "sum by (job) (rate(http_requests_total[5m])) > 120",
}
TEXT = """
groups:
  - name: g
    interval: 15s
    rules:
      - alert: A
        expr: {expr}
        for: 5m
        annotations: {{summary: "{{{{ $labels.instance }}}} is at {{{{ $value }}}}"}}
"""
RECORDED = """
groups:
  - name: g
    interval: 15s
    rules:
      - record: instance:requests:rate5m
        expr: rate(http_requests_total[5m])
      - alert: A
        expr: instance:requests:rate5m > 16
        for: 5m
"""


def _day(number: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Times (ms) and values ``[2 * SERIES, steps]`` of a day: ratios, then rates of counters."""
    random = np.random.default_rng(number)
    steps = 86_400 // SPACING
    seconds = first + np.arange(steps) * SPACING
    daily = 0.5 + 0.3 * np.sin(2 * np.pi * seconds / 86_400)
    noise = np.cumsum(random.normal(0, 0.01, (SERIES, steps)), axis=1)
    busy = np.clip(daily + noise - noise.mean(axis=1, keepdims=True), 0, 1)
    return seconds * 1000 + 137, np.concatenate([busy, 20 * busy * SPACING])


async def _fill(store: SampleStore) -> None:
    names = [("cpu_busy_ratio", i) for i in range(SERIES)]
    names += [("http_requests_total", i) for i in range(SERIES)]
    labels = [
        Labels({"__name__": n, "instance": f"10.0.0.{i}:9100", "job": f"j{i % 10}"})
        for n, i in names
    ]
    ids = np.array([series_id(each) for each in labels], dtype=np.uint64)
    known = dict(zip(ids.tolist(), labels, strict=True))
    total = np.zeros((SERIES, 1))
    for day in range(DAYS):
        ts, values = _day(day, int(START) + day * 86_400)
        values[SERIES:] = np.cumsum(values[SERIES:], axis=1) + total
        total = values[SERIES:, -1:]
        batch = SampleBatch(
            np.repeat(ids, len(ts)), np.tile(ts, len(ids)), values.reshape(-1), known
        )
        await store.append(batch)


async def _measure(folder: Path) -> Table:
    table = Table(
        f"Backtest of one rule: {SERIES} series, {DAYS} d at {SPACING} s "
        f"({DAYS * 86_400 // SPACING:,} evaluations)",
        ["rule", "seconds", "days a second", "alerts", "range queries alone, seconds"],
    )
    engine = await asyncio.to_thread(EmbeddedEngine, folder, EngineSettings())
    store = SampleStore(engine, FakeClock(START + DAYS * 86_400), None, folder)
    await store.start()
    try:
        await _fill(store)
        with ThreadPoolExecutor(4) as executor:
            querier = LocalQuerier(store, executor)
            for name, expr in RULES.items():
                text = TEXT.format(expr=expr)
                await _one(table, name, querier, text, expr.rpartition(" > ")[0])
            sweep = SweepValues((10, 12, 14, 16, 18), (60, 300, 900))
            text = TEXT.format(expr=RULES["rate(x[5m]) > 16"])
            await _one(table, "rate, 15 combinations swept", querier, text, "", sweep)
            await _one(table, "rate, through a recording rule", querier, RECORDED, "")
    finally:
        await store.close()
        await asyncio.to_thread(engine.close)
    return table


async def _one(
    table: Table,
    name: str,
    querier: LocalQuerier,
    text: str,
    base: str,
    sweep: SweepValues | None = None,
) -> None:
    end = START + DAYS * 86_400
    request = Request(load_rules(text, "r.yml"), START, end, sweep=sweep or SweepValues())
    result = await Backtests(querier).run(request)
    alone = f"{await _alone(querier, base):.1f}" if base else ""
    took = f"{result.took:.1f}"
    table.add(name, took, f"{DAYS / result.took:.1f}", result.rules[0].fired, alone)


async def _alone(querier: LocalQuerier, expr: str) -> float:
    """The same evaluations as range queries of a day each, one after the other."""
    began = time.perf_counter()
    for day in range(DAYS):
        first = round((START + day * 86_400) * 1000)
        await querier.range(expr, first, first + 86_399_999, SPACING * 1000)
    return time.perf_counter() - began


def run(folder: Path) -> list[Table]:
    """One rule at a time over a month."""
    return [asyncio.run(_measure(folder))]
