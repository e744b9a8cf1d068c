"""Detection: NAB, TSB-AD, false alarms and recall on generated series, speed beside peers.

Labelled sets are read from checkouts under the folder that the variable DATA names
(numenta/NAB, TheDatumOrg/TSB-AD); without it those tables say so.
"""

import importlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import labelled
from benchmarks.generated import (
    DAY,
    KINDS,
    PLANTED,
    WATCHED,
    WEEK,
    Generated,
    with_anomaly,
    with_gaps,
    without_anomalies,
)
from benchmarks.tables import Table
from pynomaly.detection.files import score_series
from pynomaly.detection.replay import PastSeries
from pynomaly.detection.streaming.scorer import StreamScorer

_FIXED = 0.05
"""A threshold below every confidence: what the product's defaults say, taken as it is."""
_WEEKS = 8
_SEEDS = 3
_LATE = 12
"""Rows after the end of what was planted in which it still counts as found."""


def run(folder: Path) -> Iterator[Table]:
    yield _speed()
    data = os.environ.get("DATA")
    if data:
        yield from _labelled(Path(data))
    else:
        yield _absent("DATA is not set: NAB and TSB-AD are not measured")
    yield _recall()
    yield _false_alarms()


def _absent(why: str) -> Table:
    return Table(why, [""])


def _labelled(data: Path) -> list[Table]:
    nab = labelled.find(data, "nab/sweeper.py")
    if nab is None:
        return [_absent(f"No checkout of numenta/NAB under {data}")]
    files = labelled.nab_files(nab)
    began = time.perf_counter()
    found = score_series([PastSeries(file.seconds, file.values) for file in files])
    took = time.perf_counter() - began
    tables = [_nab(nab, files, found, took)]
    tsb = labelled.find(data, "TSB_AD/evaluation")
    if tsb is None:
        return [*tables, _absent(f"No checkout of TheDatumOrg/TSB-AD under {data}")]
    return [*tables, _vus(tsb, files, found)]


def _nab(
    checkout: Path,
    files: Sequence[labelled.NabFile],
    found: Sequence[NDArray[np.float64]],
    took: float,
) -> Table:
    scorer = labelled.NabScorer(checkout, files)
    events = [np.nan_to_num(each[:, 4]) for each in found]
    best, threshold = scorer.best(events)
    rows = sum(len(file.values) for file in files)
    table = Table(
        f"NAB, standard profile, {len(files)} files, {rows:,} rows in {took:.1f} s",
        ["", "score"],
    )
    table.add(f"best threshold ({threshold:.3f})", f"{best:.1f}")
    table.add("threshold chosen without the file", f"{scorer.leave_one_out(events):.1f}")
    table.add("defaults as they are", f"{scorer.at(events, _FIXED):.1f}")
    table.add("published: ARTime (sees a file's range beforehand)", "74.9")
    table.add("published: HTM (sees a file's range beforehand)", "70.1")
    table.add("published: KNN CAD", "58.0")
    return table


def _vus(
    checkout: Path, files: Sequence[labelled.NabFile], found: Sequence[NDArray[np.float64]]
) -> Table:
    series = labelled.of_tsb_ad(checkout, files)
    try:
        metrics = labelled.vus_pr(checkout)
        windows = [labelled.window_length(checkout, file.values) for _, file in series]
    except ImportError as error:
        return _absent(f"TSB-AD's scorer needs what is not installed: {error}")
    columns = {name: labelled.published(checkout, name) for name in ("POLY", "Sub-PCA")}
    rows = []
    for (name, file), window in zip(series, windows, strict=True):
        if not all(name in column for column in columns.values()):
            continue
        score = np.nan_to_num(found[list(files).index(file)][:, 0])
        curve = metrics.generate_curve(file.labels, score, window, "opt", 250)
        rows.append([float(curve[-1]), *(column[name] for column in columns.values())])
    table = Table(
        f"VUS-PR of the dense score, {len(rows)} series of TSB-AD-U that are files of NAB",
        ["", "mean"],
    )
    names = ("ours, causal", *(f"{name}, fitted on the whole series" for name in columns))
    for name, value in zip(names, np.mean(rows, axis=0), strict=True):
        table.add(name, f"{value:.3f}")
    return table


