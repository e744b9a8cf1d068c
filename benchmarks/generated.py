"""Series without anomalies, and the same with one anomaly planted, from seeds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

STEP = 300
DAY = 86_400 // STEP
WEEK = 7 * DAY
START = 1_700_006_400

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Generated:
    """``seconds`` int64 (local time) and ``values``; ``planted``: first and last row, if any."""

    kind: str
    seconds: NDArray[np.int64]
    values: Floats
    planted: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Ground:
    """What the kinds are made of: the day's wave, the week's factor, noise, a slow process."""

    rng: np.random.Generator
    time: Floats
    day: Floats
    week: Floats
    slow: Floats

    def noise(self, size: float = 1.0) -> Floats:
        return self.rng.normal(size=len(self.day)) * size


def _ground(seed: int, weeks: int, *, daylight: bool = True, holidays: int = 1) -> _Ground:
    rng = np.random.default_rng(seed)
    rows = np.arange(weeks * WEEK)
    changed = rows >= int(0.6 * len(rows))  # clocks go forward by an hour
    at = START + rows * STEP + (3600 if daylight else 0) * changed
    part = at % 86_400 / 86_400
    weekday = (at // 86_400 + 3) % 7
    off = weekday >= 5
    for day in rng.choice(np.arange(10, 7 * weeks - 5), holidays, replace=False):
        off |= at // 86_400 == START // 86_400 + day
    day = np.sin(2 * np.pi * (part - 0.3)) + 0.35 * np.sin(4 * np.pi * (part - 0.1))
    slow = np.empty(len(rows))
    slow[0] = 0.0
    steps = rng.normal(size=len(rows)) * 0.6
    for i in range(1, len(rows)):
        slow[i] = 0.8 * slow[i - 1] + steps[i]
    return _Ground(rng, part, day, np.where(off, 0.55, 1.0), slow)


def _daily(g: _Ground) -> Floats:
    return 100 * (1 + 0.6 * g.day) + 4 * g.slow + g.noise(2)


def _weekly(g: _Ground) -> Floats:
    return 100 * (2 + g.day * g.week) * g.week + 5 * g.slow + g.noise(2)


def _trending(g: _Ground) -> Floats:
    return 100 + np.arange(len(g.day)) / WEEK * 20 + 20 * g.day + 3 * g.slow


def _bursty(g: _Ground) -> Floats:
    gusts = np.exp(0.6 * g.slow) * g.rng.gamma(4, 0.25, size=len(g.day))
    return 50 * (2 + g.day * g.week) * gusts


def _heavy_tailed(g: _Ground) -> Floats:
    return 20 + 5 * g.day + 2 * g.rng.standard_t(3, size=len(g.day))


def _skewed(g: _Ground) -> Floats:
    return np.asarray(np.exp(1 + 0.3 * g.day + g.noise(0.5)))


def _counts(g: _Ground) -> Floats:
    return g.rng.poisson(np.maximum(0.05, 6 * (1.2 + g.day * g.week))).astype(float)


def _idle(g: _Ground) -> Floats:
    return g.rng.poisson(0.03, size=len(g.day)).astype(float)


def _plain(g: _Ground) -> Floats:
    return 50 + g.noise()


def _nightly_job(g: _Ground) -> Floats:
    running = (g.time >= 6 / 24) & (g.time < 6.25 / 24)
    return 30 + g.noise(3) + 40 * running


def _sawtooth(g: _Ground) -> Floats:
    return np.arange(len(g.day)) % 200 * 0.5 + g.noise()


def _integers(g: _Ground) -> Floats:
    return np.round(10 + 2 * g.slow)


def _constant(g: _Ground) -> Floats:
    return np.full(len(g.day), 5.0)


KINDS: dict[str, Callable[[_Ground], Floats]] = {
    "daily": _daily,
    "weekly": _weekly,
    "trending": _trending,
    "bursty": _bursty,
    "heavy-tailed": _heavy_tailed,
    "skewed": _skewed,
    "counts": _counts,
    "idle": _idle,
    "plain": _plain,
    "nightly job": _nightly_job,
    "sawtooth": _sawtooth,
    "integers": _integers,
    "constant": _constant,
}
WATCHED = ("daily", "weekly", "bursty", "heavy-tailed", "counts", "plain")
"""Kinds in which an anomaly can be planted that a person would see."""
HOURS = 3600 // STEP


def without_anomalies(kind: str, seed: int, weeks: int) -> Generated:
    """A series of this kind, with a change of the clocks and a holiday, one point in 5 minutes."""
    ground = _ground(seed * 1000 + list(KINDS).index(kind), weeks)
    seconds = START + np.arange(weeks * WEEK, dtype=np.int64) * STEP
    return Generated(kind, seconds, KINDS[kind](ground))


def with_gaps(series: Generated, seed: int) -> Generated:
    """The same with a dozen gaps of one to seventeen hours, after the second day."""
    rng = np.random.default_rng(seed)
    kept = np.ones(len(series.values), dtype=bool)
    for start in rng.integers(2 * DAY, len(kept) - DAY, size=12):
        kept[start : start + rng.integers(HOURS, 17 * HOURS)] = False
    return replace(series, seconds=series.seconds[kept], values=series.values[kept])


def _spike(v: Floats, at: int, size: float, rng: np.random.Generator) -> int:
    v[at : at + 2] += size
    return 2


def _shift(v: Floats, at: int, size: float, rng: np.random.Generator) -> int:
    v[at : at + 24 * HOURS] += 0.8 * size
    return 24 * HOURS


def _ramp(v: Floats, at: int, size: float, rng: np.random.Generator) -> int:
    v[at : at + 24 * HOURS] += np.linspace(0, size, 24 * HOURS)
    return 24 * HOURS


def _drop(v: Floats, at: int, size: float, rng: np.random.Generator) -> int:
    v[at : at + 4 * HOURS] = 0
    return 4 * HOURS


def _unrest(v: Floats, at: int, size: float, rng: np.random.Generator) -> int:
    v[at : at + 8 * HOURS] += rng.normal(size=8 * HOURS) * 0.6 * size
    return 8 * HOURS


def _no_season(v: Floats, at: int, size: float, rng: np.random.Generator) -> int:
    noise = np.std(np.diff(v)) / 1.4
    v[at : at + 24 * HOURS] = np.median(v) + rng.normal(size=24 * HOURS) * noise
    return 24 * HOURS


PLANTED = {
    "spike": _spike,
    "shift": _shift,
    "ramp": _ramp,
    "drop to zero": _drop,
    "unrest": _unrest,
    "broken season": _no_season,
}


def with_anomaly(kind: str, change: str, seed: int, weeks: int) -> Generated:
    """A series of this kind with one change in its last third."""
    clean = without_anomalies(kind, seed, weeks)
    rng = np.random.default_rng(seed)
    values = clean.values.copy()
    at = int(rng.uniform(0.66, 0.95) * (len(values) - 24 * HOURS))
    size = max(8 * float(np.std(np.diff(values))) / 1.4, 1.5 * float(np.std(values)))
    long = PLANTED[change](values, at, size, rng)
    return replace(clean, values=values, planted=(at, at + long))
