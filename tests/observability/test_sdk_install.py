"""The base install is the SDK alone: small, typed, and working without anything of the server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.observability.sdk_receiver import Receiver, otlp_receiver

ROOT = Path(__file__).parents[2]
LIGHT = {
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-semantic-conventions",
    "prometheus-client",
    "pynomaly-monitoring",
    "structlog",
    "typing-extensions",
    # What Python 3.11 lacks of what OpenTelemetry wants.
    "importlib-metadata",
    "zipp",
}

USER = """
import asyncio
import logging
from collections.abc import Iterator

import structlog

from anomaly_detection.infrastructure.observability import TracingService
from pynomaly.infrastructure.observability import (
    HealthMonitor,
    MetricsCollector,
    configure_logging,
    setup_tracing,
)
from pynomaly.observability import (
    Degraded,
    Pusher,
    checks,
    correlation,
    correlation_id,
    instrument,
    logs_to_file,
    mount,
)

configure_logging(level="INFO", enable_correlation=True)
metrics = MetricsCollector()
setup_tracing({"service_name": "pynomaly", "jaeger_endpoint": "http://localhost:14268"})
health = HealthMonitor()
logger = structlog.get_logger()

orders = metrics.counter("orders_total", "Orders placed.", ["shop"])
price = metrics.histogram("order_price_euros", "Prices of orders.", buckets=[1, 10, 100])


@TracingService.trace_function("model_inference")
@metrics.detection.inference.labels("iforest").time()
def predict(values: list[float]) -> float:
    return sum(values)


@TracingService.trace_function
async def load(rows: int) -> str:
    return str(rows)


@metrics.queue.item("mail")
def send(address: str) -> bool:
    return bool(address)


@TracingService.trace_function("rows")
def rows() -> Iterator[int]:
    yield 1


@health.check("model", timeout=1.0)
def model_loaded() -> str:
    if predict([1.0]) < 0:
        raise Degraded("an old model")
    return "v1"


health.add("disk", checks.disk("/", degraded_below=0.0, failed_below=0.0))


def plain(environ: dict[str, str], start_response: object) -> list[bytes]:
    return [b""]


app = mount(instrument(plain, access_log=False), health, metrics)

with correlation("order-7") as identifier, metrics.training.job("iforest"):
    given: str | None = correlation_id()
    orders.labels(shop="a").inc()
    price.observe(3)
    result: float = predict([0.5])
    text: str = asyncio.run(load(3))
    sent: bool = send("a@example.test")
    numbers: list[int] = list(rows())
    logger.info("anomaly_detected", score=result, timestamp="now", model_version="v1.2.0")
    logging.getLogger("library").warning("said")
    assert given == identifier

status: int = health.ready().http_status
body, kind = metrics.exposition()
print(status, len(body), kind)
"""

WRONG = """
from pynomaly.observability import MetricsCollector, TracingService, setup_tracing

metrics = MetricsCollector()
metrics.counter("orders_total")
metrics.training.job("iforest", 3)


@TracingService.trace_function("load")
def load(rows: int) -> str:
    return str(rows)


load("three")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has the base install and nothing else."""
    environment = tmp_path_factory.mktemp("base") / "env"
    uv = Path(sys.executable).with_name("uv")
    interpreter = environment / "bin" / "python"
    made = [str(uv), "venv", "-q", "--python", sys.executable, str(environment)]
    subprocess.run(made, check=True, timeout=60)
    installed = subprocess.run(
        [str(uv), "pip", "install", "-q", "--python", str(interpreter), str(wheel)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    if installed.returncode and not os.environ.get("CI"):
        pytest.skip(f"no package registry can be reached: {installed.stderr.strip()[-200:]}")
    assert installed.returncode == 0, installed.stderr
    return interpreter


def run(python: Path, code: str, folder: Path, **variables: str) -> str:
    program = folder / "program.py"
    program.write_text(code)
    done = subprocess.run(
        [str(python), "-I", str(program)],
        env={**variables, "HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_base_install_pulls_nothing_of_the_server(python: Path, tmp_path: Path) -> None:
    listed = run(
        python,
        "import importlib.metadata as m; print(*(d.name for d in m.distributions()))",
        tmp_path,
    )
    found = {name.lower().replace("_", "-") for name in listed.split()}
    assert found - LIGHT == set()
    assert {"pynomaly-monitoring", "prometheus-client", "structlog", "opentelemetry-sdk"} <= found


def test_a_users_program_runs_on_the_base_install(python: Path, tmp_path: Path) -> None:
    said = run(python, USER, tmp_path, OTEL_TRACES_EXPORTER="none")
    assert "200 " in said
    assert '"event":"anomaly_detected"' in said
    assert '"correlation_id":"order-7"' in said
    assert "Traceback" not in said


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as running:
        yield running


def test_the_base_install_exports_spans_without_further_libraries(
    python: Path, tmp_path: Path, receiver: Receiver
) -> None:
    code = """
from pynomaly.infrastructure.observability import TracingService, setup_tracing
provider = setup_tracing({"service_name": "shop"})
with TracingService.trace("work"):
    pass
provider.force_flush()
"""
    run(python, code, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/json"
    (resource,) = json.loads(request.body)["resourceSpans"]
    assert resource["scopeSpans"][0]["spans"][0]["name"] == "work"


def test_importing_the_sdk_imports_neither_opentelemetry_nor_a_server(
    python: Path, tmp_path: Path
) -> None:
    code = """
import sys
from pynomaly.infrastructure.observability import HealthMonitor, MetricsCollector, configure_logging
MetricsCollector().counter("orders_total", "Orders.").inc()
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
    loaded = set(run(python, code, tmp_path).split())
    heavy = {"opentelemetry", "fastapi", "flask", "celery", "numpy", "pydantic", "sqlalchemy"}
    assert loaded & heavy == set()


def checked(command: list[str], code: str, folder: Path) -> str:
    program = folder / "user_program.py"
    program.write_text(code)
    done = subprocess.run(
        [*command, str(program)], cwd=folder, capture_output=True, text=True, timeout=110
    )
    return done.stdout + done.stderr


def mypy(python: Path) -> list[str]:
    return [sys.executable, "-m", "mypy", "--strict", f"--python-executable={python}"]


def pyright(python: Path) -> list[str]:
    return [sys.executable, "-m", "pyright", f"--pythonpath={python}"]


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_passes_a_users_program(checker, python: Path, tmp_path: Path) -> None:
    said = checked(checker(python), USER, tmp_path)
    assert "Success" in said or "0 errors" in said, said


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_finds_a_users_mistakes(checker, python: Path, tmp_path: Path) -> None:
    said = checked(checker(python), WRONG, tmp_path)
    for line in (5, 6, 14):
        assert f"user_program.py:{line}" in said, said


def test_the_wheel_has_both_packages_and_says_that_it_is_typed(wheel: Path) -> None:
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True
    ).stdout
    for name in ("pynomaly/py.typed", "anomaly_detection/py.typed"):
        assert name in names
