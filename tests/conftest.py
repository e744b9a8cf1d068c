"""What every test may use."""

import importlib
import os
import shutil
from collections.abc import Callable

import pytest

from tests.postgres import database_url as database_url  # fixtures, for every test
from tests.postgres import find_postgres, own_server
from tests.postgres import postgres_server as postgres_server
from tests.postgres import postgres_url as postgres_url
from tests.product import unused_port

_WHERE: dict[str, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
    "node-exporter": ("prometheus-node-exporter", "node_exporter"),
    "victoria-metrics": ("victoria-metrics", "victoria-metrics-prod"),
    "redis": ("redis-server",),
    "openssl": ("openssl",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
}


def find_server(name: str) -> str | None:
    """The path of a server's program, or None; PostgreSQL hides its own from PATH."""
    if name == "postgres":
        return own_server() or find_postgres()
    return next(filter(None, map(shutil.which, _WHERE[name])), None)


@pytest.fixture
def program() -> Callable[[str], str]:
    """Find a server's program by the name that ``@pytest.mark.needs`` uses."""

    def find(name: str) -> str:
        path = find_server(name)
        assert path, f"mark the test with needs({name!r})"
        return path

    return find


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Ask the system for ports that nobody listens on."""
    return unused_port


def pytest_configure() -> None:
    """Make the console before a test sets COLUMNS: it keeps the width that is set then."""
    os.environ.pop("COLUMNS", None)
    importlib.import_module("pynomaly.cli.output")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if find_server(name) is None:
                reason = f"needs {name}, which is not installed"
                if os.environ.get("CI"):
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)
