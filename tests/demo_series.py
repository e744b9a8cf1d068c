"""Series like those of PromLabs' demo service, which the compliance queries are written for."""

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch

INSTANCES = ("demo.promlabs.com:10000", "demo.promlabs.com:10001", "demo.promlabs.com:10002")
INTERVAL_MS = 5_000
_BOUNDS = ("0.001", "0.01", "0.1", "0.5", "1", "+Inf")

Row = tuple[Labels, int, float]


def batches(end_ms: int, minutes: int) -> list[SampleBatch]:
    """All series in time order, a quarter of an hour to a batch; the last sample is at the end."""
    random = np.random.default_rng(11)
    steps = minutes * 60_000 // INTERVAL_MS
    times = end_ms - np.arange(steps)[::-1] * INTERVAL_MS
    columns = [
        (labels, values)
        for number, instance in enumerate(INSTANCES)
        for labels, values in _instance(random, instance, number, times)
    ]
    size = 900_000 // INTERVAL_MS
    return [
        SampleBatch.of(
            [
                (labels, int(times[step]), float(values[step]))
                for step in range(first, min(first + size, steps))
                for labels, values in columns
                if not np.isnan(values[step])
            ]
        )
        for first in range(0, steps, size)
    ]


def _instance(
    random: np.random.Generator, instance: str, number: int, times: np.ndarray
) -> list[tuple[Labels, np.ndarray]]:
    count = len(times)

    def named(name: str, **labels: str) -> Labels:
        return Labels({"__name__": name, "instance": instance, "job": "demo", **labels})

    found = [(named("demo_num_cpus"), np.full(count, 4.0))]
    for place, kind in enumerate(("free", "used", "cached", "buffers")):
        walk = np.cumsum(random.integers(-40, 41, count)) * 4096.0
        found.append((named("demo_memory_usage_bytes", type=kind), 2e8 * (place + 1) + walk))
    for mode in ("user", "system", "idle"):
        counter = 1e5 + number + np.cumsum(random.integers(0, 20, count) / 64)
        found.append((named("demo_cpu_usage_seconds_total", mode=mode), counter))
    disk = 1e9 + np.arange(count) * 1024.0 * (number + 1)
    found.append((named("demo_disk_usage_bytes"), disk))
    last_run = np.floor(times / 60_000) * 60.0 - number
    found.append((named("demo_batch_last_success_timestamp_seconds"), last_run))
    found += _histogram(random, named, count)
    on = (np.arange(count) // 24) % 2 == 0
    found.append((named("demo_intermittent_metric"), np.where(on, 1.0, np.nan)))
    return found


def _histogram(random: np.random.Generator, named, count: int) -> list:  # type: ignore[no-untyped-def]
    observed = random.integers(0, 5, (len(_BOUNDS), count))
    buckets = 1e4 + np.cumsum(np.cumsum(observed, axis=0), axis=1)
    name, where = "demo_api_request_duration_seconds", {"method": "GET", "path": "/api/foo"}
    found = [
        (named(f"{name}_bucket", le=bound, **where), row)
        for bound, row in zip(_BOUNDS, buckets, strict=True)
    ]
    found.append((named(f"{name}_count", **where), buckets[-1]))
    return [*found, (named(f"{name}_sum", **where), buckets[-1] * 0.25)]
