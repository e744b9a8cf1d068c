"""A throwaway PostgreSQL, and an empty database on it for each test that asks."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.product import unused_port

USER = "pynomaly_test"
PASSWORD = "a-Password:with@signs/"


def own_server() -> str | None:
    """The address of a server that the environment offers, whose user may create databases."""
    return os.environ.get("PYNOMALY_TEST_DATABASE_URL")


def find_postgres() -> str | None:
    """The newest ``postgres`` program; Debian keeps its versions out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return str(found[-1]) if found else shutil.which("postgres")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """The address of a PostgreSQL server, started for these tests unless one is offered."""
    if offered := own_server():
        yield sa.make_url(offered)
        return
    folder = Path(tempfile.mkdtemp(prefix="pynomaly-postgres-"))
    try:
        yield from _run_server(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_server(folder: Path) -> Iterator[sa.URL]:
    programs = Path(find_postgres() or "").parent
    user = _unprivileged()
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    if user is not None:
        for path in (folder, password_file):
            shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    data = folder / "data"
    initdb = [programs / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", "-N"]
    subprocess.run(
        [*initdb, f"--pwfile={password_file}", "-E", "UTF8", "--locale=C"],
        **_as(user), cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    port = unused_port()
    options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), *_each("-c", options)],
            **_as(user), cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    url = sa.URL.create("postgresql", USER, PASSWORD, "127.0.0.1", port, "postgres")
    try:
        _wait_until_ready(url, server, folder / "log")
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # "fast": ends the sessions that are left
        server.wait(30)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root; Debian made a user for it."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as(user: str | None) -> dict[str, object]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _each(flag: str, values: list[str]) -> Iterator[str]:
    return itertools.chain.from_iterable((flag, value) for value in values)


def _wait_until_ready(url: sa.URL, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(as_text(url)).close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


def as_text(url: sa.URL) -> str:
    """The address as a user writes it, with its password."""
    return url.render_as_string(hide_password=False)


@pytest.fixture
def postgres_url(postgres_server: sa.URL) -> Iterator[str]:
    """The address of an empty database, dropped after the test."""
    name = f"test_{os.getpid()}_{next(_COUNT)}"
    _administrate(postgres_server, f"CREATE DATABASE {name}")
    yield as_text(postgres_server.set(database=name))
    _administrate(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


def _administrate(server: sa.URL, statement: str) -> None:
    with psycopg.connect(as_text(server), autocommit=True) as connection:
        connection.execute(statement.encode())


_COUNT = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Both databases in turn: None is SQLite in the data folder."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None
