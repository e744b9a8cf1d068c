"""The product on a real Prometheus that is suspended, killed and started again."""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.peers import WRITABLE, Peer
from tests.product import Product, start, unused_port

LOOKBACK, OUTAGE = "--query.lookback-delta", 5

RULES = """
groups:
  - name: shop
    interval: 1s
    rules:
      - {record: "job:jobs:sum", expr: sum by (job) (jobs_total)}
      - {alert: ManyJobs, expr: "job:jobs:sum > 5"}
      - {alert: NoJobs, expr: absent(jobs_total)}
      - {alert: Patient, expr: jobs_total > 5, for: 1h}
"""
SETTINGS = """
prometheus:
  check_interval: 500ms
  check_timeout: 1s
  check_failures: 2
  settle: 10s
rules:
  rule_files: [rules.yml]
components:
  anomaly_detection: {interval: 1s, min_points: 24, floor: 0}
"""


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class _Target(_Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# TYPE jobs_total counter\njobs_total 7\n")


@dataclass
class World:
    """A Prometheus that scrapes a shop every second, the product on it, and who is told."""

    folder: Path
    peer: Peer
    told: list[tuple[str, str]] = field(default_factory=list)
    product: Product | None = None

    def start_product(self, *options: str) -> Product:
        config = self.folder / "settings.yml"
        config.write_text(SETTINGS)
        (self.folder / "rules.yml").write_text(RULES)
        common = ["--config", str(config), "--prometheus", self.peer.url, *options]
        ports = (unused_port(), unused_port())
        self.product = start(self.folder / "run", ports, *common)
        return self.product

    def alerts(self) -> dict[str, str]:
        assert self.product is not None
        found = self.product.json("/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in found}

    def health(self) -> dict[str, Any]:
        assert self.product is not None
        found: dict[str, Any] = self.product.json("/api/system-health")
        return found

    def on_peer(self, expr: str) -> list[Any]:
        query = urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(f"{self.peer.url}/api/v1/query?{query}", timeout=30) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        assert self.product is not None
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, (
                self.alerts(),
                self.health(),
                self.product.output()[-3000:],
            )
            time.sleep(0.1)
        return found


def _serve(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def world(tmp_path: Path, program: Callable[[str], str]) -> Iterator[World]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    target = _serve(_Target)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: shop\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{target.server_port}']}}]\n"
    )
    # What was not scraped for a few seconds is not there: absent() sees each outage.
    peer = Peer("prometheus", program("prometheus"), folder, WRITABLE, f"{LOOKBACK}={OUTAGE}s")
    peer.start()
    world = World(tmp_path, peer)
    deadline = time.monotonic() + 60
    while not world.on_peer("jobs_total"):  # it begins to scrape some five seconds after its start
        assert time.monotonic() < deadline
        time.sleep(0.1)

    class Receiver(_Quiet):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body["alerts"]:
                world.told.append((alert["labels"]["alertname"], alert["status"]))
            self.send_response(200)
            self.end_headers()

    receiver = _serve(Receiver)
    world.start_product("--webhook-url", f"http://127.0.0.1:{receiver.server_port}/")
    try:
        yield world
    finally:
        if world.product is not None:
            world.product.stop()
        peer.resume()
        peer.kill()
        for server in (receiver, target):
            server.shutdown()
            server.server_close()


@pytest.mark.needs("prometheus")
def test_rules_and_judge_work_on_it_and_nothing_but_records_is_stored_here(world: World) -> None:
    assert world.product is not None
    firing = 'ALERTS{alertname="ManyJobs",alertstate="firing"}'
    world.until(lambda: world.on_peer(firing))
    assert world.on_peer("job:jobs:sum")[0]["metric"]["job"] == "shop"
    world.until(lambda: world.on_peer('anomaly_score{of="jobs_total"}'))
    world.until(lambda: world.on_peer('node_load1 and on () up{job="pynomaly"}'))
    assert world.product.vector(firing) == [(world.on_peer(firing)[0]["metric"], 1.0)]
    stored = world.product.json("/api/v1/label/job/values")["data"]
    assert {"node", "pynomaly", "shop"} <= set(stored)
    status, body = world.product.request("/api/storage/verify")
    assert (status, b"not stored here" in body) == (404, True)
    pushed = json.dumps({"metric_name": "orders_total", "value": 3}).encode()
    assert world.product.request("/api/metrics", data=pushed)[0] == 200
    assert world.until(lambda: world.on_peer("orders_total"))[0]["value"][1] == "3"
    kept = {path.name for path in world.product.data_dir.iterdir()}
    assert "clickhouse" not in kept
    assert kept - {"pynomaly.lock"} == {name for name in kept if name.startswith("records")}


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize("how", ["suspended", "killed"])
def test_nothing_fires_because_it_was_away_and_that_it_was_is_told(how: str, world: World) -> None:
    world.until(lambda: world.alerts().get("ManyJobs") == "firing")
    world.until(lambda: ("ManyJobs", "firing") in world.told)
    assert "NoJobs" not in world.alerts()
    (world.peer.suspend if how == "suspended" else world.peer.kill)()
    began = time.monotonic()
    world.until(lambda: ("PrometheusUnreachable", "firing") in world.told)
    world.until(lambda: time.monotonic() - began > OUTAGE + 1)
    health = world.health()
    assert health["overall_status"] == "unhealthy"
    assert health["components"]["prometheus"]["status"] == "failed"
    alerts = world.alerts()
    assert alerts["ManyJobs"] == "firing"
    assert alerts["Patient"] == "pending"
    assert world.product is not None
    status, body = world.product.request("/api/v1/query?query=up")
    assert (status, json.loads(body)["errorType"]) == (503, "unavailable")
    assert world.product.request("/metrics")[0] == 200
    if how == "suspended":
        world.peer.resume()
    else:
        world.peer.start()
    world.until(lambda: ("PrometheusUnreachable", "resolved") in world.told)
    world.until(lambda: world.health()["components"]["prometheus"]["status"] == "active")
    evaluated = _last_evaluation(world)
    world.until(lambda: _last_evaluation(world) > evaluated + 3)
    assert world.alerts()["ManyJobs"] == "firing"
    names = {name for name, _ in world.told}
    assert "NoJobs" not in names
    assert "TargetDown" not in names
    assert ("ManyJobs", "resolved") not in world.told


def _last_evaluation(world: World) -> float:
    assert world.product is not None
    groups = world.product.json("/api/v1/rules")["data"]["groups"]
    (group,) = (g for g in groups if g["name"] == "shop")
    if any(rule["health"] != "ok" for rule in group["rules"]):
        return 0.0
    return datetime.fromisoformat(group["lastEvaluation"]).timestamp()


@pytest.mark.needs("prometheus")
def test_pending_and_firing_survive_a_restart_even_if_it_is_away_then(world: World) -> None:
    assert world.product is not None
    world.until(lambda: world.alerts().get("ManyJobs") == "firing")
    since = _active_at(world)
    world.until(lambda: world.on_peer('ALERTS_FOR_STATE{alertname="Patient"}'))
    world.product.stop()
    world.peer.kill()
    product = world.start_product()
    world.until(lambda: world.alerts().get("PrometheusUnreachable") == "firing")
    assert "ManyJobs" not in world.alerts()
    world.peer.start()
    world.until(lambda: world.alerts().get("ManyJobs") == "firing")
    assert _active_at(world)["ManyJobs"] == since["ManyJobs"]
    assert world.alerts()["Patient"] == "pending"
    assert "NoJobs" not in world.alerts()
    assert product.stop() == 0, product.output()


def _active_at(world: World) -> dict[str, str]:
    assert world.product is not None
    found = world.product.json("/api/v1/alerts")["data"]["alerts"]
    return {alert["labels"]["alertname"]: alert["activeAt"] for alert in found}
