"""Peer groups: false events on groups without anomalies, planted ones found with and without."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.generated import HOURS, START, STEP, WATCHED, WEEK, without_anomalies
from benchmarks.tables import Table
from pynomaly.detection.events import Anomaly, anomaly_id
from pynomaly.detection.joint import gather
from pynomaly.detection.peers.heed import heeded
from pynomaly.detection.peers.judge import PeerJudge
from pynomaly.detection.streaming.episodes import EpisodeMachine
from pynomaly.detection.streaming.rarity import NEVER
from pynomaly.detection.streaming.scorer import StreamScorer
from pynomaly.detection.together import Together
from pynomaly.model.labels import Labels

Floats = NDArray[np.float64]
_WEEKS = 5
_SEEDS = 3
_LATE = 12


@dataclass(frozen=True)
class Group:
    """``values`` ``[ticks, members]``, NaN where a member is not there; what was planted."""

    kind: str
    seed: int
    values: Floats
    planted: tuple[int, int, int] | None = None
    """Member, first and last tick."""

    def labels(self) -> list[Labels]:
        return [
            Labels(
                {"__name__": self.kind.replace(" ", "_"), "pod": f"pod-{i}", "n": str(self.seed)}
            )
            for i in range(self.values.shape[1])
        ]


def _ar(rng: np.random.Generator, ticks: int, width: int, keep: float) -> Floats:
    out = np.zeros((ticks, width))
    noise = rng.normal(size=(ticks, width)) * np.sqrt(1 - keep * keep)
    for i in range(1, ticks):
        out[i] = keep * out[i - 1] + noise[i]
    return out


def _load(rng: np.random.Generator, ticks: int) -> Floats:
    at = (START + np.arange(ticks) * STEP) / 86_400
    day = np.sin(2 * np.pi * (at % 1 - 0.3)) + 0.3 * np.sin(4 * np.pi * (at % 1))
    week = np.where((at.astype(int) + 3) % 7 >= 5, 0.6, 1.0)
    slow = _ar(rng, ticks, 1, 0.95)[:, 0]
    return np.maximum(100 * (1.6 + day * week) * week * np.exp(0.1 * slow), 1.0)


def _balanced(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    weights = rng.uniform(0.7, 1.3, width)
    return rng.poisson(_load(rng, ticks)[:, np.newaxis] * weights * 3) / 3.0


def _sticky(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    weights = np.exp(0.2 * _ar(rng, ticks, width, 0.98) + rng.normal(size=width) * 0.3)
    return _load(rng, ticks)[:, np.newaxis] * weights * rng.gamma(40, 1 / 40, (ticks, width))


def _latency(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    base = 0.05 + _load(rng, ticks)[:, np.newaxis] / 2000
    heavy = np.abs(rng.standard_t(3, size=(ticks, width)))
    return base * rng.uniform(0.8, 1.2, width) * (1 + 0.15 * heavy)


def _memory(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    period = rng.integers(30, 90, width)
    phase = rng.integers(0, 90, width)
    saw = (np.arange(ticks)[:, np.newaxis] + phase) % period / period
    load = _load(rng, ticks)[:, np.newaxis]
    return 4e8 + 1e6 * load + 5e7 * saw + 4e6 * rng.normal(size=(ticks, width))


def _cpu(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    load = _load(rng, ticks)[:, np.newaxis] * rng.uniform(0.8, 1.2, width)
    bursts = rng.random((ticks, width)) < 0.003
    return 0.05 + load / 500 + 0.03 * rng.normal(size=(ticks, width)) + 0.3 * bursts


def _errors(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    return rng.poisson(_load(rng, ticks)[:, np.newaxis] / 400, (ticks, width)).astype(float)


def _unlike(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    """Members that have nothing in common but their labels."""
    return 50 + 10 * rng.normal(size=width) + 5 * _ar(rng, ticks, width, 0.9)


def _nightly(rng: np.random.Generator, ticks: int, width: int) -> Floats:
    """Each makes its backup in an hour of its own."""
    hour = (np.arange(ticks)[:, np.newaxis] * STEP // 3600 + rng.integers(0, 6, width)) % 24
    return (
        20
        + _load(rng, ticks)[:, np.newaxis] / 10
        + rng.normal(size=(ticks, width))
        + 40 * (hour == 3)
    )


KINDS: dict[str, Callable[[np.random.Generator, int, int], Floats]] = {
    "balanced": _balanced,
    "sticky": _sticky,
    "latency": _latency,
    "memory": _memory,
    "cpu": _cpu,
    "errors": _errors,
    "unlike": _unlike,
    "nightly": _nightly,
}


def clean(kind: str, seed: int, *, churn: bool = True, width: int = 12) -> Group:
    """A group in order; with ``churn`` one restarts, one leaves, one joins late."""
    rng = np.random.default_rng(seed * 100 + list(KINDS).index(kind))
    ticks = _WEEKS * WEEK
    values = KINDS[kind](rng, ticks, width)
    if churn:
        values[int(rng.uniform(0.3, 0.9) * ticks) :, width - 1] = np.nan
        values[: int(rng.uniform(0.2, 0.7) * ticks), width - 2] = np.nan
        at = int(rng.uniform(0.3, 0.9) * ticks)
        values[at : at + 2, width - 3] = np.nan
    return Group(kind, seed, values)


def _plant(values: Floats, at: int, long: int, change: str) -> None:
    part = values[at : at + long]
    usual = float(np.nanmedian(values[:at]))
    if change == "leaks":
        part += np.linspace(0, usual * 0.5, len(part))
    elif change == "slow":
        part *= 1.6
    elif change == "no traffic":
        part *= 0.02
    elif change == "half the traffic":
        part *= 0.5
    elif change == "flat":
        part[:] = part[0]


PLANTED = {
    "leaks": ("memory",),
    "slow": ("latency", "cpu"),
    "no traffic": ("balanced", "sticky", "cpu"),
    "half the traffic": ("balanced", "cpu"),
    "flat": ("balanced", "cpu", "sticky"),
}


def planted(kind: str, change: str, seed: int) -> Group:
    group = clean(kind, seed, churn=False)
    rng = np.random.default_rng(seed)
    at = int(rng.uniform(0.6, 0.9) * len(group.values))
    member, long = int(rng.integers(group.values.shape[1])), 12 * HOURS
    values = group.values.copy()
    column = values[:, member].copy()
    _plant(column, at, long, change)
    values[:, member] = column
    return Group(kind, seed, values, (member, at, at + long))


Opened = list[tuple[int, int]]


def opened(groups: list[Group]) -> tuple[Opened, Opened]:
    """Tick and column of every event, without and with peers, of the groups side by side."""
    values = np.concatenate([group.values for group in groups], axis=1)
    labels = [each for group in groups for each in group.labels()]
    width = values.shape[1]
    scorer, judge = StreamScorer(width), PeerJudge()
    judge.resize(np.arange(0), width)
    machines = EpisodeMachine(width), EpisodeMachine(width)
    found: tuple[Opened, Opened] = ([], [])
    for tick in range(len(values)):
        rows = np.flatnonzero(~np.isnan(values[tick]))
        now = values[tick, rows]
        scored = scorer.update(rows, np.full(len(rows), START + tick * STEP), now)
        interval = scorer.interval(rows)
        both = heeded(scored, judge.update(rows, labels, now, interval), now)
        for machine, verdict, kept in zip(machines, (scored, both), found, strict=True):
            changes = machine.step(rows, verdict.rarity, interval)
            kept += [(tick, int(rows[i])) for i in np.flatnonzero(changes.opened).tolist()]
    return found


def told(events: Opened, labels: list[Labels]) -> int:
    """How many events remain when what begins together is one."""
    groups: dict[str, str] = {}
    earlier: list[Anomaly] = []
    ticks = sorted({tick for tick, _ in events})
    for tick in ticks:
        at = float(START + tick * STEP)
        new = [anomaly(labels[column], at) for when, column in events if when == tick]
        recent = [each for each in earlier if each.started_at >= at - 3600]
        groups |= gather(new, recent)
        earlier = recent + [anomaly(each.labels, at, groups[each.id]) for each in new]
    return len(set(groups.values()))


def anomaly(labels: Labels, at: float, group_id: str = "") -> Anomaly:
    numbers = dict.fromkeys(("score", "confidence", "value", "expected", "lower", "upper"), 0.5)
    return Anomaly(
        id=anomaly_id(labels, at),
        labels=labels,
        started_at=at,
        peaked_at=at,
        ended_at=0.0,
        direction="above",
        cause="level",
        group_id=group_id,
        **numbers,
    )


@dataclass(frozen=True)
class Service:
    """``values`` ``[ticks, series]`` of one service; the ticks of what was planted, if anything."""

    values: Floats
    planted: tuple[int, int] | None = None


def service(kind: str, seed: int) -> Service:
    """24 series in order: each with a course of its own, or two groups that share a load each."""
    if kind == "mixed":
        series = [
            without_anomalies(WATCHED[i % len(WATCHED)], 50 + 24 * seed + i, _WEEKS).values
            for i in range(24)
        ]
        return Service(np.column_stack(series))
    groups = [clean(each, seed, churn=False).values for each in ("balanced", "cpu")]
    return Service(np.concatenate(groups, axis=1))


def uneasy(kind: str, seed: int, share: float, size: float) -> Service:
    """A service of which some series are a little off, all at once, for three hours."""
    there = service(kind, seed)
    rng = np.random.default_rng(seed)
    values = there.values.copy()
    at = int(rng.uniform(0.6, 0.9) * len(values))
    chosen = rng.choice(values.shape[1], round(share * values.shape[1]), replace=False)
    noise = np.std(np.diff(values[:at], axis=0), axis=0) / 1.4
    values[at : at + 3 * HOURS, chosen] += size * noise[chosen]
    return Service(values, (at, at + 3 * HOURS))


def felt(services: list[Service]) -> tuple[list[list[int]], list[list[int]]]:
    """Of each service the ticks of events: of single series, and of all series together."""
    values = np.concatenate([each.values for each in services], axis=1)
    of = np.repeat(np.arange(len(services)), [each.values.shape[1] for each in services])
    labels = [Labels({"__name__": f"m{i}", "service": str(s)}) for i, s in enumerate(of.tolist())]
    width = values.shape[1]
    scorer, machine, together = StreamScorer(width), EpisodeMachine(width), Together(0.1, 100)
    rows = np.arange(width)
    alone: list[list[int]] = [[] for _ in services]
    joint: list[list[int]] = [[] for _ in services]
    for tick, now in enumerate(values):
        scored = scorer.update(rows, np.full(width, START + tick * STEP), now)
        interval = scorer.interval(rows)
        known = np.where(np.isnan(scored.score), np.nan, scored.rarity)
        known[machine.open(rows) & ~np.isnan(known)] = NEVER
        changes = machine.step(rows, scored.rarity, interval)
        for s in np.unique(of[changes.opened]).tolist():
            alone[s].append(tick)
        for each in together.step(rows, labels, known, interval):
            joint[int(each.service)].append(tick)
    return alone, joint


def run(folder: Path) -> Iterator[Table]:
    yield _false_events()
    yield _found()
    yield _joint_false_events()
    yield _joint_found()


def _joint_false_events() -> Table:
    table = Table(
        f"Services of 24 series in order, {_WEEKS} weeks, {_SEEDS} seeds: events a service-week",
        ["service", "of single series", "more by all together"],
    )
    for kind in ("mixed", "loaded"):
        alone, joint = felt([service(kind, seed) for seed in range(_SEEDS)])
        weeks = _WEEKS * _SEEDS
        counts = (sum(map(len, alone)) / weeks, sum(map(len, joint)) / weeks)
        table.add(kind, *(f"{cell:.2f}" for cell in counts))
    return table


def _joint_found() -> Table:
    table = Table(
        "Of 24 series of a service some are off by a little for three hours, all at once: found",
        ["share", "off by, of the noise", "of", "by single series", "or all together", "delay"],
    )
    for share, size in ((0.5, 1.5), (0.5, 2.5), (1.0, 1.0), (1.0, 1.5)):
        planned = [
            uneasy(kind, seed, share, size) for kind in ("mixed", "loaded") for seed in range(4)
        ]
        alone, joint = felt(planned)
        single, both, late = 0, 0, []
        for each, mine, theirs in zip(planned, alone, joint, strict=True):
            assert each.planted is not None
            start, end = each.planted
            hits = [[t for t in ticks if start <= t <= end + _LATE] for ticks in (mine, theirs)]
            single += bool(hits[0])
            both += bool(hits[0] or hits[1])
            late += [min(t for part in hits for t in part) - start] if hits[0] or hits[1] else []
        delay = f"{np.median(late):.0f}" if late else "-"
        table.add(f"{share:.0%}", f"{size:g}", len(planned), single, both, delay)
    return table


def _false_events() -> Table:
    table = Table(
        f"Groups of 12 in order, {_WEEKS} weeks, {_SEEDS} seeds: events a series-week, budget 0.1",
        ["kind", "alone", "with peers", "told: groups are one"],
    )
    groups = [clean(kind, seed) for kind in KINDS for seed in range(_SEEDS)]
    labels = [each for group in groups for each in group.labels()]
    counts = opened(groups)
    width = groups[0].values.shape[1]
    rows = []
    for k, kind in enumerate(KINDS):
        columns = range(k * _SEEDS * width, (k + 1) * _SEEDS * width)
        weeks = len(columns) * _WEEKS
        mine = [[e for e in events if e[1] in columns] for events in counts]
        row = [len(mine[0]) / weeks, len(mine[1]) / weeks, told(mine[1], labels) / weeks]
        rows.append(row)
        table.add(kind, *(f"{cell:.3f}" for cell in row))
    table.add("mean", *(f"{cell:.3f}" for cell in np.mean(rows, axis=0)))
    return table


def _found() -> Table:
    table = Table(
        "One of 12 goes wrong for 12 hours, 5-minute points: found, median delay in points",
        ["change", "of", "alone", "delay", "with peers", "delay"],
    )
    for change, kinds in PLANTED.items():
        groups = [planted(kind, change, seed) for kind in kinds for seed in range(2 * _SEEDS)]
        cells: list[str] = []
        for events in opened(groups):
            delays = _delays(groups, events)
            late = f"{np.median(delays):.0f}" if delays else "-"
            cells += [str(len(delays)), late]
        table.add(change, str(len(groups)), *cells)
    return table


def _delays(groups: list[Group], events: Opened) -> list[int]:
    delays, first = [], 0
    for group in groups:
        assert group.planted is not None
        member, start, end = group.planted
        ticks = [t for t, c in events if c == first + member and start <= t <= end + _LATE]
        delays += [min(ticks) - start] if ticks else []
        first += group.values.shape[1]
    return delays
