"""Exemplars beside Debian's Prometheus: scraped by both, sent by it, asked of it through us."""

import json
import signal
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.peers import WRITABLE, Peer
from tests.product import Product, start, unused_port

STORING = "--enable-feature=exemplar-storage"
LONG = "y" * 129

# Lines of a histogram's buckets and a counter; what follows # is an exemplar, {t} the time of the
# script's beginning in seconds. An exemplar without a time has that of the scrape.
STEPS: tuple[tuple[str, ...], ...] = (
    ('0.1"}} 1 # {{trace_id="a"}} 0.05 {t}.250', '+Inf"}} 2 # {{}} 3', "3"),
    ('0.1"}} 2 # {{trace_id="a"}} 0.05 {t}.250', '+Inf"}} 2 # {{}} 3', "4"),  # repeated
    ('0.1"}} 3 # {{trace_id="old"}} 0.01 {t}.125', '+Inf"}} 3 # {{}} 7e-7', "5"),  # out of order
    ('0.1"}} 4 # {{trace_id="b",span_id="Ünï"}} 0.07 {t}.500', '+Inf"}} 4', "6"),
    ('0.1"}} 4', '+Inf"}} 5', '7 # {{trace_id="inf"}} +Inf {t}.750'),
    (f'0.1"}}}} 5 # {{{{long="{LONG}"}}}} 0.07 {{t}}.900', '+Inf"}} 6', "8"),  # too long
    ('0.1"}} 6 # {{trace_id="c"}} 0.09 {t}.999', '+Inf"}} 7', '9 # {{q="ok"}} 1 {t}.999'),
)
QUERIES = (
    'latency_seconds_bucket{job="JOB"}',
    'latency_seconds_bucket{job="JOB", le="0.1"}',
    'histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket{job="JOB"}[5m] offset 1d)))',
    'latency_seconds_bucket{le="+Inf", job="JOB"} / on () orders_total{job="JOB"} or vector(1)',
    'max_over_time({job="JOB", le!~"0.+"}[5m:1m])',
    'nothing_of_the_kind{job="JOB"}',
    "1 + 1",
)


class Script:
    """Gives each path the bodies in turn, and the last one ever after."""

    def __init__(self) -> None:
        self.began = int(time.time()) - 30
        self.given: dict[str, int] = {}

    def body(self, path: str) -> str:
        step = self.given.get(path, 0)
        self.given[path] = step + 1
        low, high, count = (line.format(t=self.began) for line in STEPS[min(step, len(STEPS) - 1)])
        return (
            "# TYPE latency_seconds histogram\n"
            f'latency_seconds_bucket{{le="{low}\nlatency_seconds_bucket{{le="{high}\n'
            f"# TYPE orders counter\norders_total {count}\n# EOF\n"
        )

    def over(self, path: str) -> bool:
        return self.given.get(path, 0) > len(STEPS)


