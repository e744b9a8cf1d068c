"""The same input for everyone: realistic series, as remote-write 1.0 bodies."""

import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cramjam
import numpy as np

from benchmarks.servers import Server

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
SeriesLabels = list[tuple[str, str]]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def encode_labels(labels: SeriesLabels) -> bytes:
    """The ``labels`` fields of one TimeSeries message."""
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels)
    )


def encode_body(series: Sequence[tuple[bytes, Sequence[tuple[int, float]]]]) -> bytes:
    """A compressed WriteRequest of (encoded labels, [(milliseconds, value)])."""
    parts = []
    for labels, samples in series:
        rows = b"".join(
            _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(ts))
            for ts, value in samples
        )
        parts.append(_field(1, labels + rows))
    return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def http_series(count: int, metric: str, extra: SeriesLabels | None = None) -> list[SeriesLabels]:
    """Labels as an instrumented web service in Kubernetes has them."""
    methods = ["GET", "POST", "PUT", "DELETE"]
    statuses = ["200", "201", "400", "404", "500"]
    found = []
    for i in range(count):
        pod = i // 40
        found.append(
            [
                ("__name__", metric),
                ("job", f"service-{pod % 10}"),
                ("instance", f"10.0.{pod // 200}.{pod % 200}:8000"),
                ("namespace", "production"),
                ("pod", f"service-{pod % 10}-7d9c{pod:05x}"),
                ("method", methods[i % 4]),
                ("status", statuses[i // 4 % 5]),
                ("endpoint", f"/api/v1/resource/{i // 20 % 2}"),
                *(extra or []),
            ]
        )
    return found


def histogram_series(count: int, metric: str) -> list[SeriesLabels]:
    """``count`` bucket series, ten buckets a histogram."""
    bounds = ["0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"]
    bases = http_series(count // len(bounds), metric + "_bucket")
    return [[*base, ("le", bound)] for base in bases for bound in bounds]


@dataclass(frozen=True)
class Family:
    """Series of one metric with a matrix of values ``[series, steps]``."""

    labels: list[bytes]
    values: np.ndarray


def counters(series: list[SeriesLabels], steps: int, seed: int) -> Family:
    """Counters that grow by Poisson counts and reset now and then."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(1, 50, size=(len(series), 1))
    values = np.cumsum(rng.poisson(rates, size=(len(series), steps)), axis=1).astype(float)
    for row in rng.integers(0, len(series), size=len(series) // 20):
        at = rng.integers(1, steps)
        values[row, at:] -= values[row, at]
    return Family([encode_labels(s) for s in series], values)


def gauges(series: list[SeriesLabels], steps: int, seed: int) -> Family:
    """Two-decimal gauges that walk at random around a daily wave."""
    rng = np.random.default_rng(seed)
    wave = 50 + 20 * np.sin(np.linspace(0, 2 * np.pi, steps))
    walk = np.cumsum(rng.normal(0, 0.3, size=(len(series), steps)), axis=1)
    return Family([encode_labels(s) for s in series], np.round(wave + walk, 2))


def histograms(series: list[SeriesLabels], steps: int, seed: int) -> Family:
    """Buckets that are cumulative over ``le`` and grow over time."""
    rng = np.random.default_rng(seed)
    grown = np.cumsum(rng.poisson(3, size=(len(series) // 10, 10, steps)), axis=2)
    return Family(
        [encode_labels(s) for s in series],
        np.cumsum(grown, axis=1).reshape(len(series), steps).astype(float),
    )


def bodies(
    families: Sequence[Family], times: np.ndarray, samples_a_series: int, samples_a_body: int = 2000
) -> Iterator[bytes]:
    """Remote-write bodies in time order; ``times`` are milliseconds ``[steps]``."""
    a_body = max(1, samples_a_body // samples_a_series)
    rows = [(f, i) for f in families for i in range(len(f.labels))]
    for at in range(0, len(times), samples_a_series):
        window = range(at, min(at + samples_a_series, len(times)))
        for first in range(0, len(rows), a_body):
            yield encode_body(
                [
                    (f.labels[i], [(int(times[t]), float(f.values[i, t])) for t in window])
                    for f, i in rows[first : first + a_body]
                ]
            )


def push(server: Server, body: bytes) -> None:
    """POST one body; wait and repeat when the server asks for it."""
    request = urllib.request.Request(
        server.url + server.write_path, data=body, headers=HEADERS, method="POST"
    )
    for attempt in range(50):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
            return
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise RuntimeError(f"{server.name}: {error.code} {error.read()[:300]!r}") from error
            time.sleep(0.05 * (attempt + 1))
    raise RuntimeError(f"{server.name} refuses to write")


def push_all(server: Server, shards: Sequence[Iterable[bytes]]) -> float:
    """Send each shard in order, shards at once, as Prometheus does; seconds it took."""

    def send(shard: Iterable[bytes]) -> None:
        for body in shard:
            push(server, body)

    began = time.monotonic()
    with ThreadPoolExecutor(len(shards)) as pool:
        list(pool.map(send, shards))
    return time.monotonic() - began
