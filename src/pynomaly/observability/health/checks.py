"""Ready checks, for ``HealthMonitor.add``: each is made with its terms and then run without any."""

import datetime as dt
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from pynomaly.observability.delivery.http import checked_url
from pynomaly.observability.health.certificate import expiry_of_file, expiry_of_server
from pynomaly.observability.health.result import Degraded
from pynomaly.observability.health.runner import Check
from pynomaly.observability.metrics.collector import MetricsCollector

Ready = Callable[[], str]


class Pingable(Protocol):
    """A Redis client."""

    def ping(self) -> Any:
        """Ask the server for an answer."""


def http(url: str, *, timeout: float = 3.0) -> Ready:
    """A URL answers with a status below 400, within ``timeout`` seconds.

    Raises ValueError if it is no http(s) URL.
    """
    checked_url(url, "http check")

    def check() -> str:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return f"answered {response.status}"

    return check


def sql(source: Any, query: str = "SELECT 1") -> Check:
    """A database answers a query.

    ``source`` is an engine of SQLAlchemy, also an asynchronous one, or a function that makes a
    DB-API connection, such as ``lambda: sqlite3.connect("shop.db")``, which is closed again.
    """

    async def by_async_engine() -> str:
        async with source.connect() as connection:
            await connection.exec_driver_sql(query)
        return ""

    def by_engine() -> str:
        with source.connect() as connection:
            connection.exec_driver_sql(query).fetchone()
        return ""

    def by_connection() -> str:
        connection = source()
        try:
            cursor = connection.cursor()
            cursor.execute(query)
            cursor.fetchone()
        finally:
            connection.close()
        return ""

    if hasattr(source, "sync_engine"):
        return by_async_engine
    return by_engine if hasattr(source, "connect") else by_connection


def redis(client: Pingable) -> Check:
    """A Redis server answers a ping of this client, of ``redis`` or ``redis.asyncio``."""

    def check() -> str:
        _answered(client.ping())
        return ""

    async def check_async() -> str:
        _answered(await client.ping())
        return ""

    # Of the latter ping() is no coroutine function, so its module has to say it.
    return check_async if type(client).__module__.startswith("redis.asyncio") else check


def _answered(pong: Any) -> None:
    if not pong:
        raise ConnectionError("the server did not answer the ping")


def disk(
    path: Path | str = "/", *, degraded_below: float = 0.15, failed_below: float = 0.05
) -> Ready:
    """The file system of a path has room; the limits are shares of its size, 0 to 1."""

    def check() -> str:
        used = shutil.disk_usage(path)
        free = used.free / used.total
        return _at_least(free, degraded_below, failed_below, f"{free:.0%} of {path} is free")

    return check


def memory(*, degraded_below: float = 0.10, failed_below: float = 0.03) -> Ready:
    """The machine, or the container's limit, leaves memory; the limits are shares, 0 to 1."""

    def check() -> str:
        share = available_memory(Path("/"))
        detail = f"{share:.0%} of the memory is available"
        return _at_least(share, degraded_below, failed_below, detail)

    return check


def queue(
    length: Callable[[], float], *, degraded_above: float, failed_above: float = float("inf")
) -> Ready:
    """A queue is not longer than it should be; ``length`` gives its items."""

    def check() -> str:
        waiting = length()
        detail = f"{waiting:g} items wait"
        if waiting > failed_above:
            raise RuntimeError(f"{detail}, more than {failed_above:g}")
        if waiting > degraded_above:
            raise Degraded(f"{detail}, more than {degraded_above:g}")
        return detail

    return check


def certificate(
    source: str | Path,
    port: int = 443,
    *,
    degraded_days: float = 30,
    failed_days: float = 7,
    timeout: float = 3.0,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    registry: CollectorRegistry | None = None,
) -> Ready:
    """A certificate does not end soon: of the server at a host's port, or in a ``Path``'s file.

    The days are also the metric ``cert_expiry_days``.
    """
    days_left = MetricsCollector(registry).security.cert_expiry.labels(str(source))

    def check() -> str:
        if isinstance(source, Path):
            ends = expiry_of_file(source)
        else:
            ends = expiry_of_server(source, port, timeout)
        days = (ends - now()) / dt.timedelta(days=1)
        days_left.set(days)
        return _at_least(days, degraded_days, failed_days, f"ends {ends:%Y-%m-%d}, in {days:.0f} d")

    return check


def _at_least(value: float, degraded: float, failed: float, detail: str) -> str:
    if value < failed:
        raise RuntimeError(detail)
    if value < degraded:
        raise Degraded(detail)
    return detail


def available_memory(root: Path) -> float:
    """Share of memory that is available, 0 to 1: the container's (cgroup v2) or the machine's.

    ``root`` is ``/``. Raises RuntimeError where neither can be read.
    """
    shares = [s for s in (_of_container(root), _of_machine(root)) if s is not None]
    if not shares:
        raise RuntimeError("the memory's size cannot be read here; write a check of your own")
    return min(shares)


def _of_container(root: Path) -> float | None:
    folder = root / "sys/fs/cgroup"
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        stats = (folder / "memory.stat").read_text().split()
    except OSError:
        return None
    if limit == "max":
        return None
    # Pages of files are given back under pressure, so they are not in the way.
    cached = int(stats[stats.index("inactive_file") + 1]) if "inactive_file" in stats else 0
    return 1 - (used - cached) / int(limit)


def _of_machine(root: Path) -> float | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return _by_psutil()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    return sizes["MemAvailable"] / sizes["MemTotal"]


def _by_psutil() -> float | None:
    """macOS has no /proc; psutil, if it is installed, knows."""
    try:
        import psutil
    except ImportError:
        return None
    memory = psutil.virtual_memory()
    return float(memory.available / memory.total)
