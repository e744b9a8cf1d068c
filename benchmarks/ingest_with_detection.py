"""Remote write of 10,000 series with and without anomaly detection, by the whole product.

Each round begins with a store that has 75 minutes of the series, so that every one of them is
judged; then two samples a second and series are sent as fast as they are taken, by four senders
with 2,000 samples a body. The judge runs as often as by default, which is at least once a round.
The series stay as they are: what thousands of anomalies at once cost is another question. With and
without, in turn. STEPS (1,100) and ROUNDS (3) can be given.
"""

import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.remote_write import measure
from benchmarks.servers import Server, pynomaly
from benchmarks.tables import Table
from benchmarks.workload import Family, bodies, encode_labels, http_series, push_all

SERIES = 10_000
SENDERS = 4
_HISTORY_STEPS = 150
_HISTORY_STEP_MS = 30_000
_STEP_MS = 500  # with more between, the last would lie too far ahead of the server's clock
_BODY = 2_000
_PATIENCE = 300.0


def run(folder: Path) -> list[Table]:
    """Samples a second, and the share that detection takes."""
    steps, rounds = int(os.environ.get("STEPS", "1100")), int(os.environ.get("ROUNDS", "3"))
    table = Table(
        f"Remote write, {SERIES:,} series, 1 a series, {_BODY:,} a body (median of {rounds})",
        ["detection", "samples/s", "samples/CPU s", "RSS MB", "runs", "s a run"],
    )
    labels = [encode_labels(each) for each in http_series(SERIES, "http_requests_in_flight")]
    noise = np.random.default_rng(1).normal(50, 10, size=(SERIES, max(steps, _HISTORY_STEPS)))
    shards = [
        Family([labels[i] for i in part], np.round(noise[part], 1))
        for part in np.array_split(np.arange(SERIES), SENDERS)
    ]
    figures: dict[str, list[list[float]]] = {"off": [], "on": []}
    for turn in range(rounds):
        for wanted, rows in figures.items():
            place = folder / f"{wanted}-{turn}"
            with _filled(place, shards) as began, _started(place, wanted == "on") as server:
                rows.append(_figures(server, shards, steps, began, wanted == "on"))
    medians = {wanted: np.median(np.array(rows), axis=0) for wanted, rows in figures.items()}
    for wanted, (rate, per_cpu, rss, runs, seconds) in medians.items():
        told = (f"{runs:.0f}", f"{seconds:.2f}") if runs else ("", "")
        table.add(wanted, f"{rate:,.0f}", f"{per_cpu:,.0f}", f"{rss:.0f}", *told)
    slower, dearer = (1 - medians["on"][:2] / medians["off"][:2]) * 100
    table.add("slower by", f"{slower:.0f} %", f"{dearer:.0f} %", "", "", "")
    return [table]


@contextmanager
def _filled(place: Path, shards: list[Family]) -> Generator[int, None, None]:
    """History in the store, written by a product that judges nothing; ms of what follows it."""
    end = round(time.time() * 1000) // 1000 * 1000
    times = end - _HISTORY_STEP_MS * np.arange(_HISTORY_STEPS - 1, -1, -1)
    with _started(place, detection=False) as server:
        push_all(server, [bodies([each], times, 20) for each in shards])
    yield end


@contextmanager
def _started(place: Path, detection: bool) -> Generator[Server, None, None]:
    place.mkdir(parents=True, exist_ok=True)
    settings = place / "settings.yml"
    enabled = "true" if detection else "false"
    settings.write_text(f"components: {{anomaly_detection: {{enabled: {enabled}}}}}\n")
    with pynomaly(place / "data", "--config", str(settings)) as server:
        yield server


def _figures(
    server: Server, shards: list[Family], steps: int, began: int, detection: bool
) -> list[float]:
    """Samples a second and a CPU second, MB, runs of the judge, and the mean seconds of a run."""
    if detection:
        _wait_until_judged(server, shards, began)
    first = round(time.time() * 1000) + 1000
    times = first + _STEP_MS * np.arange(steps)
    sent = [list(bodies([each], times, 1, _BODY)) for each in shards]
    runs, seconds = _judge_runs(server) if detection else (0.0, 0.0)
    rate, per_cpu = measure(server, sent, SERIES * steps)
    rss = server.resident_mb()
    if detection:
        after_runs, after_seconds = _judge_runs(server)
        runs, seconds = after_runs - runs, after_seconds - seconds
    return [rate, per_cpu, rss, runs, seconds / runs if runs else 0.0]


def _wait_until_judged(server: Server, shards: list[Family], began: int) -> None:
    """Send a sample of each series now and then, as targets do, until nearly all are judged."""
    until = time.monotonic() + _PATIENCE
    while _metric(server, "pynomaly_detection_judged_series") < 0.9 * SERIES:
        if time.monotonic() > until:
            raise RuntimeError("the series are not judged; is the history stored?")
        now = np.array([max(began + 1000, round(time.time() * 1000))])
        push_all(server, [bodies([each], now, 1) for each in shards])
        time.sleep(5)


def _judge_runs(server: Server) -> tuple[float, float]:
    name = "pynomaly_detection_run_seconds"
    return _metric(server, f"{name}_count"), _metric(server, f"{name}_sum")


def _metric(server: Server, name: str) -> float:
    """A metric of the product about itself, as it stored it last; 0 when there is none.

    The most of all, since the process that filled the store left its own behind, at another port.
    """
    found = json.loads(server.read("/api/v1/query", query=f"max({name})"))["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0
