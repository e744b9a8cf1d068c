"""The last days of the service's metrics, as they would have been.

Nobody waits two days for a demo. So a rehearsal plays some decks of the traffic against the real
service and looks at ``/metrics`` in between: that says which series there are, by how much each
rises with a deck, and how much that varies. The history is then those decks over the days, as
busy as each hour is (``season.activity``).
"""

import asyncio
import csv
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from detection_service import traffic
from detection_service.recorded import recorded
from detection_service.season import activity
from detection_service.settings import NAME

STEP = 30.0
"""Seconds between two points of the history."""

DECKS = 3

Key = tuple[tuple[str, str], ...]
"""The labels of a series, with its name as ``__name__``, sorted."""

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What ``/metrics`` showed: values that only rise, and values that stand for themselves."""

    rising: Mapping[Key, float]
    standing: Mapping[Key, float]


def write(
    url: str, password: str, output: Path, *, hours: float, rate: float, instance: str
) -> None:
    """Rehearse against the service at ``url``, and write CSV in ``pynomaly import``'s wide form.

    ``rate`` is the acts a second that the traffic has on the daily average.
    """
    snapshots = asyncio.run(_rehearse(url, password))
    until = time.time()
    times = np.arange(until - hours * 3600, until, STEP)
    series = extrapolated(snapshots, times, rate, float(time.localtime().tm_gmtoff))
    _write_csv(output, times, {_labelled(key, instance): v for key, v in series.items()})


async def _rehearse(url: str, password: str) -> list[Snapshot]:
    snapshots = []
    async for _ in traffic.rehearsal(url, password, DECKS):
        snapshots.append(await asyncio.to_thread(_snapshot, url))
    return snapshots


def _snapshot(url: str) -> Snapshot:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        return parsed(answer.read().decode())


def parsed(exposition: str) -> Snapshot:
    """The samples of an exposition in Prometheus's text form."""
    rising: dict[Key, float] = {}
    standing: dict[Key, float] = {}
    for family in text_string_to_metric_families(exposition):
        if family.name.endswith("_created"):
            continue
        kind = rising if family.type in ("counter", "histogram", "summary") else standing
        for sample in family.samples:
            kind[tuple(sorted({**sample.labels, "__name__": sample.name}.items()))] = sample.value
    return Snapshot(rising, standing)


def extrapolated(
    snapshots: Sequence[Snapshot],
    times: Column,
    rate: float,
    utc_offset: float,
    seed: int | None = None,
) -> dict[Key, Column]:
    """What the series of the last snapshot were at ``times``, in Unix seconds and rising.

    ``snapshots`` are taken before the first deck and after each; at least three.
    """
    rng = np.random.default_rng(seed)
    wander = np.exp(_autocorrelated(rng, len(times), 0.05))
    decks = rate * STEP / traffic.CARDS * activity(times, utc_offset) * wander
    steps = _steps(snapshots, decks, rng)
    series = {key: np.floor(v.cumsum()) if _whole(key) else v.cumsum() for key, v in steps.items()}
    standing = _standing(snapshots, times, steps, rng)
    return series | standing | recorded(steps, STEP, len(times))


def _steps(
    snapshots: Sequence[Snapshot], decks: Column, rng: np.random.Generator
) -> dict[Key, Column]:
    """By how much each rising series rises at each step."""
    counted: dict[Key, list[Key]] = {}
    for key in snapshots[-1].rising:
        counted.setdefault(_counted_by(key, snapshots[-1].rising), []).append(key)
    steps: dict[Key, Column] = {}
    for count, keys in counted.items():
        steps[count] = _happened(_rises(snapshots, count).mean(), count, decks, rng)
        steps |= _by_bucket(snapshots, count, keys, steps[count], rng)
        steps |= {key: _summed(snapshots, count, key, steps[count], rng) for key in _sums(keys)}
    return steps


def _counted_by(key: Key, known: Mapping[Key, float]) -> Key:
    """The series that counts the events that this one is about: of a histogram its ``_count``."""
    labels = dict(key)
    for suffix in ("_bucket", "_sum"):
        if labels["__name__"].endswith(suffix):
            labels["__name__"] = labels["__name__"].removesuffix(suffix) + "_count"
            labels.pop("le", None)
    counted = tuple(sorted(labels.items()))
    return counted if counted in known else key


def _rises(snapshots: Sequence[Snapshot], key: Key) -> Column:
    """By how much a series rose with each deck."""
    return np.diff([s.rising.get(key, 0.0) for s in snapshots])


_ONCE_A_DECK = frozenset({"training_samples_total"})
"""What rises by all that a deck makes of it at once."""


def _happened(mean: float, key: Key, decks: Column, rng: np.random.Generator) -> Column:
    """Events at each step: whole numbers by chance, or an amount that varies a little."""
    if dict(key)["__name__"] in _ONCE_A_DECK:
        return mean * rng.poisson(decks).astype(np.float64)
    if _whole(key):
        return rng.poisson(mean * decks).astype(np.float64)
    return mean * decks * np.exp(rng.normal(0, 0.1, len(decks)))


def _whole(key: Key) -> bool:
    """Whether a series counts, rather than adds up seconds, bytes or money."""
    name = dict(key)["__name__"]
    return not name.endswith(("_sum", "_seconds_total", "_revenue_total", "_cost_total"))


