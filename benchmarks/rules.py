"""Ten thousand alerting rules over a hundred thousand series, beside Prometheus.

Both are fed the same ten minutes by remote write, and then evaluate by themselves, every minute.
Ours judges no anomalies meanwhile. SCALE makes it smaller (``SCALE=0.1``).
"""

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.servers import Server, available, prometheus, pynomaly
from benchmarks.tables import Table
from benchmarks.workload import bodies, counters, gauges, http_series, push_all

GROUPS, RULES, SERIES = 200, 50, 500
SPACING_MS, STEPS = 15_000, 40
ROUNDS = 2
FORMS = [
    'level_{g}{{job="service-{n}"}} > 1e6',
    "max by (pod) (level_{g}) > {n}e5",
    'avg by (job) (level_{g}{{method="GET"}}) > {n}e5',
    'rate(work_{g}_total{{job="service-{n}"}}[5m]) > 1e6',
    "sum by (job) (rate(work_{g}_total[5m])) > {n}e6",
    'sum by (pod) (rate(work_{g}_total{{status=~"5.."}}[5m])) '
    "/ sum by (pod) (rate(work_{g}_total[5m])) > 1.{n}",
    'max_over_time(level_{g}{{job="service-{n}"}}[5m]) > 1e6',
    "count by (job) (level_{g} > 1e6) > {n}",
    'increase(work_{g}_total{{status="500"}}[10m]) > {n}e6',
    "absent(level_{g})",
]


def run(folder: Path) -> list[Table]:
    """CPU a round, how late evaluations began, and memory."""
    groups = max(1, round(GROUPS * float(os.environ.get("SCALE", "1"))))
    rules = folder / "rules.yml"
    rules.write_text(_rule_file(groups))
    table = Table(
        f"{groups * RULES:,} alerting rules over {groups * SERIES:,} series, every minute",
        ["server", "CPU s a round", "groups' seconds a round", "late, p99 s", "missed", "RSS MB"],
    )
    config = folder / "pynomaly.yml"
    config.write_text(
        f"rules: {{defaults: none, evaluation_interval: 1m, rule_files: [{rules}]}}\n"
        "components: {anomaly_detection: {enabled: false}}\n"
    )
    with ExitStack() as stack:
        if "prometheus" in available():
            _measure(table, stack.enter_context(prometheus(folder / "prometheus", rules)), groups)
        stack.close()
        options = ("--config", str(config))
        _measure(table, stack.enter_context(pynomaly(folder / "pynomaly", *options)), groups)
    return [table]


def _rule_file(groups: int) -> str:
    lines = ["groups:"]
    for group in range(groups):
        lines += [f"  - name: group-{group}", "    rules:"]
        for number in range(RULES):
            expr = FORMS[number % len(FORMS)].format(g=group, n=1 + number // len(FORMS))
            lines += [
                f"      - alert: Alert{group}_{number}",
                f"        expr: {expr!r}",
                "        for: 5m",
                '        annotations: {summary: "{{ $labels.pod }} is at {{ $value }}"}',
            ]
    return "\n".join(lines) + "\n"


def _measure(table: Table, server: Server, groups: int) -> None:
    _load(server, groups)
    time.sleep(75)  # what was written is digested, and every rule has been evaluated once
    before = server.cpu_seconds()
    time.sleep(60 * ROUNDS)
    cpu = (server.cpu_seconds() - before) / ROUNDS
    found = server.get("/api/v1/rules")["data"]["groups"]
    seconds = sum(group["evaluationTime"] for group in found)
    late, missed = _lateness(server)
    figures = (f"{cpu:.2f}", f"{seconds:.2f}", late, missed, f"{server.resident_mb():.0f}")
    table.add(server.name, *figures)


def _load(server: Server, groups: int) -> None:
    end = int(time.time() * 1000)
    times = end - np.arange(STEPS, dtype=np.int64)[::-1] * SPACING_MS
    families: list[Any] = []
    for group in range(groups):
        half = SERIES // 2
        families.append(gauges(http_series(half, f"level_{group}"), STEPS, group))
        families.append(counters(http_series(half, f"work_{group}_total"), STEPS, group))
    push_all(server, [bodies(families, times, 20, 20_000)])


def _lateness(server: Server) -> tuple[str, str]:
    """The 99th percentile of how late evaluations began, and how many were missed."""
    page = server.read("/metrics").decode().splitlines()
    if server.name != "pynomaly":
        missed = sum(
            float(line.split()[-1])
            for line in page
            if line.startswith("prometheus_rule_group_iterations_missed_total{")
        )
        return "not told", f"{missed:.0f}"
    buckets = [
        (float(line.split('le="')[1].split('"')[0]), float(line.split()[-1]))
        for line in page
        if line.startswith("pynomaly_scheduler_lateness_seconds_bucket") and 'job="rules"' in line
    ]
    missed = sum(
        float(line.split()[-1])
        for line in page
        if line.startswith("pynomaly_scheduler_missed_runs_total") and 'job="rules"' in line
    )
    wanted = 0.99 * max(count for _, count in buckets)
    bound = next(bound for bound, count in sorted(buckets) if count >= wanted)
    return f"< {bound:g}", f"{missed:.0f}"
