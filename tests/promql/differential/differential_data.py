"""The data on which Prometheus and our engine are compared.

Two hours and ten minutes at 15 s. Every timestamp has a fraction of a second, while evaluation
times, ranges, offsets and steps are whole seconds: no sample lies on the edge of a window, where
Prometheus 2 (closed on the left) and 3 (open) differ by design. Values are small multiples of
1/1024, so that sums are exact in whatever order they are taken. Counters start high: near zero the
extrapolation of ``rate`` differs (``young_total`` shows it). No two series that ``topk`` compares
are ever equal, since which of them is taken is left open.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE_BITS

START = 1_699_999_200  # seconds; on the hour
MINUTE = 60
END = START + 130 * MINUTE
INTERVAL_MS = 15_000

Series = tuple[NDArray[np.int64], NDArray[np.float64]]
STALE = np.array([STALE_BITS], dtype=np.uint64).view(np.float64)
"""As an array: the marker's bits are what counts."""


def build() -> dict[Labels, Series]:
    """Every series, the same on each call."""
    random = np.random.default_rng(20_231_114)
    data: dict[Labels, Series] = {}
    for labels, times, values in _everything(random):
        assert labels not in data
        assert np.all(np.diff(times) > 0)
        assert np.all(times % 1000 != 0)
        data[labels] = times, values
    return data


Found = Iterator[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]


def _everything(random: np.random.Generator) -> Found:
    yield from _counters(random)
    yield from _odd_lives(random)
    yield from _gauges(random)
    yield from _histograms(random)
    yield from _odd_values(random)
    yield from _for_matching(random)
    yield from _odd_labels(random)
    yield from _times(random)