def _by_bucket(
    snapshots: Sequence[Snapshot],
    count: Key,
    keys: Sequence[Key],
    events: Column,
    rng: np.random.Generator,
) -> dict[Key, Column]:
    """The events in each bucket of a histogram: by chance, as likely as in the rehearsal."""
    buckets = sorted((key for key in keys if "le" in dict(key)), key=_bound)
    if not buckets:
        return {}
    inside = np.diff([_rises(snapshots, key) for key in buckets], axis=0, prepend=0.0).T
    inside = np.maximum(inside, 0.0)  # one that was just being observed is not in all of them yet
    seen = inside[inside.sum(axis=1) > 0]
    if not len(seen):
        return {key: np.zeros(len(events)) for key in buckets}
    # At each step a mixture of the decks, so that quick and slow ones are both there.
    mixed = rng.dirichlet(np.ones(len(seen)), len(events)) @ (seen / seen.sum(axis=1)[:, None])
    mixed = np.minimum(mixed, 1.0)  # by rounding it may be a trifle more
    drawn = rng.multinomial(events.astype(np.int64), mixed).cumsum(axis=1)
    return {key: drawn[:, i].astype(np.float64) for i, key in enumerate(buckets)}


def _bound(key: Key) -> float:
    return float(dict(key)["le"].replace("+Inf", "inf"))


def _sums(keys: Sequence[Key]) -> list[Key]:
    return [key for key in keys if len(keys) > 1 and dict(key)["__name__"].endswith("_sum")]


def _summed(
    snapshots: Sequence[Snapshot],
    count: Key,
    key: Key,
    events: Column,
    rng: np.random.Generator,
) -> Column:
    """What the events add up to: their mean, as varied as from deck to deck."""
    counts, sums = _rises(snapshots, count), _rises(snapshots, key)
    if not counts.any():
        return np.zeros(len(events))
    means = sums[counts > 0] / counts[counts > 0]
    mean = sums.sum() / counts.sum()
    spread = float(np.clip(np.std(means) / mean, 0.03, 0.5)) if len(means) > 1 and mean else 0.1
    added: Column = events * mean * np.exp(rng.normal(0, spread, len(events)))
    return added


_PER_EVENT = {
    "http_requests_in_flight": "http_request_duration_seconds",
    "detection_jobs_in_progress": "detection_job_duration_seconds",
    "training_jobs_in_progress": "training_job_duration_seconds",
    "background_jobs_in_progress": "background_job_duration_seconds",
    "queue_length": "queue_wait_duration_seconds",
    "db_pool_connections": "db_query_duration_seconds",
}
"""Gauges of how many there are at a moment, and the histogram of how long each one stays."""


def _standing(
    snapshots: Sequence[Snapshot],
    times: Column,
    steps: Mapping[Key, Column],
    rng: np.random.Generator,
) -> dict[Key, Column]:
    """What each standing series was: as the last decks showed it, about as varied."""
    series: dict[Key, Column] = {}
    for key, value in snapshots[-1].standing.items():
        labels = dict(key)
        name = labels["__name__"]
        stays = _PER_EVENT.get(name)
        if stays is not None and labels.get("state") != "idle":
            series[key] = _at_once(stays, labels, steps, rng, len(times))
            continue
        seen = [s.standing[key] for s in snapshots[1:] if key in s.standing]
        if name.endswith("timestamp_seconds") or name == "process_start_time_seconds":
            # Of what happened but once, when the service was started; of the rest, just now.
            series[key] = times if len(set(seen)) > 1 else np.full(len(times), times[0])
        else:
            series[key] = _around(name, seen or [value], rng, len(times))
    return series


def _at_once(
    stays: str,
    labels: Mapping[str, str],
    steps: Mapping[Key, Column],
    rng: np.random.Generator,
    size: int,
) -> Column:
    """How many there were at a moment: by Little's law the arrivals times the time of each."""
    seconds = np.zeros(size)
    for key, added in steps.items():
        of = dict(key)
        shared = all(labels[name] == of[name] for name in labels if name in of and name[0] != "_")
        if of["__name__"] == f"{stays}_sum" and shared:
            seconds += added
    return rng.poisson(seconds / STEP).astype(np.float64)


_VARIES = {"_seconds": 0.5, "_bytes": 0.03, "_fds": 0.1}
"""How much a gauge in this unit varies at least, relative to itself, if it varies at all."""


def _around(name: str, seen: Sequence[float], rng: np.random.Generator, size: int) -> Column:
    mean, spread = float(np.mean(seen)), float(np.std(seen))
    if not spread:
        return np.full(size, mean)
    least = next((share for unit, share in _VARIES.items() if name.endswith(unit)), 0.0)
    varied = mean + max(spread, least * abs(mean)) * _autocorrelated(rng, size, 1.0)
    most = 1.0 if max(seen) <= 1.0 else np.inf
    return np.clip(varied, 0.0 if min(seen) >= 0 else -np.inf, most)


def _autocorrelated(rng: np.random.Generator, size: int, deviation: float) -> Column:
    """Noise of this standard deviation in which neighbours are alike (AR(1), 0.8)."""
    noise = rng.normal(0, deviation * 0.6, size)
    values = np.empty(size)
    held = rng.normal(0, deviation)
    for i, each in enumerate(noise.tolist()):
        values[i] = held = 0.8 * held + each
    return values


def _labelled(key: Key, instance: str) -> str:
    """The series as PromQL writes it, with the labels that a scrape adds."""
    own = dict(key)
    name = own.pop("__name__")
    added = {"job": NAME, "instance": instance}
    if ":" in name:  # what a rule has summed up has no instance
        del added["instance"]
    labels = {(f"exported_{n}" if n in added else n): v for n, v in own.items()} | added
    inside = ",".join(f'{n}="{_escaped(v)}"' for n, v in sorted(labels.items()) if v)
    return f"{name}{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _write_csv(output: Path, times: Column, series: Mapping[str, Column]) -> None:
    matrix = np.round(np.column_stack(list(series.values())), 6)
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", *series])
        for at, row in zip(times.tolist(), matrix.tolist(), strict=True):
            file.write(f"{at:.3f},{','.join(map(_number, row))}\n")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