@pytest.fixture
def script() -> Iterator[tuple[Script, str]]:
    """A script, and the address at which it is played."""
    played = Script()

    class Target(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0")
            self.end_headers()
            self.wfile.write(played.body(self.path).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield played, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def config(address: str, path: str, more: str = "") -> str:
    target = f"static_configs: [{{targets: ['{address}']}}]"
    return (
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"  - {{job_name: app, metrics_path: {path}, {target}}}\n{more}"
    )


def asked(url: str, **params: Any) -> Any:
    """The whole answer of ``query_exemplars``; nothing where there is no content."""
    encoded = urllib.parse.urlencode(params)
    with urllib.request.urlopen(f"{url}/api/v1/query_exemplars?{encoded}", timeout=30) as answer:
        return json.loads(answer.read()) if answer.status == 200 else {}


def compared(url: str, job: str, times: dict[str, float], *, scraped: bool) -> list[Any]:
    """What a server answers to every query, the job's name aside.

    Without ``scraped`` the times are left out that each scraper gives by itself.
    """
    answers = []
    for query in QUERIES:
        answer = asked(url, query=query.replace("JOB", job), **times)
        for series in answer.get("data", []):
            del series["seriesLabels"]["job"]
            for exemplar in series["exemplars"]:
                if not scraped and not exemplar["labels"]:
                    del exemplar["timestamp"]
        answers.append(answer)
    return answers


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


@pytest.fixture
def stop() -> Iterator[list[Product | Peer]]:
    """What is put here ends with the test."""
    running: list[Product | Peer] = []
    yield running
    for each in reversed(running):
        each.stop() if isinstance(each, Product) else each.kill()


@pytest.mark.needs("prometheus")
def test_scraped_and_sent_exemplars_are_those_of_prometheus(
    program: Callable[[str], str],
    tmp_path: Path,
    script: tuple[Script, str],
    stop: list[Product | Peer],
) -> None:
    played, address = script
    (tmp_path / "ours.yml").write_text(config(address, "/ours"))
    options = ["--prometheus-config", str(tmp_path / "ours.yml")]
    ports = (unused_port(), unused_port())
    product = start(tmp_path / "run", ports, *options)
    stop.append(product)
    sending = (
        f"remote_write:\n  - url: {product.api}/api/v1/write\n    send_exemplars: true\n"
        "    write_relabel_configs: [{target_label: job, replacement: sent}]\n"
    )
    peer = Peer("prometheus", program("prometheus"), tmp_path / "peer", STORING)
    (tmp_path / "peer" / "prometheus.yml").write_text(config(address, "/theirs", sending))
    peer.start()
    stop.append(peer)
    until(lambda: played.over("/ours") and played.over("/theirs"))
    # The last that comes.
    until(lambda: '"ok"' in json.dumps(asked(product.api, query='orders_total{job="sent"}')))

    def check() -> None:
        begin = played.began
        inside: dict[str, float] = {"start": begin + 0.5, "end": begin + 0.75}
        for times in ({}, inside, {"end": begin}, {"start": begin + 0.751}):
            theirs = compared(peer.url, "app", times, scraped=True)
            assert compared(product.api, "sent", times, scraped=True) == theirs
            theirs = compared(peer.url, "app", times, scraped=False)
            assert compared(product.api, "app", times, scraped=False) == theirs
        assert "trace_id" in json.dumps(compared(peer.url, "app", {}, scraped=True))

    check()
    # What was acknowledged is there after a kill.
    product.stop(signal.SIGKILL)
    stop.append(start(tmp_path / "run", ports, *options))
    check()


@pytest.mark.needs("prometheus")
def test_a_query_is_passed_on_to_the_prometheus_that_is_there(
    program: Callable[[str], str],
    tmp_path: Path,
    script: tuple[Script, str],
    stop: list[Product | Peer],
) -> None:
    played, address = script
    peer = Peer("prometheus", program("prometheus"), tmp_path / "peer", STORING, WRITABLE)
    (tmp_path / "peer" / "prometheus.yml").write_text(config(address, "/theirs"))
    peer.start()
    stop.append(peer)
    until(lambda: played.over("/theirs"))
    (tmp_path / "ours.yml").write_text(config(address, "/ours").replace("app", "ours"))
    options = ["--prometheus", peer.url, "--prometheus-config", str(tmp_path / "ours.yml")]
    product = start(tmp_path / "run", (unused_port(), unused_port()), *options)
    stop.append(product)
    for times in ({}, {"start": played.began + 0.5, "end": played.began + 0.75}):
        theirs = compared(peer.url, "app", times, scraped=True)
        assert compared(product.api, "app", times, scraped=True) == theirs
    assert "trace_id" in json.dumps(compared(product.api, "app", {}, scraped=True))
    # What we scrape goes there with its exemplars.
    until(lambda: '"ok"' in json.dumps(asked(product.api, query='orders_total{job="ours"}')))
    theirs = compared(peer.url, "app", {}, scraped=False)
    assert compared(product.api, "ours", {}, scraped=False) == theirs
