"""Thirty expressions of the kinds that dashboards and rules use, at several sizes.

The forms are those of kube-prometheus's dashboards and rules (rates, ratios, quantiles, joins,
top lists, comparisons with an hour ago), over an instrumented web service. SIZES chooses how many
series (``SIZES=2000,20000``), RATES over how many counters one rate is summed at the end (0 leaves
that out); the defaults take some minutes.
"""

import json
import os
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psutil

from benchmarks.servers import PEERS, Server, available
from benchmarks.tables import Table
from benchmarks.workload import (
    bodies,
    counters,
    gauges,
    histogram_series,
    histograms,
    http_series,
    push_all,
)

HOURS, SPACING = 1, 15
EXPRESSIONS = [
    "sum(rate(m_total[5m]))",
    "sum by (job) (rate(m_total[5m]))",
    "sum by (job, status) (rate(m_total[5m]))",
    'sum by (job) (rate(m_total{status=~"5.."}[5m])) / sum by (job) (rate(m_total[5m]))',
    '1 - sum(rate(m_total{status=~"5.."}[5m])) / sum(rate(m_total[5m]))',
    'sum by (pod) (rate(m_total{job="service-3"}[5m]))',
    "topk(10, sum by (pod) (rate(m_total[5m])))",
    "sum by (method) (increase(m_total[10m]))",
    "sum by (job) (irate(m_total[5m]))",
    "max by (job) (m_gauge)",
    "avg by (job, method) (m_gauge)",
    'm_gauge{job="service-1", method="GET"}',
    "count(m_gauge > 50)",
    "count by (job) (m_gauge > 60)",
    "quantile by (job) (0.9, m_gauge)",
    "stddev by (job) (m_gauge)",
    "sum(m_gauge) by (job) / count(m_gauge) by (job)",
    'avg_over_time(m_gauge{job="service-2"}[10m])',
    "max(max_over_time(m_gauge[5m]))",
    "sum by (job) (m_gauge) - sum by (job) (m_gauge offset 30m)",
    "histogram_quantile(0.99, sum by (le) (rate(m_seconds_bucket[5m])))",
    "histogram_quantile(0.9, sum by (le, job) (rate(m_seconds_bucket[5m])))",
    'sum(rate(m_seconds_bucket{le="0.25"}[5m])) / sum(rate(m_seconds_bucket{le="+Inf"}[5m]))',
    "sum by (pod) (m_gauge) * on (pod) group_left (job) max by (pod, job) (m_total * 0 + 1)",
    "sum by (job) (rate(m_total[5m])) > 1",
    'absent(m_gauge{job="nobody"})',
    "count(count by (pod) (m_gauge))",
    "sum(changes(m_gauge[5m]))",
    'predict_linear(m_gauge{job="service-4"}[30m], 3600) > 80',
    'label_replace(sum by (job) (m_gauge), "team", "$1", "job", "service-(.*)")',
]
PEAK = "sum by (job) (rate(m_total[5m]))"


def run(folder: Path) -> list[Table]:
    """Instant and range queries beside the peers, for each size."""
    sizes = [int(size) for size in os.environ.get("SIZES", "2000,20000").split(",") if size]
    tables = [table for size in sizes for table in _measure(folder, size)]
    counters_ = int(os.environ.get("RATES", "100000"))
    return [*tables, _rates(folder, counters_)] if counters_ else tables


def load(server: Server, size: int, end: int) -> None:
    """Write ``size`` series for an hour that ends at ``end`` milliseconds."""
    steps = HOURS * 3600 // SPACING
    times = end - np.arange(steps, dtype=np.int64)[::-1] * SPACING * 1000 - 137
    third = size // 3
    families = [
        gauges(http_series(third, "m_gauge"), steps, 1),
        counters(http_series(third, "m_total"), steps, 2),
        histograms(histogram_series(third, "m_seconds"), steps, 3),
    ]
    push_all(server, [bodies(families, times, 20, 20_000)])


