"""Finding series by matchers among a million, in the index that the product keeps in memory.

Once with many series of few values (200 metrics, 125 pods), once with a single metric whose
``pod`` label differs for every series, which is the most that a label can have. Ours only: the
aim is 50 ms. Measured in CPU time, which is the time it takes on a machine with nothing else to do.
SERIES chooses another size.
"""

import gc
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.tables import Table
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.storage.engine.arrow import column
from pynomaly.storage.samples.index import SeriesIndex

AIM_MS = 50
NAME = Matcher("__name__", MatchOp.EQUAL, "metric_0_total")
JOB, POD, STATUS = "job", "pod", "status"

CASES: list[tuple[str, list[Matcher]]] = [
    ("metric_0_total", [NAME]),
    ("… pod=", [NAME, Matcher(POD, MatchOp.EQUAL, "service-3-7d9c00003")]),
    ("… status!=", [NAME, Matcher(STATUS, MatchOp.NOT_EQUAL, "200")]),
    ('… status=~"5.."', [NAME, Matcher(STATUS, MatchOp.REGEX, "5..")]),
    ('… pod=~"service-3-.*"', [NAME, Matcher(POD, MatchOp.REGEX, "service-3-.*")]),
    ('… pod=~"service-[34]-7d9c0.*"', [NAME, Matcher(POD, MatchOp.REGEX, "service-[34]-7d9c0.*")]),
    ('… pod!~"service-[34]-.*"', [NAME, Matcher(POD, MatchOp.NOT_REGEX, "service-[34]-.*")]),
    (
        '… pod=~"a|b|c"',
        [
            NAME,
            Matcher(POD, MatchOp.REGEX, "service-3-7d9c00003|service-4-7d9c00004|service-x"),
        ],
    ),
    (
        '… pod=~, method=, status!~"4..|5.."',
        [
            NAME,
            Matcher(POD, MatchOp.REGEX, "service-[12]-7.*"),
            Matcher("method", MatchOp.EQUAL, "GET"),
            Matcher(STATUS, MatchOp.NOT_REGEX, "4..|5.."),
        ],
    ),
    ("{job=}", [Matcher(JOB, MatchOp.EQUAL, "service-3")]),
    ("{pod=}", [Matcher(POD, MatchOp.EQUAL, "service-3-7d9c00003")]),
    ('{pod=~".*00"}', [Matcher(POD, MatchOp.REGEX, ".*00")]),
    ('{pod=~".*-7d9c0000[0-9]"}', [Matcher(POD, MatchOp.REGEX, ".*-7d9c0000[0-9]")]),
    ('{pod=~".+"}', [Matcher(POD, MatchOp.REGEX, ".+")]),
    ('{__name__=~"metric_[0-4].*"}', [Matcher("__name__", MatchOp.REGEX, "metric_[0-4].*")]),
    (
        '{__name__=~".+", job!=}',
        [
            Matcher("__name__", MatchOp.REGEX, ".+"),
            Matcher(JOB, MatchOp.NOT_EQUAL, "service-3"),
        ],
    ),
]


@dataclass(frozen=True)
class Found:
    """Of one index: seconds to fill it, its megabytes, and of each case the number of series and
    milliseconds, the first time and again. All of it CPU time."""

    load_seconds: float
    megabytes: float
    cases: list[tuple[int, float, float]]


def run(_: Path) -> list[Table]:
    """One table; each index in a process of its own, so that its memory is seen."""
    size = int(os.environ.get("SERIES", "1000000"))
    shapes = [(200, 40), (1, 1)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        found = [pool.submit(measure, size, *shape).result() for shape in shapes]
    names = ["200 metrics", "1 metric, as many pods"]
    table = Table(
        f"selecting among {size:,} series: CPU ms, first and again (aim {AIM_MS})",
        ["matchers", *(text for name in names for text in (f"{name}: series", "first", "again"))],
    )
    for row, (name, _matchers) in enumerate(CASES):
        cells = [
            text
            for each in found
            for text in (f"{each.cases[row][0]:,}", *(f"{ms:.1f}" for ms in each.cases[row][1:]))
        ]
        table.add(name, *cells)
    slowest = [max(ms for case in each.cases for ms in case[1:]) for each in found]
    table.add("slowest", *(text for ms in slowest for text in ("", f"{ms:.1f}", "")))
    table.add("load, CPU s", *(t for each in found for t in ("", f"{each.load_seconds:.1f}", "")))
    table.add("memory, MB", *(t for each in found for t in ("", f"{each.megabytes:.0f}", "")))
    return [table]


def measure(size: int, metrics: int, a_pod: int) -> Found:
    """Fill an index of ``size`` series of ``metrics`` metrics, ``a_pod`` series in each pod."""
    process = psutil.Process()
    before = process.memory_info().rss
    ids, names, labels = _series(size, metrics, a_pod)
    began = time.thread_time()
    index = SeriesIndex()
    index.load(ids, names, labels)
    load_seconds = time.thread_time() - began
    del ids, names, labels
    gc.collect()
    pa.default_memory_pool().release_unused()
    megabytes = (process.memory_info().rss - before) / 1e6
    return Found(load_seconds, megabytes, [_time(index, matchers) for _, matchers in CASES])


def _time(index: SeriesIndex, matchers: Sequence[Matcher]) -> tuple[int, float, float]:
    took = []
    for _ in range(6):
        began = time.thread_time()
        count = len(index.select(matchers))
        took.append((time.thread_time() - began) * 1000)
    return count, took[0], float(np.median(took[1:]))


def _series(size: int, metrics: int, a_pod: int) -> tuple[np.ndarray, pa.Array, pa.MapArray]:
    """Ids, names and labels, as the engine gives them."""
    rows = np.arange(size)
    metric, within = rows // (size // metrics), rows % (size // metrics)
    pod = within // a_pod
    pods = range(int(pod.max()) + 1)
    values = {
        "endpoint": (["/api/v1/resource/0", "/api/v1/resource/1"], within // 20 % 2),
        "instance": ([f"10.{p // 40_000}.{p // 200 % 200}.{p % 200}:8000" for p in pods], pod),
        JOB: ([f"service-{j}" for j in range(10)], pod % 10),
        "method": (["GET", "POST", "PUT", "DELETE"], within % 4),
        "namespace": (["production"], rows * 0),
        POD: ([f"service-{p % 10}-7d9c{p:05x}" for p in pods], pod),
        STATUS: (["200", "201", "400", "404", "500"], within // 4 % 5),
    }
    count = len(values)
    columns = [column(texts).take(column(places)) for texts, places in values.values()]
    # Row by row instead of label by label.
    order = (np.arange(count)[None, :] * size + rows[:, None]).reshape(-1)
    items = pa.concat_arrays(columns).take(column(order))
    keys = column(list(values)).take(column(np.tile(np.arange(count), size)))
    offsets = column(np.arange(size + 1, dtype=np.int32) * np.int32(count))
    names = column([f"metric_{m}_total" for m in range(int(metric.max()) + 1)]).take(column(metric))
    ids = np.random.default_rng(1).permutation(np.arange(size, dtype=np.uint64) * 17)
    return ids, names, pa.MapArray.from_arrays(offsets, keys, items)
