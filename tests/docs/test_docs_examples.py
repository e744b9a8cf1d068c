"""Every example of the documentation that is marked ``console`` does what it says."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Product, start, unused_port

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    p for p in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")] if BLOCK.search(p.read_text())
)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = start(tmp_path_factory.mktemp("docs"), (unused_port(), unused_port()))
    running.wait_for("up")
    yield running
    running.stop()


def commands(page: str) -> list[tuple[str, str]]:
    """(command, expected output) of every console block, in order."""
    found = []
    for block in BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.split("\n")
            size = 1
            while lines[size - 1].endswith("\\"):
                size += 1
            found.append(("\n".join(lines[:size]), "\n".join(lines[size:]).strip()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_of_a_page_print_what_it_shows(
    page: Path, product: Product, tmp_path: Path
) -> None:
    for command, expected in commands(page.read_text()):
        real = command.replace("http://127.0.0.1:8090", product.api)
        real = real.replace("http://127.0.0.1:8080", product.web)
        done = subprocess.run(
            real,
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "PYNOMALY_URL": product.api,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "COLUMNS": "100",
            },
        )
        assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}{done.stderr}"
        matches = doctest.OutputChecker().check_output(
            expected + "\n",
            done.stdout.strip() + "\n",
            doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        )
        assert matches, f"{page.name}: {command}\nexpected: {expected}\ngot: {done.stdout}"


LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize(
    "page",
    sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []
