"""Health: checks within their time, cached, side by side; mounted anywhere in a line."""

import asyncio
import datetime as dt
import json
import socket
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy
from fastapi import FastAPI
from flask import Flask
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from pynomaly.observability.health import checks
from pynomaly.observability.health.certificate import expiry_of_file, not_after
from pynomaly.observability.health.checks import available_memory
from pynomaly.observability.health.monitor import Degraded, HealthMonitor
from pynomaly.observability.health.mount import mount
from pynomaly.observability.health.result import Result, Status
from pynomaly.observability.health.serve import serve
from pynomaly.observability.metrics.collector import MetricsCollector
from tests.observability.sdk_receiver import otlp_receiver


class Ticking:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def monitor(registry: CollectorRegistry, clock: Ticking) -> HealthMonitor:
    return HealthMonitor(registry, monotonic=clock)


def fails() -> None:
    raise ConnectionError("refused")


def degraded() -> None:
    raise Degraded("slow")


@pytest.mark.parametrize(
    ("check", "status", "detail"),
    [
        (lambda: None, "ok", ""),
        (lambda: True, "ok", ""),
        (lambda: "3 workers", "ok", "3 workers"),
        (lambda: False, "failed", "returned False"),
        (fails, "failed", "ConnectionError: refused"),
        (degraded, "degraded", "slow"),
        (lambda: Result(Status.DEGRADED, "by hand"), "degraded", "by hand"),
    ],
)
def test_what_a_check_says_is_what_is_reported(
    monitor: HealthMonitor, check: Callable[[], Any], status: str, detail: str
) -> None:
    monitor.add("one", check)
    report = monitor.ready()
    assert report.status == status
    assert report.checks["one"].status == status
    assert detail in report.checks["one"].detail
    assert report.http_status == (503 if status == "failed" else 200)


def test_what_is_not_critical_only_degrades(monitor: HealthMonitor) -> None:
    monitor.add("cache", fails, critical=False)
    report = monitor.ready()
    assert (report.status, report.http_status) == ("degraded", 200)


def test_the_worst_critical_result_counts(monitor: HealthMonitor) -> None:
    monitor.add("slow", degraded)
    monitor.add("down", fails)
    monitor.add("fine", lambda: None)
    assert monitor.ready().status == "failed"


def test_liveness_asks_only_its_own_checks(monitor: HealthMonitor) -> None:
    monitor.add("database", fails)
    assert monitor.live().status == "ok"
    assert monitor.live().checks == {}

    @monitor.check("deadlock", live=True)
    def stuck() -> bool:
        return False

    assert monitor.live().http_status == 503
    assert list(monitor.live().checks) == ["deadlock"]


def test_a_name_is_given_once(monitor: HealthMonitor) -> None:
    monitor.add("database", lambda: None)
    with pytest.raises(ValueError, match="'database' already"):
        monitor.add("database", lambda: None)


def test_a_result_is_kept_for_its_time_and_then_asked_anew(
    monitor: HealthMonitor, clock: Ticking
) -> None:
    runs = []
    monitor.add("one", lambda: runs.append(1), cache=10)
    monitor.ready()
    clock.now += 9
    monitor.ready()
    assert len(runs) == 1
    clock.now += 2
    monitor.ready()
    assert len(runs) == 2


def test_a_check_that_hangs_is_failed_in_its_time_and_not_started_again(
    registry: CollectorRegistry,
) -> None:
    monitor = HealthMonitor(registry)
    release, runs = threading.Event(), []

    def hangs() -> None:
        runs.append(1)
        release.wait(60)

    monitor.add("hangs", hangs, timeout=0.01, cache=0)
    for _ in range(3):
        report = monitor.ready()
        assert report.status == "failed"
        assert "no answer in" in report.checks["hangs"].detail
    assert len(runs) == 1
    assert registry.get_sample_value("health_check_status", {"check": "hangs"}) == 0
    release.set()


async def test_a_coroutine_that_hangs_is_cancelled(registry: CollectorRegistry) -> None:
    monitor = HealthMonitor(registry)
    cancelled = asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    monitor.add("hangs", hangs, timeout=0.01)
    report = await monitor.ready_async()
    assert report.status == "failed"
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_coroutines_run_in_the_applications_loop_and_functions_beside_it(
    monitor: HealthMonitor,
) -> None:
    loops, threads = [], []

    async def asks() -> None:
        loops.append(asyncio.get_running_loop())

    monitor.add("asks", asks)
    monitor.add("blocks", lambda: threads.append(threading.current_thread()))
    report = await monitor.ready_async()
    assert report.status == "ok"
    assert loops == [asyncio.get_running_loop()]
    assert threads != [threading.main_thread()]


