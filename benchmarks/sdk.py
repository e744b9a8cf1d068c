"""What the SDK costs an application, beside its peers and beside none."""

import io
import json
import logging
import statistics
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.tables import Table

REQUESTS = 4000
ROUNDS = 5
AWAY_SECONDS = 60
LINES_A_SECOND = 200
ROOT = Path(__file__).parents[1]

_APP = """
import logging, sys
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
app = FastAPI()

@app.get("/orders/{order}")
async def order(order: int) -> int:
    return order

kind = sys.argv[1]
if kind == "prometheus-fastapi-instrumentator":
    from prometheus_fastapi_instrumentator import Instrumentator
    Instrumentator().instrument(app)
elif kind != "none":
    from pynomaly.observability import MetricsCollector, configure_logging, instrument
    if "log" in kind:
        configure_logging(stream=open("/dev/null", "w"))
    if "traces" in kind:
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from pynomaly.observability import setup_tracing
        class Nowhere(InMemorySpanExporter):
            def export(self, spans):
                return super().export(())
        setup_tracing({"exporter": Nowhere(), "sample_ratio": float(kind.rsplit(" ", 1)[1])})
    instrument(app, access_log="log" in kind, clients=False)
"""

_REQUEST = """
import asyncio, time
scope = {"type": "http", "method": "GET", "path": "/orders/7", "raw_path": b"/orders/7",
         "query_string": b"", "headers": [(b"host", b"t"), (b"accept", b"*/*")],
         "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("t", 80)}
async def receive():
    return {"type": "http.request", "body": b""}
async def send(message):
    pass
async def many(count):
    began = time.perf_counter()
    for _ in range(count):
        await app(dict(scope), receive, send)
    return (time.perf_counter() - began) / count
async def measure():
    await many(300)
    return min([await many(COUNT // 4) for _ in range(4)])
print(asyncio.run(measure()) * 1e6)
"""

KINDS = [
    "none",
    "prometheus-fastapi-instrumentator",
    "instrument(app), metrics",
    "instrument(app), metrics, access log",
    "instrument(app), metrics, access log, traces kept 0.01",
    "instrument(app), metrics, access log, traces kept 1",
]


def _requests() -> Table:
    table = Table(
        f"A request of FastAPI in process, µs (median of {ROUNDS} runs)",
        ["", "µs", "more than none"],
    )
    code = _APP + _REQUEST.replace("COUNT", str(REQUESTS))
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind in KINDS:
            done = subprocess.run(
                [sys.executable, "-c", code, kind], capture_output=True, text=True, check=True
            )
            found[kind].append(float(done.stdout.split()[-1]))
    none = statistics.median(found["none"])
    for kind, values in found.items():
        middle = statistics.median(values)
        table.add(kind, f"{middle:.1f}", f"{middle - none:+.1f}")
    return table


def _nanoseconds(call: Callable[[], Any], number: int = 50_000) -> str:
    return f"{min(timeit.repeat(call, number=number, repeat=7)) / number * 1e9:.0f}"


def _metrics() -> Table:
    import prometheus_client
    from prometheus_client import CollectorRegistry

    from pynomaly.observability import MetricsCollector

    theirs, ours = CollectorRegistry(), MetricsCollector(CollectorRegistry())
    labels = ["method", "endpoint"]
    count = (
        prometheus_client.Counter("a_total", "A.", labels, registry=theirs),
        ours.counter("a_total", "A.", labels),
    )
    spread = (
        prometheus_client.Histogram("b_seconds", "B.", labels, registry=theirs),
        ours.histogram("b_seconds", "B.", labels),
    )
    table = Table("A metric, ns", ["", "prometheus_client", "SDK"])
    cases: list[tuple[str, Any, Callable[[Any], Callable[[], Any]]]] = [
        ("counter: inc", count, lambda m: m.labels("GET", "/").inc),
        ("counter: labels by position, inc", count, lambda m: lambda: m.labels("GET", "/").inc()),
        (
            "counter: labels by name, inc",
            count,
            lambda m: lambda: m.labels(method="GET", endpoint="/").inc(),
        ),
        ("histogram: observe", spread, lambda m: partial(m.labels("GET", "/").observe, 0.3)),
        (
            "histogram: labels by position, observe",
            spread,
            lambda m: lambda: m.labels("GET", "/").observe(0.3),
        ),
    ]
    for name, pair, make in cases:
        table.add(name, *(_nanoseconds(make(metric)) for metric in pair))
    return table


def _lines_a_second(log: Any, count: int = 20_000) -> str:
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        for number in range(count):
            log.info("order placed", order=number, shop="a", price=1.5)
        best = max(best, count / (time.perf_counter() - began))
    return f"{best:,.0f}"