def _false_alarms() -> Table:
    table = Table(
        f"Without anomalies: a week of a series, {_WEEKS} weeks, {_SEEDS} seeds; budget 0.1",
        ["kind", "events", "in the first week", "with gaps", "score passes 0.5", "0.6", "0.7"],
    )
    series = [without_anomalies(k, seed, _WEEKS) for k in KINDS for seed in range(_SEEDS)]
    found = _scored(series)
    holed = _scored([with_gaps(each, seed) for seed, each in enumerate(series)])
    all_rows = []
    for number, kind in enumerate(KINDS):
        its = slice(number * _SEEDS, (number + 1) * _SEEDS)
        events, first, *passed = np.mean([_alarms(each) for each in found[its]], axis=0)
        row = [events, first, np.mean([_alarms(each)[0] for each in holed[its]]), *passed]
        all_rows.append(row)
        table.add(kind, *(f"{cell:.2f}" for cell in row))
    table.add("mean", *(f"{cell:.2f}" for cell in np.mean(all_rows, axis=0)))
    return table


def _alarms(found: NDArray[np.float64]) -> list[float]:
    events = np.flatnonzero(found[:, 4] > 0)
    score = np.nan_to_num(found[:, 0])
    passed = [np.count_nonzero((score[1:] >= s) & (score[:-1] < s)) for s in (0.5, 0.6, 0.7)]
    first = np.count_nonzero(events < WEEK)
    return [float(n) / _WEEKS for n in (len(events), first, *passed)]


def _recall() -> Table:
    table = Table(
        f"Planted anomalies in {len(WATCHED)} kinds of series, {_SEEDS} seeds, 5-minute points",
        ["change", "found", "median delay, points"],
    )
    for change in PLANTED:
        series = [with_anomaly(k, change, seed, 5) for k in WATCHED for seed in range(_SEEDS)]
        delays = [_delay(each, found) for each, found in zip(series, _scored(series), strict=True)]
        hits = [delay for delay in delays if delay is not None]
        median = f"{np.median(hits):.0f}" if hits else "-"
        table.add(change, f"{len(hits)} of {len(delays)}", median)
    return table


def _delay(series: Generated, found: NDArray[np.float64]) -> int | None:
    assert series.planted is not None
    first, last = series.planted
    events = np.flatnonzero(found[:, 4] > 0)
    events = events[(events >= first) & (events <= last + _LATE)]
    return int(events[0]) - first if len(events) else None


def _scored(series: Sequence[Generated]) -> list[NDArray[np.float64]]:
    return score_series([PastSeries(each.seconds, each.values) for each in series])


def _speed() -> Table:
    table = Table(
        "One core: points a CPU second, and state",
        ["detector", "series at once", "points/s", "bytes a series"],
    )
    stream = without_anomalies("daily", 1, 4).values
    for width in (1, 100, 10_000):
        points, seconds, size = _streamed(stream, width)
        table.add("ours", f"{width:,}", f"{points / seconds:,.0f}", f"{size:,}")
    for name, peer in (("river HalfSpaceTrees", _river), ("PyOD IForest", _pyod)):
        try:
            rate = peer(stream)
        except ImportError:
            table.add(name, "1", "not installed", "")
            continue
        table.add(name, "1", f"{rate:,.0f}", "")
    return table


def _streamed(stream: NDArray[np.float64], width: int) -> tuple[int, float, int]:
    scorer = StreamScorer(width)
    rows = np.arange(width)
    factors = 1 + np.arange(width) / width
    ticks = max(40, min(len(stream), 400_000 // width))
    at = np.full(width, 1_700_006_400)
    for i in range(3):
        scorer.update(rows, at + 300 * i, stream[i] * factors)
    began = time.process_time()
    for i in range(3, ticks):
        scorer.update(rows, at + 300 * i, stream[i % len(stream)] * factors)
    return (ticks - 3) * width, time.process_time() - began, scorer.bytes_per_series


def _river(stream: NDArray[np.float64]) -> float:
    anomaly = importlib.import_module("river.anomaly")
    model = anomaly.HalfSpaceTrees(seed=1)
    scaled = (stream - stream.min()) / np.ptp(stream)

    def feed() -> None:
        for value in scaled[:DAY].tolist():
            model.score_one({"value": value})
            model.learn_one({"value": value})

    return DAY / _cpu_seconds(feed)


def _pyod(stream: NDArray[np.float64]) -> float:
    iforest = importlib.import_module("pyod.models.iforest")
    model = iforest.IForest(random_state=1)
    column = stream.reshape(-1, 1)

    def feed() -> None:
        model.fit(column)
        model.decision_function(column)

    return len(stream) / _cpu_seconds(feed)


def _cpu_seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
