"""Exemplars survive several worker processes, whoever answers the scrape."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from pynomaly.observability.metrics.exemplars import SLOT, ExemplarSlots, read

WORKER = """
import sys
from pynomaly.observability.metrics import exemplars
from pynomaly.observability.metrics.collector import MetricsCollector
trace, seconds = sys.argv[1], float(sys.argv[2])
metrics = MetricsCollector()
exemplars.source = lambda: {"trace_id": trace, "span_id": "cd" * 8}
metrics.http.duration.labels("GET", "/orders").observe(seconds)
metrics.http.requests.labels("GET", "/orders", "200", "").inc()
metrics.http.in_flight.labels("GET").inc()
"""

SCRAPE = """
import sys
from pynomaly.observability.metrics.collector import MetricsCollector
body, kind = MetricsCollector().exposition("application/openmetrics-text; version=1.0.0")
sys.stdout.buffer.write(body)
"""


def run(folder: Path, code: str, *args: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_scrape_has_the_newest_exemplar_of_all_workers(tmp_path: Path) -> None:
    run(tmp_path, WORKER, "aa" * 16, "0.003")
    run(tmp_path, WORKER, "bb" * 16, "0.7")
    run(tmp_path, WORKER, "cc" * 16, "0.004")
    families = {f.name: f for f in parse(run(tmp_path, SCRAPE).decode())}
    buckets = {
        s.labels["le"]: s.exemplar
        for s in families["http_request_duration_seconds"].samples
        if s.name.endswith("_bucket")
    }
    assert buckets["0.005"].labels == {"trace_id": "cc" * 16, "span_id": "cd" * 8}
    assert buckets["0.005"].value == 0.004
    assert buckets["1.0"].labels["trace_id"] == "bb" * 16
    assert buckets["0.25"] is None
    (count,) = (s for s in families["http_requests"].samples if s.name.endswith("_total"))
    assert count.value == 3
    assert count.exemplar.labels["trace_id"] == "cc" * 16


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    pid = [1]
    slots = ExemplarSlots(tmp_path, lambda: pid[0])
    key = ("x_total", (("a", "b"),))
    slots.record(key, {"trace_id": "aa"}, 1)
    pid[0] = 2
    slots.record(key, {"trace_id": "bb"}, 2)
    assert len(list(tmp_path.glob("exemplars_*.slots"))) == 2
    assert read(tmp_path)[key].labels == {"trace_id": "bb"}


def test_a_half_written_slot_is_left_out(tmp_path: Path) -> None:
    slots = ExemplarSlots(tmp_path)
    for name in ("a_total", "b_total"):
        slots.record((name, ()), {"trace_id": "aa"}, 1)
    (path,) = tmp_path.glob("exemplars_*.slots")
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"\xff")
    assert set(read(tmp_path)) == {("b_total", ())}


def test_an_exemplar_too_long_for_a_slot_is_not_kept(tmp_path: Path) -> None:
    slots = ExemplarSlots(tmp_path)
    slots.record(("a_total", (("long", "x" * SLOT),)), {"trace_id": "aa"}, 1)
    assert read(tmp_path) == {}
