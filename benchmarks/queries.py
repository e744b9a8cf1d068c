"""Range queries over 2,000 series, beside Prometheus and VictoriaMetrics."""

import json
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

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

SERIES = 2_000
QUERIES = {
    "raw selector": "m_gauge",
    "rate": "rate(m_total[5m])",
    "sum by (rate)": "sum by (job) (rate(m_total[5m]))",
    "ratio": 'sum by (job) (rate(m_total{status=~"5.."}[5m])) / sum by (job) (rate(m_total[5m]))',
    "histogram_quantile": "histogram_quantile(0.95, sum by (le, job) (rate(m_seconds_bucket[5m])))",
}
ROUNDS = 5


def _load(server: Server, spacing_s: int, hours: int, end: int) -> None:
    steps = hours * 3600 // spacing_s
    times = end - np.arange(steps, dtype=np.int64)[::-1] * spacing_s * 1000 - 137
    families = [
        gauges(http_series(SERIES, "m_gauge"), steps, 1),
        counters(http_series(SERIES, "m_total"), steps, 2),
        histograms(histogram_series(SERIES, "m_seconds"), steps, 3),
    ]
    # One sender in time order: Prometheus refuses what is an hour behind its newest sample.
    push_all(server, [bodies(families, times, 20, 10_000)])


def _time(server: Server, query: str, start: float, end: float, step: int) -> tuple[float, int]:
    began = time.perf_counter()
    body = server.read("/api/v1/query_range", query=query, start=start, end=end, step=step)
    seconds = time.perf_counter() - began
    answer = json.loads(body)
    return seconds, sum(len(s["values"]) for s in answer["data"]["result"])


def _measure(folder: Path, spacing_s: int, hours: int) -> Table:
    table = Table(
        f"Range queries, 2,000 series, {hours} h at {spacing_s} s "
        f"(median of {ROUNDS} in turn, seconds; points answered)",
        ["query"],
    )
    end = int(time.time() * 1000)
    seconds: dict[str, dict[str, list[float]]] = {q: {} for q in QUERIES}
    points: dict[str, dict[str, int]] = {q: {} for q in QUERIES}
    with ExitStack() as stack:
        servers = []
        for name in available():
            server = stack.enter_context(PEERS[name](folder / f"{name}-{hours}h"))
            _load(server, spacing_s, hours, end)
            servers.append(server)
        time.sleep(5)
        start = end / 1000 - hours * 3600 + 300
        for turn in range(ROUNDS + 1):
            for label, query in QUERIES.items():
                for server in servers:
                    # Another millisecond each turn, so that nobody answers from memory.
                    at = start + turn / 1000
                    took, count = _time(server, query, at, end / 1000, spacing_s)
                    points[label][server.name] = count
                    if turn:  # the first round warms everyone
                        seconds[label].setdefault(server.name, []).append(took)
    names = [s.name for s in servers]
    table.columns += names
    for label in QUERIES:
        cells = [f"{np.median(seconds[label][n]):.3f} ({points[label][n]:,})" for n in names]
        table.add(label, *cells)
    totals = [np.median([np.median(seconds[q][n]) for q in QUERIES]) for n in names]
    table.add("median of the set", *(f"{t:.3f}" for t in totals))
    return table


def run(folder: Path) -> list[Table]:
    """One hour at 15 s, and a day at one minute."""
    return [_measure(folder, 15, 1), _measure(folder, 60, 24)]
