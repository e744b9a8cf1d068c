"""Remote write: samples a second and a CPU second, beside Prometheus and VictoriaMetrics."""

import time
from pathlib import Path

import numpy as np

from benchmarks.servers import PEERS, Server, available
from benchmarks.tables import Table
from benchmarks.workload import Family, bodies, counters, http_series, push_all

SERIES = 10_000
SHARDS = 4


def shards(samples_a_series: int, steps: int) -> list[list[bytes]]:
    """Each shard has series of its own, so that every series arrives in order."""
    series = http_series(SERIES, "http_requests_total")
    end = int(time.time() * 1000)
    times = np.arange(end - (steps - 1) * 1000, end + 1, 1000)[:steps]
    whole = counters(series, steps, seed=1)
    parts = np.array_split(np.arange(SERIES), SHARDS)
    return [
        list(
            bodies([Family([whole.labels[i] for i in p], whole.values[p])], times, samples_a_series)
        )
        for p in parts
    ]


def measure(server: Server, sent: list[list[bytes]], total: int) -> tuple[float, float]:
    """Samples a second and samples a CPU second of the server."""
    before = server.cpu_seconds()
    seconds = push_all(server, sent)
    time.sleep(1)  # work put off (merges, compaction of the head) belongs to the price
    return total / seconds, total / (server.cpu_seconds() - before)


def run(folder: Path) -> list[Table]:
    """Both shapes of bodies against every server that is here, alternating, three rounds."""
    table = Table(
        "Remote write, 10,000 series, bodies of 2,000 samples, 4 senders (median of 3)",
        ["server", "samples/series/body", "samples/s", "samples/CPU s", "bytes/sample", "RSS MB"],
    )
    for each, steps in ((1, 60), (20, 120)):
        sent = shards(each, steps)
        total = SERIES * steps
        figures: dict[str, list[tuple[float, float, float, float]]] = {}
        for turn in range(3):
            for name in available():
                with PEERS[name](folder / f"{name}-{each}-{turn}") as server:
                    rate, per_cpu = measure(server, sent, total)
                    figures.setdefault(server.name, []).append(
                        (rate, per_cpu, server.disk_bytes() / total, server.resident_mb())
                    )
        for name, rows in figures.items():
            rate, per_cpu, disk, rss = np.median(np.array(rows), axis=0)
            table.add(name, each, f"{rate:,.0f}", f"{per_cpu:,.0f}", f"{disk:.2f}", f"{rss:.0f}")
    return [table]
