"""Remote write: samples a second and a CPU second, beside Prometheus and VictoriaMetrics."""

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.servers import PEERS, Server, available
from benchmarks.tables import Table
from benchmarks.workload import HEADERS, Family, bodies, counters, http_series

SERIES = 10_000
ROUNDS = 3


@dataclass(frozen=True)
class Shape:
    """What is sent: ``steps`` samples of each series, so many of them in a body."""

    samples_a_series: int
    samples_a_body: int
    senders: int
    steps: int

    @property
    def total(self) -> int:
        """Samples in all."""
        return SERIES * self.steps

    def __str__(self) -> str:
        return f"{self.samples_a_series} a series, {self.samples_a_body:,} a body"


# 2,000 samples a body is what a Prometheus sends. The totals are multiples of what the product's
# log holds, so that all of it has been handed to the engine in the end.
SHAPES = (
    Shape(1, 2_000, senders=4, steps=100),
    Shape(20, 2_000, senders=4, steps=300),
    Shape(1, SERIES, senders=1, steps=100),
    Shape(20, SERIES * 20, senders=1, steps=300),
)


def shards(shape: Shape) -> list[list[bytes]]:
    """The bodies of each sender, which has series of its own, so that they arrive in order."""
    series = http_series(SERIES, "http_requests_total")
    end = int(time.time() * 1000)
    times = np.arange(end - (shape.steps - 1) * 1000, end + 1, 1000)[: shape.steps]
    whole = counters(series, shape.steps, seed=1)
    each, size = shape.samples_a_series, shape.samples_a_body
    return [
        list(bodies([Family([whole.labels[i] for i in p], whole.values[p])], times, each, size))
        for p in np.array_split(np.arange(SERIES), shape.senders)
    ]


def send(server: Server, sent: Sequence[bytes]) -> None:
    """POST in order over one connection, as Prometheus does; wait when the server asks for it."""
    connection = http.client.HTTPConnection(str(urlsplit(server.url).netloc), timeout=60)
    for body in sent:
        for attempt in range(50):
            connection.request("POST", server.write_path, body, HEADERS)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status not in (429, 503):
                break
            time.sleep(0.05 * (attempt + 1))
        if answer.status >= 300:
            raise RuntimeError(f"{server.name}: {answer.status} {said[:300]!r}")
    connection.close()


def measure(server: Server, sent: Sequence[Sequence[bytes]], total: int) -> tuple[float, float]:
    """Samples a second and samples a CPU second of the server."""
    before, began = server.cpu_seconds(), time.monotonic()
    with ThreadPoolExecutor(len(sent)) as pool:
        list(pool.map(lambda shard: send(server, shard), sent))
    seconds = time.monotonic() - began
    time.sleep(1)  # work put off (merges, compaction of the head) belongs to the price
    return total / seconds, total / (server.cpu_seconds() - before)


def run(folder: Path) -> list[Table]:
    """Each shape of bodies against every server that is here, alternating."""
    table = Table(
        f"Remote write, {SERIES:,} series (median of {ROUNDS})",
        ["server", "samples", "samples/s", "samples/CPU s", "bytes/sample", "RSS MB"],
    )
    for number, shape in enumerate(SHAPES):
        sent = shards(shape)
        figures: dict[str, list[tuple[float, float, float, float]]] = {}
        for turn in range(ROUNDS):
            for name in available():
                with PEERS[name](folder / f"{name}-{number}-{turn}") as server:
                    rate, per_cpu = measure(server, sent, shape.total)
                    disk = server.disk_bytes() / shape.total
                    row = (rate, per_cpu, disk, server.resident_mb())
                    figures.setdefault(server.name, []).append(row)
        for name, rows in figures.items():
            rate, per_cpu, disk, rss = np.median(np.array(rows), axis=0)
            table.add(name, shape, f"{rate:,.0f}", f"{per_cpu:,.0f}", f"{disk:.2f}", f"{rss:.0f}")
    return [table]
