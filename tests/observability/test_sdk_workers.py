"""Debian's Prometheus scrapes applications of several worker processes, exemplars included."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

FASTAPI = """
import os
from fastapi import FastAPI
from pynomaly.observability import instrument, setup_tracing

setup_tracing({"service_name": "shop", "exporter": "none"})
app = instrument(FastAPI())

@app.get("/orders/{order}")
def order(order: int) -> int:
    return os.getpid()
"""

FLASK = """
import os
from flask import Flask
from pynomaly.observability import instrument, setup_tracing

setup_tracing({"service_name": "shop", "exporter": "none"})
app = instrument(Flask("shop"))

@app.get("/orders/<order>")
def order(order: str) -> str:
    return str(os.getpid())
"""

GUNICORN = """
from pynomaly.observability import mark_worker_dead

def child_exit(server, worker):
    mark_worker_dead(worker.pid)
"""


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 90
    while True:
        with contextlib.suppress(OSError, LookupError):
            found = condition()
            if found:
                return found
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **options,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def command_of(framework: str, port: int) -> list[str]:
    if framework == "fastapi":
        return [sys.executable, "-m", "uvicorn", "shop:app", "--workers=2", f"--port={port}"]
    return [
        *[sys.executable, "-m", "gunicorn", "shop:app", "--workers=2"],
        *["--config=gunicorn.conf.py", f"--bind=127.0.0.1:{port}"],
    ]


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_prometheus_sees_all_workers_as_one_with_their_exemplars(
    framework: str, program: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(FASTAPI if framework == "fastapi" else FLASK)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    shared = tmp_path / "shared"
    shared.mkdir()
    port, at = free_port(), free_port()
    (tmp_path / "prometheus.yml").write_text(
        f"scrape_configs: [{{job_name: shop, scrape_interval: 1s, "
        f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    prometheus = [
        program("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{at}",
        "--enable-feature=exemplar-storage",
    ]
    url = f"http://127.0.0.1:{port}"
    with (
        running(command_of(framework, port), cwd=tmp_path, env=environment),
        running(prometheus),
    ):
        wait_for(lambda: fetched(f"{url}/api/health/live"), "the application did not start")
        workers: set[bytes] = set()
        sent, deadline = 0, time.monotonic() + 90
        with ThreadPoolExecutor(8) as pool:
            while len(workers) < 2 or sent < 50:
                asked = [f"{url}/orders/{sent + n}" for n in range(25)]
                workers.update(pool.map(fetched, asked))
                sent += len(asked)
                assert time.monotonic() < deadline, "one worker took everything"

        def result(path: str, query: str) -> Any:
            found = fetched(f"http://127.0.0.1:{at}/api/v1/{path}{urllib.parse.quote(query)}")
            return json.loads(found)["data"]

        count = "sum(http_requests_total{endpoint=~'/orders/.+',status='200'})"
        wait_for(
            lambda: float(result("query?query=", count)["result"][0]["value"][1]) == sent,
            f"Prometheus has not seen all {sent} requests of {len(workers)} workers",
        )
        flight = "sum(http_requests_in_flight)"
        assert result("query?query=", flight)["result"][0]["value"][1] == "0"
        exemplars = wait_for(
            lambda: result(
                f"query_exemplars?start={time.time() - 600}&end={time.time() + 60}&query=",
                "http_request_duration_seconds_bucket",
            ),
            "Prometheus has no exemplars",
        )
        ids = {e["labels"]["trace_id"] for series in exemplars for e in series["exemplars"]}
        assert ids
        assert all(len(identifier) == 32 for identifier in ids)


def test_a_worker_that_has_ended_leaves_no_live_gauge_and_no_exemplars(
    free_port: Callable[[], int], tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(FLASK)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    shared = tmp_path / "shared"
    shared.mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    with running(command_of("flask", port), cwd=tmp_path, env=environment):
        wait_for(lambda: fetched(f"{url}/api/health/live"), "the application did not start")
        worker = int(fetched(f"{url}/orders/1"))
        gauge = shared / f"gauge_livesum_{worker}.db"
        slots = shared / f"exemplars_{worker}.slots"
        # A request is recorded when its answer is out.
        wait_for(lambda: gauge.exists() and slots.exists(), "the worker wrote no files")
        os.kill(worker, signal.SIGTERM)
        wait_for(lambda: not gauge.exists() and not slots.exists(), "the files stayed")
        wait_for(lambda: fetched(f"{url}/orders/2"), "no worker answers")
        assert b"/orders/<order>" in fetched(f"{url}/metrics")


CELERY = """
import os, sys
from celery import Celery
from celery.signals import worker_init
from pynomaly.observability import configure_logging, instrument, serve, setup_tracing

configure_logging(service="shop-worker")
setup_tracing({"service_name": "shop-worker", "exporter": "none"})
broker = f"redis://127.0.0.1:{os.environ['REDIS_PORT']}/0"
app = instrument(Celery("shop", broker=broker, backend=broker), clients=False)

@worker_init.connect
def serve_metrics(**_):
    serve(int(os.environ["METRICS_PORT"]))

@app.task(name="shop.ship")
def ship(order):
    import time, logging
    logging.getLogger("shop").info("shipping %s", order)
    return os.getpid()
"""

SEND = """
from shop import ship
sent = [ship.delay(n) for n in range(40)]
print(len({one.get(timeout=60) for one in sent}))
"""


@pytest.mark.needs("redis")
def test_a_celery_worker_of_several_processes_answers_for_all_of_them(
    program: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(CELERY)
    shared = tmp_path / "shared"
    shared.mkdir()
    broker, port = free_port(), free_port()
    environment = {**os.environ, "REDIS_PORT": str(broker), "METRICS_PORT": str(port)}
    redis = [program("redis"), "--port", str(broker), "--save", "", "--dir", str(tmp_path)]
    worker = [sys.executable, "-m", "celery", "-A", "shop", "worker", "--concurrency=2"]
    worker += [f"--logfile={tmp_path}/worker.log"]
    with (
        running(redis),
        running(worker, cwd=tmp_path, env={**environment, "PROMETHEUS_MULTIPROC_DIR": str(shared)}),
    ):
        metrics = f"http://127.0.0.1:{port}/metrics"
        wait_for(lambda: fetched(metrics) is not None, "the worker does not serve its metrics")
        sent = subprocess.run(
            [sys.executable, "-c", SEND],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert sent.returncode == 0, sent.stderr
        count = 'background_jobs_total{job="shop.ship",status="success"} 40.0'
        wait_for(lambda: count in fetched(metrics).decode(), "not every task was counted")
        assert 'background_jobs_in_progress{job="shop.ship"} 0.0' in fetched(metrics).decode()
