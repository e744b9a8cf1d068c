"""What it costs to have it: memory, idle CPU, time to start, size on disk."""

import importlib.metadata
import re
import time
from pathlib import Path

import numpy as np

from benchmarks.servers import PEERS, Server, available, pynomaly
from benchmarks.tables import Table
from benchmarks.workload import Family, bodies, counters, http_series, push_all

ACTIVE = 100_000
IDLE_SECONDS = 60
ROOT = Path(__file__).parents[1]


def _idle_cpu(server: Server, seconds: float) -> float:
    """Percent of one core."""
    before = server.cpu_seconds()
    time.sleep(seconds)
    return 100 * (server.cpu_seconds() - before) / seconds


def _load_active(server: Server, steps: int = 8) -> None:
    """Every series gets a sample every 15 seconds of the last minutes."""
    end = int(time.time() * 1000)
    times = end - np.arange(steps)[::-1] * 15_000
    whole = counters(http_series(ACTIVE, "http_requests_total"), steps, seed=4)
    parts = np.array_split(np.arange(ACTIVE), 4)
    push_all(
        server,
        [bodies([Family([whole.labels[i] for i in p], whole.values[p])], times, 1) for p in parts],
    )


def _engine_mb(server: Server) -> str:
    """What the engine itself says that it holds; the rest is Python's."""
    if server.name != "pynomaly":
        return ""
    page = server.read("/metrics").decode()
    found = re.search(r"^pynomaly_engine_memory_bytes (\S+)$", page, re.MULTILINE)
    return f"{float(found[1]) / 1e6:.0f}" if found else "unknown"


def _memory(folder: Path) -> Table:
    table = Table(
        f"Memory and idle CPU ({IDLE_SECONDS} s; the product observes its host meanwhile)",
        ["server", "RSS MB idle", "idle CPU %", f"RSS MB at {ACTIVE:,}", "of it the engine's MB"],
    )
    for name in available():
        with PEERS[name](folder / f"{name}-memory") as server:
            time.sleep(20)
            cpu = _idle_cpu(server, IDLE_SECONDS)
            idle = server.resident_mb()
            _load_active(server)
            time.sleep(20)
            loaded = server.resident_mb()
            table.add(server.name, f"{idle:.0f}", f"{cpu:.1f}", f"{loaded:.0f}", _engine_mb(server))
    return table


def _start(folder: Path) -> Table:
    table = Table("Start to the first answered query, seconds", ["folder", "seconds"])
    for label in ("new", "warm", "warm again"):
        with pynomaly(folder / "start") as server:
            server.read("/api/v1/query", query="1")
            table.add(label, f"{server.start_seconds:.2f}")
            time.sleep(8)
    with pynomaly(folder / "start-100k") as server:
        _load_active(server, steps=4)
    with pynomaly(folder / "start-100k") as server:
        server.read("/api/v1/query", query="count(http_requests_total)")
        table.add(f"warm with {ACTIVE:,} series", f"{server.start_seconds:.2f}")
    return table


def _install_size() -> Table:
    title = "Installed size of the locked libraries of the server, MB"
    table = Table(title, ["library", "MB"])
    sizes: dict[str, float] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if match := re.match(r"^([a-z0-9._-]+)==", line, re.IGNORECASE):
            try:
                files = importlib.metadata.files(match[1]) or []
            except importlib.metadata.PackageNotFoundError:
                continue  # a marker for another platform
            paths = [Path(str(f.locate())) for f in files]
            sizes[match[1]] = sum(p.stat().st_size for p in paths if p.is_file()) / 1e6
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:8]:
        table.add(name, f"{size:.0f}")
    table.add("all of them", f"{sum(sizes.values()):.0f}")
    return table


def run(folder: Path) -> list[Table]:
    """Memory beside the peers; start and size of the product."""
    return [_memory(folder), _start(folder), _install_size()]
