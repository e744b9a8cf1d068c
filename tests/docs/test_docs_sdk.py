"""Every example of the SDK's pages runs as it is written, and prints what its page shows."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pynomaly.observability.metrics.reference import reference
from tests.product import Product, start, unused_port

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMES = ["instrument-fastapi", "instrument-flask", "instrument-celery", "name-a-metric"]
NAMES += ["correlate-logs-and-traces", "write-a-health-check"]


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    for found in BLOCK.finditer(page.read_text()):
        yield found[1], found[2]


def program(page: Path) -> str:
    """A page's examples as one program, in which each says where it begins."""
    parts = []
    for number, (kind, code) in enumerate(blocks(page)):
        mark = f'import sys; [print("==", {number}, file=f) for f in (sys.stdout, sys.stderr)]\n'
        parts.append(code + mark if kind == "python" else "")
    return "".join(parts)


def run(page: Path, folder: Path, **replaced: str) -> list[str]:
    """What its program writes to the standard output, and to the standard error output."""
    code = program(page)
    for old, new in replaced.items():
        code = code.replace({"api": "http://127.0.0.1:8090"}[old], new)
    (folder / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none", "PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [done.stdout, done.stderr]


def parts(said: str) -> dict[int, str]:
    """What was printed, by the number of the block that printed it."""
    found = re.split(r"^== (\d+)$", said, flags=re.MULTILINE)
    return dict(zip(map(int, found[1::2]), found[0::2], strict=False))


def check_output(page: Path, said: list[str]) -> None:
    """Each ``text`` block is what the Python before it printed, or a part of it."""
    printed = [parts(one) for one in said]
    before = -1
    for number, (kind, expected) in enumerate(blocks(page)):
        if kind == "python":
            before = number
        if kind == "text":
            shown = [f"...\n{one[before].strip()}\n...\n" for one in printed]
            pattern = f"...\n{expected.strip()}\n...\n"
            matches = [
                doctest.OutputChecker().check_output(pattern, got, doctest.ELLIPSIS)
                for got in shown
            ]
            assert any(matches), f"{page.name}: expected\n{expected}\ngot\n{''.join(shown)}"


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_page_run_and_print_what_it_shows(name: str, tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / f"{name}.md"
    check_output(page, run(page, tmp_path))


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = start(tmp_path_factory.mktemp("docs"), (unused_port(), unused_port()))
    running.wait_for("up")
    yield running
    running.stop()


def test_a_batch_jobs_push_is_in_the_product(product: Product, tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / "instrument-a-batch-job.md"
    check_output(page, run(page, tmp_path, api=product.api))
    ((labels, rows),) = product.vector('import_rows_total{table="orders"}')
    assert rows == 1200
    assert labels["job"] == "nightly_import"
    assert labels["instance"] == "warehouse-1"
    (command,) = re.findall(r"^```sh\n(pynomaly .*)\n```", page.read_text(), re.MULTILINE)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shown = subprocess.run(
        command,
        shell=True,
        env={**os.environ, "PYNOMALY_URL": product.api, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "1200" in shown.stdout, shown.stderr
    ended = product.vector('background_jobs_total{job="nightly_import",status="success"}')
    assert [value for _, value in ended] == [1]


def test_the_reference_of_the_ready_metrics_is_the_codes() -> None:
    page = ROOT / "docs" / "reference" / "sdk-metrics.md"
    assert page.read_text() == reference(), (
        "run: python -m pynomaly.observability.metrics.reference > docs/reference/sdk-metrics.md"
    )
