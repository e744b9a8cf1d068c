"""How long remote write waits for its answer while dashboards ask, and while nobody does.

Bodies of 2,000 samples come at a steady rate, whether the last one was answered or not, over a few
connections; a body's latency counts from the moment at which it was due. Meanwhile clients ask the
thirty expressions of ``dashboards``, as instant and range queries up to now, one after the other.
SIZES chooses how many series (the first of them), SECONDS how long each phase takes.
"""

import http.client
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.dashboards import EXPRESSIONS, HOURS, load
from benchmarks.servers import PEERS, Server, available
from benchmarks.tables import Table
from benchmarks.workload import HEADERS, encode_body, encode_labels, http_series

BODY = 2_000
BODIES_A_SECOND = 10
SENDERS = 4
CLIENTS = 2
STEP = 15


@dataclass(frozen=True)
class Phase:
    """Latencies of bodies in ms, and how many queries were answered meanwhile."""

    latencies: np.ndarray
    queries: int
    seconds: float


def run(folder: Path) -> list[Table]:
    """Without and with queries, for the product and Prometheus."""
    size = int(os.environ.get("SIZES", "20000").split(",")[0])
    seconds = float(os.environ.get("SECONDS", "30"))
    table = Table(
        f"remote write of {BODY * BODIES_A_SECOND:,} samples/s beside queries over {size:,} "
        "series: ms until acknowledged",
        ["server", "meanwhile", "p50", "p99", "most", "queries/s"],
    )
    for name in available():
        if name == "victoria-metrics":  # acknowledges before it stores
            continue
        with ExitStack() as stack:
            server = stack.enter_context(PEERS[name](folder / name))
            load(server, size, int(time.time() * 1000) - 60_000)
            time.sleep(10)
            for clients in (0, CLIENTS):
                phase = measure(server, size, seconds, clients)
                p50, p99, most = np.percentile(phase.latencies, [50, 99, 100])
                table.add(
                    server.name,
                    f"{clients} clients ask" if clients else "nobody asks",
                    *(f"{ms:.1f}" for ms in (p50, p99, most)),
                    f"{phase.queries / phase.seconds:.1f}",
                )
    return [table]


def measure(server: Server, size: int, seconds: float, clients: int) -> Phase:
    """Write for some seconds while clients ask."""
    sent = _bodies(size, round(seconds * BODIES_A_SECOND))
    stop = threading.Event()
    with ThreadPoolExecutor(SENDERS + max(1, clients)) as pool:
        asking = [pool.submit(_ask, server, stop, number) for number in range(clients)]
        began = time.monotonic() + 0.5
        sending = [pool.submit(_send, server, sent, began, n) for n in range(SENDERS)]
        try:
            latencies = np.concatenate([each.result() for each in sending]) * 1000
            took = time.monotonic() - began
        finally:
            stop.set()
        queries = sum(each.result() for each in asking)
    return Phase(latencies, queries, took)


def _bodies(size: int, count: int) -> list[bytes]:
    """Each has one sample of some of the series that are asked for; each sender has its own, so
    that a series' samples come in order."""
    third = size // 3
    series = [*http_series(third, "m_gauge"), *http_series(third, "m_total")]
    labels = [encode_labels(each) for each in series]
    a_body = min(BODY, len(labels) // SENDERS)
    first = int(time.time() * 1000) + 500
    found = []
    for number in range(count):
        at = first + number * 1000 // BODIES_A_SECOND
        begin = number % SENDERS * a_body
        found.append(
            encode_body([(each, [(at, float(number))]) for each in labels[begin : begin + a_body]])
        )
    return found


def _send(server: Server, sent: list[bytes], began: float, sender: int) -> np.ndarray:
    """Seconds from due to acknowledged, of every fourth body."""
    connection = http.client.HTTPConnection(str(urlsplit(server.url).netloc), timeout=60)
    found = []
    for number in range(sender, len(sent), SENDERS):
        due = began + number / BODIES_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        connection.request("POST", server.write_path, sent[number], HEADERS)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{server.name}: {answer.status} {said[:300]!r}")
        found.append(time.monotonic() - due)
    connection.close()
    return np.array(found)


def _ask(server: Server, stop: threading.Event, first: int) -> int:
    """Ask one expression after the other until told to stop; how many were answered."""
    asked = 0
    while not stop.is_set():
        place = (asked // 2 + first * len(EXPRESSIONS) // CLIENTS) % len(EXPRESSIONS)
        expression, now = EXPRESSIONS[place], time.time()
        if asked % 2:
            start = now - HOURS * 3600 + 600
            server.read("/api/v1/query_range", query=expression, start=start, end=now, step=STEP)
        else:
            server.read("/api/v1/query", query=expression, time=now)
        asked += 1
    return asked