def _labels(name: str, /, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def _scrapes(
    random: np.random.Generator, first: float = 0, last: float = 130, every_ms: int = INTERVAL_MS
) -> NDArray[np.int64]:
    """Times of scrapes between two minutes, each a little early or late."""
    count = int((last - first) * MINUTE * 1000 // every_ms)
    regular = (START + int(first * MINUTE)) * 1000 + np.arange(count, dtype=np.int64) * every_ms
    times = regular + random.integers(1, every_ms - 1) + random.integers(-300, 300, count)
    times = np.maximum.accumulate(times)
    return times + (times % 1000 == 0)


def _counter(random: np.random.Generator, count: int, most: int = 20) -> NDArray[np.float64]:
    return _HIGH + np.cumsum(random.integers(0, most + 1, count))


_HIGH = 100_000.0


def _with_resets(values: NDArray[np.float64], *places: int) -> NDArray[np.float64]:
    values = values.copy()
    for place in places:
        values[place:] -= values[place] - 30_000
    return values


def _counters(random: np.random.Generator) -> Found:
    all_labels = product(("a:9100", "b:9100", "c:9100"), ("GET", "POST"), ("200", "500"))
    for number, (instance, method, code) in enumerate(all_labels):
        times = _scrapes(random)
        values = _counter(random, len(times), 40 if code == "200" else 2) + number / 16
        if instance == "b:9100":
            values = _with_resets(values, 100, 101, 333) + number / 16
        where = {"instance": instance, "method": method, "code": code, "job": "api"}
        yield _labels("requests_total", **where), times, values
    times = _scrapes(random)
    yield _labels("requests_total", instance="idle:9100", job="api"), times, times * 0.0 + 42
    times = _scrapes(random)
    yield _labels("bytes_total", instance="a:9100", job="api"), times, _counter(random, 520, 10**9)
    times = _scrapes(random, 5)
    yield _labels("young_total", job="api"), times, 8 + 10.0 * np.arange(len(times))


def _odd_lives(random: np.random.Generator) -> Found:
    """Late, early, ended with and without a marker, flapping, seldom, only once."""

    def life(life: str, first: float, last: float, every_ms: int = INTERVAL_MS) -> Found:
        times = _scrapes(random, first, last, every_ms)
        yield _labels("life_total", life=life, job="lives"), times, _counter(random, len(times))

    yield from life("late", 63, 130)
    yield from life("early", 0, 41)
    yield from life("minutely", 0, 130, 60_000)
    yield from life("seldom", 0, 130, 250_000)
    yield from life("once", 70, 70.25)
    times = _scrapes(random, 0, 50)
    values = _counter(random, len(times))
    values[-1:] = STALE
    yield _labels("life_total", life="ended", job="lives"), times, values
    times = _scrapes(random)
    values = _counter(random, len(times))
    for place in (0, 77, 150, 151, 152, 260, 300, 302, 304):
        values[place : place + 1] = STALE
    yield _labels("life_total", life="flapping", job="lives"), times, values
    holes = np.r_[80:108, 200:213, 330:390]  # 7, 3.25 and 15 minutes
    times = np.delete(_scrapes(random), holes)
    yield _labels("life_total", life="gaps", job="lives"), times, _counter(random, len(times))


def _gauges(random: np.random.Generator) -> Found:
    rooms = product(("0", "1"), ("kitchen", "hall", "attic"))
    for number, (floor, room) in enumerate(rooms, 1):
        times = _scrapes(random)
        values = 20 + np.cumsum(random.integers(-4, 5, len(times))) / 8 + number / 1024
        if room == "attic":
            values -= 40
            times, values = (np.delete(column, np.r_[120:160]) for column in (times, values))
        yield _labels("temperature", floor=floor, room=room), times, values
    times = _scrapes(random)
    yield _labels("temperature", floor="1", room="cellar"), times, np.full(len(times), 12.5)
    for job, instance in (("api", "a:9100"), ("api", "b:9100"), ("db", "d:5432")):
        times = _scrapes(random)
        up = (random.random(len(times)) > 0.05).astype(np.float64)
        yield _labels("up", job=job, instance=instance), times, up


def _histograms(random: np.random.Generator) -> Found:
    edges = (0.1, 0.25, 0.5, 1.0, 2.5)
    for job in ("api", "db"):
        for instance in ("a:9100", "b:9100"):
            times = _scrapes(random)
            observed = random.integers(0, 6, (len(edges) + 1, len(times)))
            cumulative = np.cumsum(_HIGH + np.cumsum(observed, axis=1), axis=0)
            where = {"job": job, "instance": instance}
            for edge, values in zip((*edges, np.inf), cumulative, strict=True):
                le = "+Inf" if np.isinf(edge) else f"{edge:g}"
                yield _labels("latency_seconds_bucket", le=le, **where), times, values
            yield _labels("latency_seconds_count", **where), times, cumulative[-1]
            total = np.cumsum(observed[0]) * 0.125 + cumulative[-1]
            yield _labels("latency_seconds_sum", **where), times, total
    times = _scrapes(random)
    growing = np.arange(len(times), dtype=np.float64)
    for le, factor in (("1", 4.0), ("2", 3.0), ("4", 8.0), ("+Inf", 8.0)):
        yield _labels("falling_bucket", le=le, fault="not monotonic"), times, growing * factor
    for le in ("1", "2"):
        yield _labels("falling_bucket", le=le, fault="no infinity"), times, growing
    yield _labels("falling_bucket", le="+Inf", fault="only infinity"), times, growing
    for le in ("1", "two", "+Inf"):
        yield _labels("falling_bucket", le=le, fault="not a number"), times, growing
    for factor, le in enumerate(("-2", "-1", "0", "+Inf"), 2):
        yield _labels("falling_bucket", le=le, fault="negative"), times, growing * factor
    for le in ("1", "2", "+Inf"):
        yield _labels("falling_bucket", le=le, fault="empty"), times, growing * 0


def _odd_values(random: np.random.Generator) -> Found:
    def odd(kind: str, values: NDArray[np.float64]) -> Found:
        times = _scrapes(random)
        yield _labels("odd", kind=kind), times, np.resize(values, len(times))

    yield from odd("nan", np.array([np.nan]))
    yield from odd("inf", np.array([np.inf]))
    yield from odd("minus inf", np.array([-np.inf]))
    yield from odd("sometimes nan", 1000 + np.array([1, 2, np.nan, 4, 3, 1, 0.5]))
    yield from odd("sometimes inf", 1000 + np.array([1, 2, 5, np.inf, 3, 1, -np.inf, 8, 1]))
    yield from odd("zero", np.array([0.0, -0.0]))
    times = _scrapes(random)
    for size in (1e300, 1e-300, 123456789012345680.0, 1e-9):
        yield _labels("extreme", size=f"{size:g}"), times, np.resize([size, -size], len(times))


def _for_matching(random: np.random.Generator) -> Found:
    def constant(labels: Labels, value: float) -> Found:
        times = _scrapes(random)
        yield labels, times, np.full(len(times), value)

    for instance, version in (("a:9100", "1.0"), ("b:9100", "1.1"), ("x:9100", "2.0")):
        yield from constant(
            _labels("build_info", instance=instance, version=version, job="api"), 1.0
        )
    for instance, value in (("a:9100", 100.0), ("b:9100", 0.0), ("c:9100", 50.0)):
        yield from constant(_labels("capacity", instance=instance), value)
    for x, y in (("1", "1"), ("1", "2"), ("2", "1"), ("3", "3")):
        yield from constant(_labels("left", x=x, y=y), float(x) * 10 + float(y))
    for x, z in (("1", "1"), ("2", "1"), ("2", "2"), ("4", "4")):
        yield from constant(_labels("right", x=x, z=z), float(x) * 2 + float(z))
    for x, y in (("1", "1"), ("1", "2"), ("2", "1")):
        yield from constant(_labels("twin", x=x, y=y), float(x))


def _odd_labels(random: np.random.Generator) -> Found:
    values = ("Zürich 🚉", 'say "hi"', "back\\slash", "a.b", "a+b", " ", "日本", "x" * 300)
    for number, value in enumerate(values):
        times = _scrapes(random)
        values_here = np.full(len(times), float(number))
        yield _labels("places", place=value, _hidden="yes", Camel="1"), times, values_here
    times = _scrapes(random)
    yield _labels("places"), times, np.full(len(times), -1.0)
    yield _labels("recorded:places:sum"), times, np.full(len(times), 28.0)


def _times(random: np.random.Generator) -> Found:
    for name, moment in {
        "epoch": 0.0,
        "leap day": 1709164800.0,  # 2024-02-29
        "last second": 1704067199.0,  # 2023-12-31 23:59:59
        "before 1970": -86401.0,
        "half": 1700000000.5,
        "sunday": 1699747200.0,
    }.items():
        times = _scrapes(random)
        yield _labels("moment", name=name), times, np.full(len(times), moment)
