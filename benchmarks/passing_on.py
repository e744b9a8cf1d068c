"""Samples passed on to other servers, and cardinality: beside Prometheus, on the same data."""

import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cramjam
import numpy as np

from benchmarks.servers import PEERS, Server, available
from benchmarks.tables import Table
from benchmarks.workload import bodies, counters, gauges, http_series, push_all
from pynomaly.api.prometheus.remote_read.messages_pb2 import LabelMatcher, Query, ReadRequest

SERIES = 10_000
STEPS = 240
SPACING_S = 15
ROUNDS = 5


def _remote_read(metric: str, start: int, end: int, accepts: int) -> Callable[[Server], int]:
    matcher = LabelMatcher(name="__name__", value=metric)
    query = Query(start_timestamp_ms=start, end_timestamp_ms=end, matchers=[matcher])
    message = ReadRequest(queries=[query], accepted_response_types=[accepts])
    body = bytes(cramjam.snappy.compress_raw(message.SerializeToString()))

    def ask(server: Server) -> int:
        request = urllib.request.Request(f"{server.url}/api/v1/read", body, method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return len(answer.read())

    return ask


def _get(path: str, **fields: str) -> Callable[[Server], int]:
    query = urllib.parse.urlencode(fields)

    def ask(server: Server) -> int:
        with urllib.request.urlopen(f"{server.url}{path}?{query}", timeout=120) as answer:
            return len(answer.read())

    return ask


def run(folder: Path) -> list[Table]:
    """An hour of 10,000 counters and 10,000 gauges."""
    end = int(time.time() * 1000)
    times = end - np.arange(STEPS, dtype=np.int64)[::-1] * SPACING_S * 1000 - 137
    start = int(times[0])
    everything = '{__name__=~"m_.*"}'
    tasks = {
        "remote read, chunks, counters": _remote_read(
            "m_total", start, end, ReadRequest.STREAMED_XOR_CHUNKS
        ),
        "remote read, chunks, gauges": _remote_read(
            "m_gauge", start, end, ReadRequest.STREAMED_XOR_CHUNKS
        ),
        "remote read, samples, gauges": _remote_read("m_gauge", start, end, ReadRequest.SAMPLES),
        "federate 20,000 series": _get("/federate", **{"match[]": everything}),
        "status/tsdb": _get("/api/v1/status/tsdb"),
    }
    table = Table(
        f"An hour of 2 x {SERIES:,} series at {SPACING_S} s passed on "
        f"(median of {ROUNDS}, seconds; bytes)",
        ["what"],
    )
    with ExitStack() as stack:
        servers = []
        for name in available():
            if name != "victoria-metrics":  # it has neither remote read nor this status/tsdb
                server = stack.enter_context(PEERS[name](folder / name))
                families = [
                    counters(http_series(SERIES, "m_total"), STEPS, 1),
                    gauges(http_series(SERIES, "m_gauge"), STEPS, 2),
                ]
                push_all(server, [bodies(families, times, 20, 10_000)])
                servers.append(server)
        time.sleep(5)
        table.columns += [server.name for server in servers]
        for label, ask in tasks.items():
            table.add(label, *(_timed(ask, server) for server in servers))
        table.add("resident at the end, MB", *(f"{s.resident_mb():.0f}" for s in servers))
    return [table]


def _timed(ask: Callable[[Server], int], server: Server) -> str:
    size, seconds = ask(server), []  # the first warms everyone
    for _ in range(ROUNDS):
        began = time.perf_counter()
        ask(server)
        seconds.append(time.perf_counter() - began)
    return f"{np.median(seconds):.3f} ({size:,})"
