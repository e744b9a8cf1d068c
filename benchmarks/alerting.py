"""Alerting beside Debian's Prometheus and Alertmanager: from an evaluation to the webhook, alerts
taken in a second, memory, and a restart."""

import http.client
import json
import shutil
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.servers import Server, alertmanager, prometheus, pynomaly
from benchmarks.tables import Table
from benchmarks.workload import HEADERS, Family, bodies, encode_labels

ALERTS = 50_000
SILENCES = 1_000
BATCH = 64  # as many as a Prometheus sends at once
SENDERS = 4
PROBES = 40

CONFIG = """
global: {{resolve_timeout: 1h}}
route: {{receiver: hook, group_by: [{group_by}], group_wait: {wait}, group_interval: {interval}}}
receivers: [{{name: hook, webhook_configs: [{{url: '{url}'}}]}}]
"""
RULES = """
groups:
- {name: background, interval: 10s, rules: [{alert: Background, expr: background == 1}]}
- {name: probe, interval: 1s, rules: [{alert: Probe, expr: probe == 1}]}
"""


class Hook:
    """Takes webhooks, with the time at which each came."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, dict[str, Any]]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                at = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.taken.append((at, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def latencies(self, name: str) -> list[float]:
        """Seconds from the evaluation that found each alert to its webhook."""
        return [
            at - datetime.fromisoformat(alert["startsAt"][:26].rstrip("Z") + "+00:00").timestamp()
            for at, payload in list(self.taken)
            for alert in payload["alerts"]
            if alert["labels"]["alertname"] == name
        ]


@contextmanager
def hook() -> Generator[Hook, None, None]:
    found = Hook()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()


def _config(folder: Path, url: str, group_by: str, wait: str, interval: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "alertmanager.yml"
    path.write_text(CONFIG.format(url=url, group_by=group_by, wait=wait, interval=interval))
    return path


def _ours(folder: Path, config: Path, rules: str = "") -> Any:
    """The product that tells by ``config``, with these rules alone."""
    files = folder / "config"
    files.mkdir(parents=True, exist_ok=True)
    (files / "rules.yml").write_text(rules or "groups: []\n")
    settings = files / "advanced_monitoring.yml"
    settings.write_text(
        f"components: {{alerting: {{config_file: {config}}}}}\n"
        "rules: {defaults: [], rule_files: [rules.yml]}\n"
    )
    return pynomaly(folder / "data", "--config", str(settings))


def _post(server: Server, path: str, sent: Sequence[bytes], headers: dict[str, str]) -> list[float]:
    """POST in order over one connection; the seconds that each took."""
    connection = http.client.HTTPConnection(str(urlsplit(server.url).netloc), timeout=120)
    seconds = []
    for body in sent:
        began = time.monotonic()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        seconds.append(time.monotonic() - began)
        if answer.status >= 300:
            raise RuntimeError(f"{server.name}: {answer.status} {said[:300]!r}")
    connection.close()
    return seconds


def _alerts(note: str = "") -> list[list[bytes]]:
    """The bodies of each sender: every alert once."""
    found = [
        {
            "labels": {
                "alertname": f"HighLatency{i % 100}", "instance": f"host-{i // 10}:9100",
                "job": "node", "severity": "warning", "cluster": f"c{i % 7}", "shard": str(i % 10),
            },
            "annotations": {"summary": f"host-{i // 10} is slow{note}", "runbook_url": "http://x/y"},
            "generatorURL": "http://prometheus:9090/graph?g0.expr=latency+%3E+1",
        }
        for i in range(ALERTS)
    ]  # fmt: skip
    batches = [json.dumps(found[i : i + BATCH]).encode() for i in range(0, ALERTS, BATCH)]
    return [batches[i::SENDERS] for i in range(SENDERS)]


def _take_in(server: Server, shards: Sequence[Sequence[bytes]]) -> tuple[float, float]:
    """Alerts a second, and a CPU second of the server."""
    headers = {"content-type": "application/json"}
    before, began = server.cpu_seconds(), time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(lambda sent: _post(server, "/api/v2/alerts", sent, headers), shards))
    seconds = time.monotonic() - began
    return ALERTS / seconds, ALERTS / (server.cpu_seconds() - before)


def _silence(server: Server) -> None:
    bodies_ = [
        json.dumps(
            {
                "matchers": [
                    {"name": "instance", "value": f"host-{i}:9100", "isRegex": False},
                    {"name": "severity", "value": "warn.*", "isRegex": True},
                ],
                "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
                "createdBy": "bench", "comment": "c",
            }
        ).encode()
        for i in range(SILENCES)
    ]  # fmt: skip
    _post(server, "/api/v2/silences", bodies_, {"content-type": "application/json"})


def intake(folder: Path) -> Table:
    """Taking alerts in, memory, and a restart."""
    table = Table(
        f"{ALERTS:,} alerts in bodies of {BATCH}, {SILENCES:,} silences",
        [
            "server",
            "new/s",
            "new/CPU s",
            "again/s",
            "again/CPU s",
            "RSS MB before",
            "RSS MB",
            "first start s",
            "restart s",
            "told twice",
        ],
    )
    for name in _servers():
        with hook() as receiver:
            config = _config(folder / f"intake-{name}", receiver.url, "alertname", "1s", "10s")
            place = folder / f"intake-{name}"

            def start(place: Path = place, config: Path = config, name: str = name) -> Any:
                ours = name == "pynomaly"
                return _ours(place, config) if ours else alertmanager(place / "data", config)

            with start() as server:
                title, before, first = server.name, server.resident_mb(), server.start_seconds
                _silence(server)
                new = _take_in(server, _alerts())
                again = max(_take_in(server, _alerts()) for _ in range(2))
                time.sleep(20)  # until every group was told of all that it has
                rss, told = server.resident_mb(), len(receiver.taken)
            began = time.monotonic()
            with start() as server:
                json.loads(server.read("/api/v2/silences"))
                seconds = time.monotonic() - began
                _take_in(server, _alerts())  # as senders do, within a minute
                time.sleep(20)
            twice = len(receiver.taken) - told
        table.add(
            title, *(f"{figure:,.0f}" for figure in (*new, *again)), f"{before:.0f}",
            f"{rss:.0f}", f"{first:.1f}", f"{seconds:.1f}", twice,
        )  # fmt: skip
    return table


def latency(folder: Path) -> Table:
    """From the evaluation that finds an alert to its webhook."""
    table = Table(
        f"From the evaluation to the webhook, milliseconds ({PROBES} alerts)",
        ["server", "active alerts", "p50", "p99", "most"],
    )
    for active in (100, 10_000):
        for name in _servers():
            place = folder / f"latency-{name}-{active}"
            with hook() as receiver, ExitStack() as stack:
                config = _config(place, receiver.url, "alertname, i", "0s", "5m")
                if name == "pynomaly":
                    server: Server = stack.enter_context(_ours(place, config, RULES))
                else:
                    peer = stack.enter_context(alertmanager(place / "am", config))
                    rules = place / "rules.yml"
                    rules.write_text(RULES)
                    server = stack.enter_context(prometheus(place / "data", rules, sends_to=peer))
                found = _probe(server, receiver, active)
            p50, p99 = np.percentile(found, [50, 99]) * 1000
            shown = server.name if name == "pynomaly" else f"{server.name} + alertmanager 0.25"
            table.add(shown, f"{active:,}", f"{p50:.0f}", f"{p99:.0f}", f"{max(found) * 1000:.0f}")
    return table


def _probe(server: Server, receiver: Hook, active: int) -> list[float]:
    background = [_labels("background", i) for i in range(active)]
    probes = [_labels("probe", i) for i in range(PROBES)]
    deadline = time.monotonic() + 180
    while len({a["labels"]["i"] for _, p in receiver.taken for a in p["alerts"]}) < active:
        _write(server, background, np.ones(active))
        time.sleep(5)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.name}: {active} alerts do not fire")
    for number in range(PROBES):
        if number % 10 == 0:
            _write(server, background, np.ones(active))
        _write(server, probes, (np.arange(PROBES) <= number).astype(float))
        time.sleep(0.37)  # so that it falls anywhere within the second between evaluations
    time.sleep(5)
    return receiver.latencies("Probe")


def _labels(name: str, number: int) -> bytes:
    return encode_labels([("__name__", name), ("i", f"{name}-{number}"), ("job", "bench")])


def _write(server: Server, series: list[bytes], values: Any) -> None:
    now = np.array([int(time.time() * 1000)])
    family = Family(series, np.asarray(values, dtype=np.float64).reshape(-1, 1))
    for body in bodies([family], now, 1, 2_000):
        _post(server, server.write_path, [body], HEADERS)


def _servers() -> list[str]:
    peers = ("prometheus", "prometheus-alertmanager")
    return ["pynomaly", *(["alertmanager"] if all(map(shutil.which, peers)) else [])]


def run(folder: Path) -> list[Table]:
    """Both tables."""
    return [latency(folder), intake(folder)]