def test_a_coroutine_is_also_asked_without_a_loop(monitor: HealthMonitor) -> None:
    async def asks() -> str:
        return "asked"

    monitor.add("asks", asks)
    assert monitor.ready().checks["asks"].detail == "asked"


def test_results_are_metrics(monitor: HealthMonitor, registry: CollectorRegistry) -> None:
    monitor.add("up", lambda: None)
    monitor.add("slow", degraded)
    monitor.add("down", fails)
    monitor.ready()
    found = {
        name: registry.get_sample_value("health_check_status", {"check": name})
        for name in ("up", "slow", "down")
    }
    assert found == {"up": 1.0, "slow": 0.5, "down": 0.0}


def test_http_asks_a_real_server() -> None:
    with otlp_receiver() as receiver, pytest.raises(Exception, match="501"):
        checks.http(receiver.url)()
    with pytest.raises(Exception, match="refused"):
        checks.http(receiver.url)()
    with pytest.raises(ValueError, match="not an http"):
        checks.http("localhost")


def test_sql_asks_an_engine_or_a_connection(tmp_path: Path) -> None:
    assert checks.sql(sqlalchemy.create_engine("sqlite://"))() == ""
    assert checks.sql(lambda: sqlite3.connect(tmp_path / "shop.db"))() == ""
    with pytest.raises(sqlite3.OperationalError):
        checks.sql(lambda: sqlite3.connect(tmp_path / "shop.db"), "SELECT * FROM orders")()


@pytest.mark.needs("postgres")
async def test_sql_asks_an_asynchronous_engine_in_its_own_loop(
    monitor: HealthMonitor, postgres_url: str
) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(
        sqlalchemy.make_url(postgres_url).set(drivername="postgresql+psycopg")
    )
    monitor.add("database", checks.sql(engine))
    monitor.add("missing", checks.sql(engine, "SELECT * FROM nowhere"), critical=False)
    report = await monitor.ready_async()
    await engine.dispose()
    assert report.checks["database"].status == "ok"
    assert "nowhere" in report.checks["missing"].detail