def _logs(folder: Path) -> Table:
    import structlog

    from pynomaly.observability import configure_logging, logs_to_file

    table = Table("Log lines a second into memory, three fields each", ["", "lines/s"])
    plain = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        plain,
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
        cache_logger_on_first_use=True,
    )
    table.add("structlog, printing JSON, nothing else", _lines_a_second(structlog.get_logger()))
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler(io.StringIO())]
    root.setLevel(logging.INFO)
    structlog.configure(
        [
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    table.add("structlog by the guide, through logging", _lines_a_second(structlog.get_logger("a")))
    configure_logging(stream=io.StringIO(), redact=None)
    table.add("configure_logging, no redaction", _lines_a_second(structlog.get_logger("b")))
    configure_logging(stream=io.StringIO())
    table.add("configure_logging", _lines_a_second(structlog.get_logger("c")))
    delivery = logs_to_file(folder / "app.log", capacity=200_000)
    configure_logging(stream=io.StringIO(), deliver_to=[delivery])
    table.add("configure_logging, and to a file", _lines_a_second(structlog.get_logger("d")))
    delivery.close()
    structlog.reset_defaults()
    root.handlers[:] = []
    return table


_IMPORT = """
import time
began = time.perf_counter()
{code}
took = (time.perf_counter() - began) * 1e3
# Not the greatest so far, which a child inherits from its parent.
status = open("/proc/self/status").read().split()
print(took, int(status[status.index("VmRSS:") + 1]) / 1024)
"""

_SDK = "from pynomaly.infrastructure.observability import "
IMPORTS = [
    ("Python alone", "pass"),
    ("prometheus_client", "import prometheus_client"),
    ("structlog", "import structlog"),
    ("opentelemetry.sdk.trace", "import opentelemetry.sdk.trace"),
    ("MetricsCollector", f"{_SDK}MetricsCollector"),
    ("HealthMonitor", f"{_SDK}HealthMonitor"),
    ("configure_logging", f"{_SDK}configure_logging"),
    ("setup_tracing", f"{_SDK}setup_tracing"),
    (
        "all four, used",
        f"{_SDK}MetricsCollector, HealthMonitor, configure_logging, setup_tracing\n"
        "configure_logging()\nMetricsCollector()\nHealthMonitor()\n"
        "setup_tracing({'exporter': 'none'})",
    ),
]


def _base_python(folder: Path) -> Path:
    """A fresh environment with the base install; needs the package registry."""
    uv = Path(sys.executable).with_name("uv")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder / "env"], check=True)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([uv, "pip", "install", "-q", "--python", python, wheel], check=True)
    return python


def _imports(folder: Path) -> Table:
    table = Table("Import on the base install (best of 7)", ["", "ms", "RSS MB"])
    python = _base_python(folder)
    for name, code in IMPORTS:
        runs = []
        for _ in range(8):  # the first one compiles
            done = subprocess.run(
                [python, "-I", "-c", _IMPORT.format(code=code)],
                capture_output=True,
                text=True,
                check=True,
            )
            runs.append([float(part) for part in done.stdout.split()])
        took, size = (min(column) for column in zip(*runs[1:], strict=True))
        table.add(name, f"{took:.0f}", f"{size:.0f}")
    return table


class _Silent:
    """A server that is there, or takes requests and answers 503 after a while, as told."""

    def __init__(self) -> None:
        self.away = False
        self.bodies: list[tuple[str, bytes]] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        silent = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if silent.away:
                    time.sleep(2)
                else:
                    silent.bodies.append((self.path, body))
                self.send_response(503 if silent.away else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _away(folder: Path) -> Table:
    import structlog
    from prometheus_client import CollectorRegistry

    from pynomaly.observability import MetricsCollector, Pusher, configure_logging, logs_to_otlp

    silent = _Silent()
    registry = CollectorRegistry()
    metrics = MetricsCollector(registry)
    table = Table(
        f"The server away for {AWAY_SECONDS} s under load ({LINES_A_SECOND} log lines and a "
        "counter's increment each, a push a second)",
        ["", "sent", "arrived", "dropped", "slowest call, ms"],
    )
    with silent.running() as url:
        delivery = logs_to_otlp(url, spool=folder / "logs", registry=registry)
        configure_logging(stream=io.StringIO(), deliver_to=[delivery])
        pusher = Pusher(f"{url}/w", "bench", metrics=metrics, spool=folder / "metrics", tries=1)
        pusher.start(1.0)
        log, rows = structlog.get_logger("bench"), metrics.counter("rows_total", "Rows.")
        slowest_log = slowest_count = 0.0
        sent, began = 0, time.monotonic()
        whole = AWAY_SECONDS + 10
        while (elapsed := time.monotonic() - began) < whole:
            silent.away = 5 < elapsed < 5 + AWAY_SECONDS
            at = time.perf_counter()
            log.info("row", number=sent)
            slowest_log = max(slowest_log, time.perf_counter() - at)
            at = time.perf_counter()
            rows.inc()
            slowest_count = max(slowest_count, time.perf_counter() - at)
            sent += 1
            time.sleep(max(0.0, began + sent / LINES_A_SECOND - time.monotonic()))
        _settle(folder / "logs", pusher, log)
        pusher.stop()
        delivery.close()
    lines = [n for path, body in silent.bodies if path == "/v1/logs" for n in _numbers(body)]
    dropped = [
        s.value
        for family in registry.collect()
        for s in family.samples
        if s.name == "pynomaly_sdk_items_dropped_total"
    ]
    pushes = sum(path == "/w" for path, _ in silent.bodies)
    table.add("log lines", sent, len(set(lines)), int(sum(dropped)), f"{slowest_log * 1e3:.1f}")
    table.add("pushes of metrics", "each second", pushes, "", f"{slowest_count * 1e3:.1f}")
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = []
    return table


def _settle(waiting: Path, pusher: Any, log: Any) -> None:
    """Let the back-off pass, as an application's next lines and pushes would."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        time.sleep(1)
        log.info("settling", number=-1)
        if pusher.flush() and not any(waiting.glob("*.payload")):
            time.sleep(3)  # the lines in memory
            return


def _numbers(body: bytes) -> list[int]:
    found = []
    for resource in json.loads(body)["resourceLogs"]:
        for record in resource["scopeLogs"][0]["logRecords"]:
            for attribute in record["attributes"]:
                if attribute["key"] == "number":
                    found.append(int(attribute["value"]["intValue"]))
    return [number for number in found if number >= 0]


def run(folder: Path) -> list[Table]:
    """Requests, metrics, logs, imports, and a server that is away."""
    return [_requests(), _metrics(), _logs(folder), _imports(folder), _away(folder)]