def _measure(folder: Path, size: int) -> list[Table]:
    end = int(time.time() * 1000)
    with ExitStack() as stack:
        servers = [stack.enter_context(PEERS[n](folder / f"{n}-{size}")) for n in available()]
        for server in servers:
            load(server, size, end)
        time.sleep(10)
        return [_table(servers, size, end / 1000, kind) for kind in ("instant", "range")]


def _table(servers: list[Server], size: int, end: float, kind: str) -> Table:
    names = [server.name for server in servers]
    table = Table(
        f"{kind} queries over {size:,} series, {HOURS} h at {SPACING} s: "
        "seconds, cold; resident MB at the peak",
        ["expression", *names],
    )
    found = np.array([[_cold(s, e, end, kind) for s in servers] for e in EXPRESSIONS])
    seconds, peaks = found[:, :, 0], found[:, :, 1]
    for expression, row in zip(EXPRESSIONS, found, strict=True):
        table.add(expression, *(f"{took:.3f}; {peak:.0f}" for took, peak in row))
    table.add("median", *(f"{took:.3f}" for took in np.median(seconds, axis=0)))
    table.add("slowest", *(f"{took:.3f}" for took in seconds.max(axis=0)))
    table.add("highest peak, MB", *(f"{peak:.0f}" for peak in peaks.max(axis=0)))
    if len(names) > 1:
        ratios = seconds[:, 0] / seconds[:, 1]
        table.add(
            f"{names[0]} / {names[1]}: median, most",
            f"{np.median(ratios):.2f}",
            f"{ratios.max():.2f}",
        )
        for which in np.flatnonzero(ratios > 3):
            table.add(f"more than 3 times: {EXPRESSIONS[which]}", f"{ratios[which]:.1f}")
    again = [_repeated(s, end) for s in servers]
    table.add(f"{PEAK}, asked again", *(f"{took:.3f}" for took in again))
    return table


def _rates(folder: Path, count: int) -> Table:
    """One rate over many counters, which dashboards of large fleets sum."""
    table = Table(
        f"{PEAK} over {count:,} counters: seconds, cold; resident MB before and at the peak",
        ["server", "instant", f"{HOURS} h at {SPACING} s"],
    )
    end = int(time.time() * 1000)
    steps = HOURS * 3600 // SPACING
    times = end - np.arange(steps, dtype=np.int64)[::-1] * SPACING * 1000 - 137
    family = counters(http_series(count, "m_total"), steps, 2)
    for name in available():
        with PEERS[name](folder / f"{name}-rates") as server:
            push_all(server, [bodies([family], times, 20, 20_000)])
            time.sleep(10)
            cells = []
            for kind in ("instant", "range"):
                before = server.resident_mb()
                took, peak = _cold(server, PEAK, end / 1000, kind)
                cells.append(f"{took:.2f}; {before:.0f}, {peak:.0f}")
            table.add(name, *cells)
    return table


def _ask(server: Server, expression: str, end: float, kind: str, shift: float = 0.0) -> float:
    began = time.perf_counter()
    if kind == "instant":
        body = server.read("/api/v1/query", query=expression, time=end - shift)
    else:
        start, last = end - HOURS * 3600 + 600 - shift, end - shift
        body = server.read(
            "/api/v1/query_range", query=expression, start=start, end=last, step=SPACING
        )
    took = time.perf_counter() - began
    assert json.loads(body)["status"] == "success", (server.name, expression)
    return took


def _cold(server: Server, expression: str, end: float, kind: str) -> tuple[float, float]:
    """The least of three, each at another millisecond: no cache of results helps. And the most
    that the server was resident meanwhile, MB."""
    with _watching(server) as most:
        _ask(server, expression, end, kind, 0.5)
        took = [_ask(server, expression, end, kind, n / 1000) for n in (1, 2, 3)]
    return min(took), max(most)


def _repeated(server: Server, end: float) -> float:
    _ask(server, PEAK, end, "range")
    return min(_ask(server, PEAK, end, "range") for _ in range(3))


@contextmanager
def _watching(server: Server) -> Generator[list[float], None, None]:
    root = psutil.Process(server.process.pid)
    processes = [root, *root.children(recursive=True)]
    most, stop = [server.resident_mb()], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            most.append(sum(process.memory_info().rss for process in processes) / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()