@pytest.mark.needs("redis")
def test_redis_pings_a_real_server(program, free_port, tmp_path: Path) -> None:
    import time

    import redis
    import redis.asyncio

    port = free_port()
    server = subprocess.Popen(
        [program("redis"), "--port", str(port), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    check = checks.redis(redis.Redis(port=port))
    awaited = checks.redis(redis.asyncio.Redis(port=port))
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert check() == ""
                break
            except redis.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert asyncio.run(awaited()) == ""
    finally:
        server.terminate()
        server.wait(30)
    with pytest.raises(redis.ConnectionError):
        check()


def test_disk_is_degraded_and_failed_by_its_limits(tmp_path: Path) -> None:
    assert "is free" in checks.disk(tmp_path, degraded_below=0, failed_below=0)()
    with pytest.raises(Degraded, match="free"):
        checks.disk(tmp_path, degraded_below=1.1, failed_below=0)()
    with pytest.raises(RuntimeError, match="free"):
        checks.disk(tmp_path, degraded_below=1.1, failed_below=1.1)()


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_memory_is_the_machines_or_the_containers_whichever_is_less(tmp_path: Path) -> None:
    machine = {"proc__meminfo": "MemTotal: 1000 kB\nMemAvailable: 400 kB\n"}
    assert available_memory(tree(tmp_path / "a", **machine)) == 0.4
    container = {
        "sys__fs__cgroup__memory_dot_max": "1000\n",
        "sys__fs__cgroup__memory_dot_current": "950\n",
        "sys__fs__cgroup__memory_dot_stat": "anon 700\ninactive_file 200\n",
    }
    assert available_memory(tree(tmp_path / "b", **machine, **container)) == pytest.approx(0.25)
    unlimited = {**container, "sys__fs__cgroup__memory_dot_max": "max\n"}
    assert available_memory(tree(tmp_path / "c", **machine, **unlimited)) == 0.4


def test_memory_of_this_machine_can_be_read() -> None:
    assert "available" in checks.memory(degraded_below=0, failed_below=0)()


def test_queue_is_degraded_and_failed_by_its_length() -> None:
    assert checks.queue(lambda: 3, degraded_above=5)() == "3 items wait"
    with pytest.raises(Degraded):
        checks.queue(lambda: 6, degraded_above=5)()
    with pytest.raises(RuntimeError, match="more than 10"):
        checks.queue(lambda: 11, degraded_above=5, failed_above=10)()


@pytest.fixture
def certificate(tmp_path: Path, program: Callable[[str], str]) -> tuple[Path, Path]:
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        f"{program('openssl')} req -x509 -newkey rsa:2048 -nodes -days 20 -subj /CN=localhost "
        f"-keyout {key} -out {pem}",
        shell=True,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return pem, key


@pytest.mark.needs("openssl")
def test_a_certificates_end_is_read_from_a_file_and_from_a_server(
    certificate: tuple[Path, Path], registry: CollectorRegistry
) -> None:
    pem, key = certificate
    now = dt.datetime.now(dt.UTC)
    assert abs(expiry_of_file(pem) - now - dt.timedelta(days=20)) < dt.timedelta(hours=1)
    with pytest.raises(Degraded, match="ends"):
        checks.certificate(pem, registry=registry)()
    assert registry.get_sample_value("cert_expiry_days", {"certificate": str(pem)}) == (
        pytest.approx(20, abs=0.1)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_one, args=(listener, context))
        thread.start()
        port = listener.getsockname()[1]
        check = checks.certificate("127.0.0.1", port, degraded_days=10, registry=registry)
        assert "ends" in check()
        thread.join(30)


def serve_one(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with connection, context.wrap_socket(connection, server_side=True):
        pass


@pytest.mark.needs("openssl")
def test_an_expired_certificate_has_failed(
    certificate: tuple[Path, Path], registry: CollectorRegistry
) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    with pytest.raises(RuntimeError, match="in -10 d"):
        checks.certificate(certificate[0], now=lambda: later, registry=registry)()


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x03\x02\x01\x01", bytes(64)])
def test_what_is_no_certificate_is_said_to_be_none(junk: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        not_after(junk)


# Mounted


async def plain_asgi(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("own")(scope, receive, send)


def plain_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"own"]


def fastapi_app() -> Any:
    app = FastAPI()
    app.add_api_route("/own", lambda: "own")
    return app


def starlette_app() -> Any:
    async def own(request: Any) -> PlainTextResponse:
        return PlainTextResponse("own")

    return Starlette(routes=[Mount("/", routes=[Route("/{path:path}", own)])])


def flask_app() -> Any:
    app = Flask("shop")
    app.add_url_rule("/own", view_func=lambda: "own", endpoint="own")
    return app


@pytest.fixture(
    params=[fastapi_app, starlette_app, flask_app, lambda: plain_asgi, lambda: plain_wsgi]
)
def client(
    request: pytest.FixtureRequest, monitor: HealthMonitor, registry: CollectorRegistry
) -> Iterator[Callable[..., httpx.Response]]:
    app = mount(request.param(), monitor, MetricsCollector(registry))
    if request.param is flask_app or (callable(app) and "Wsgi" in type(app).__name__):
        with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://t") as wsgi:
            yield wsgi.request
        return

    async def ask(method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as asgi:
            return await asgi.request(method, path, **options)

    yield lambda *args, **options: asyncio.run(ask(*args, **options))


def test_every_framework_answers_the_same(
    client: Callable[..., httpx.Response], monitor: HealthMonitor, registry: CollectorRegistry
) -> None:
    monitor.add("database", fails)
    monitor.add("alive", lambda: "yes", live=True)
    MetricsCollector(registry).cache.miss("pages")
    live, ready = client("GET", "/api/health/live"), client("GET", "/api/health/ready")
    assert live.status_code == 200
    assert live.json()["checks"]["alive"]["detail"] == "yes"
    assert ready.status_code == 503
    assert json.loads(ready.content)["checks"]["database"]["status"] == "failed"
    assert ready.headers["cache-control"] == "no-store"
    metrics = client("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
    assert metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert 'health_check_status{check="database"} 0.0' in metrics.text
    business = client("GET", "/api/v1/monitoring/metrics").text
    assert 'cache_requests_total{cache="pages",result="miss"} 1.0' in business
    assert "health_check_status" not in business
    assert client("HEAD", "/api/health/live").content == b""
    assert "own" in client("GET", "/own").text


def test_a_path_that_an_application_answers_itself_stays_its_own() -> None:
    app = FastAPI()
    app.add_api_route("/metrics", lambda: "own")
    mount(app, metrics=MetricsCollector(CollectorRegistry()))
    paths = [getattr(route, "path", "") for route in app.routes]
    assert paths.count("/metrics") == 1
    assert "/api/health/ready" in paths


def test_a_process_without_a_server_is_given_one(
    monitor: HealthMonitor, registry: CollectorRegistry
) -> None:
    monitor.add("database", fails)
    served = serve(0, monitor, MetricsCollector(registry))
    try:
        url = f"http://127.0.0.1:{served.port}"
        assert httpx.get(f"{url}/api/health/live").status_code == 200
        assert httpx.get(f"{url}/api/health/ready").status_code == 503
        assert "health_check_status" in httpx.get(f"{url}/metrics").text
        assert httpx.get(f"{url}/elsewhere").status_code == 404
        with pytest.raises(OSError, match="in use"):
            serve(served.port, monitor)
    finally:
        served.close()
