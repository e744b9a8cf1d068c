"""Training of watched series: 30 days at one point a minute, as the server trains them.

SCALE=0.1 trains 100 series instead of 1,000. Beside it scikit-learn's isolation forest alone, as
one calls it by hand: grown on the raw values, which it then scores.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.tables import Table
from pynomaly.detection.algorithms.base import Choices
from pynomaly.detection.contract import FloatMatrix, Times
from pynomaly.detection.watched.training import Part, train_part
from pynomaly.detection.watched.worker import begin

SERIES = 1000
STEPS = 30 * 1440
START = 1_700_006_400
_PART = 16
_WORKERS = 2


def run(folder: Path) -> list[Table]:
    series = max(1, round(SERIES * float(os.environ.get("SCALE", "1"))))
    table = Table(
        f"Training, {series:,} series with 30 days at 1 min, {_WORKERS} processes",
        ["", "wall s", "CPU s", "CPU s a series", "peak MB a process", "kB on disk a series"],
    )
    for algorithm in ("isolation_forest", "ensemble"):
        target = folder / algorithm
        target.mkdir()
        figures = _timed(_train, algorithm, series, target)
        size = sum(file.stat().st_size for file in target.iterdir()) / 1000 / series
        table.add(algorithm, *figures, f"{size:.0f}")
    table.add("scikit-learn alone", *_timed(_by_hand, "", series, folder), "")
    return [table]


def _timed(
    work: Callable[[str, int, int, Path], float], algorithm: str, series: int, target: Path
) -> tuple[str, str, str, int]:
    """Wall and CPU seconds, the latter for each series too, and a worker's peak in MB.

    The making of the series and the start of the processes are no part of the CPU seconds.
    """
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_WORKERS, mp_context=context, initializer=begin) as pool:
        tasks = [
            pool.submit(_worked, work, algorithm, first, min(_PART, series - first), target)
            for first in range(0, series, _PART)
        ]
        found = [task.result() for task in tasks]
    wall, cpu = time.perf_counter() - began, sum(seconds for seconds, _ in found)
    peak = max(peak for _, peak in found)
    return f"{wall:.0f}", f"{cpu:.0f}", f"{cpu / series:.2f}", peak


def _worked(
    work: Callable[[str, int, int, Path], float],
    algorithm: str,
    first: int,
    count: int,
    target: Path,
) -> tuple[float, int]:
    """CPU seconds of some series, and the peak of this process so far, in MB."""
    seconds = work(algorithm, first, count, target)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _train(algorithm: str, first: int, count: int, target: Path) -> float:
    matrix, times = _history(first, count)
    began = time.process_time()
    train_part(Part(algorithm, Choices(), matrix, times, target / f"part-{first:06}.npz"))
    return time.process_time() - began


def _by_hand(_: str, first: int, count: int, target: Path) -> float:
    from sklearn.ensemble import IsolationForest

    matrix, _times = _history(first, count)
    began = time.process_time()
    for row in matrix:
        values = row[:, np.newaxis]
        IsolationForest(random_state=0).fit(values).score_samples(values)
    return time.process_time() - began


def _history(first: int, count: int) -> tuple[FloatMatrix, Times]:
    """Daily and weekly load with noise that has a memory, counts, and bursts, in turn."""
    times = START + 60 * np.arange(STEPS, dtype=np.int64)
    daily = np.sin(2 * np.pi * times / 86_400) * np.where(times // 86_400 % 7 >= 5, 0.3, 1.0)
    rows = []
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        noise = np.convolve(random.normal(0, 1, STEPS + 29), 0.9 ** np.arange(30), "valid")
        kinds = (50 + 10 * daily + noise, random.poisson(np.exp(1 + daily)), np.exp(0.3 * noise))
        rows.append(kinds[number % 3].astype(np.float64))
    return np.array(rows), times
