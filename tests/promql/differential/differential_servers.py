"""A real Prometheus on given data, and how its answers and ours are compared."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cramjam
import httpx
import numpy as np
import orjson
from differential_data import END, START, Series

from pynomaly.ingest.remote_write import v1_pb2
from pynomaly.model.labels import Labels

RELATIVE = 1e-5
ABSOLUTE = 1e-9  # what rounding leaves of the difference of equals, where 0 is meant
_SLICE_MS = 300_000  # Prometheus takes samples in the order of time, about


@dataclass(frozen=True)
class Query:
    """One evaluation: at ``start`` only if ``step`` is 0. Seconds."""

    expr: str
    start: float
    end: float = 0
    step: float = 0

    def __str__(self) -> str:
        where = f"{self.start - START:+g} s"
        return (
            f"{self.expr}  [{where} … {self.end - START:+g} s by {self.step:g} s]"
            if (self.step)
            else f"{self.expr}  [{where}]"
        )


class Prometheus:
    """A running Prometheus, by its HTTP API."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def ask(self, query: Query) -> dict[str, Any]:
        """The whole answer; errors are answers too."""
        form: dict[str, Any] = {"query": query.expr}
        if query.step:
            form |= {"start": query.start, "end": query.end, "step": query.step}
            path = "/api/v1/query_range"
        else:
            form["time"] = query.start
            path = "/api/v1/query"
        answer: dict[str, Any] = orjson.loads(self.http.post(path, data=form).content)
        return answer

    def write(self, data: Mapping[Labels, Series]) -> None:
        """Send everything by remote write."""
        for first in range(START * 1000 - _SLICE_MS, END * 1000 + _SLICE_MS, _SLICE_MS):
            request = v1_pb2.WriteRequest()
            for labels, (times, values) in data.items():
                begin, end = np.searchsorted(times, (first, first + _SLICE_MS))
                if begin == end:
                    continue
                series = request.timeseries.add()
                for name, value in labels.pairs:
                    series.labels.add(name=name.encode(), value=value.encode())
                for at, number in zip(times[begin:end].tolist(), values[begin:end], strict=True):
                    series.samples.add(timestamp=at, value=number)
            if request.timeseries:
                self._post(request.SerializeToString())

    def _post(self, body: bytes) -> None:
        headers = {
            "content-encoding": "snappy",
            "content-type": "application/x-protobuf",
            "x-prometheus-remote-write-version": "0.1.0",
        }
        packed = bytes(cramjam.snappy.compress_raw(body))
        answer = self.http.post("/api/v1/write", content=packed, headers=headers)
        assert answer.status_code in (200, 204), answer.text


@contextlib.contextmanager
def running_prometheus(program: str, port: int, folder: Path) -> Iterator[Prometheus]:
    """Start one with an empty store that takes remote write; stop it in the end."""
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n")
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--storage.tsdb.retention.time=100y",
        "--log.level=error",
    ]
    process = subprocess.Popen(command, cwd=folder)
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        server.http.close()
        process.terminate()
        process.wait(30)


def _wait_until_ready(server: Prometheus, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "Prometheus ended"
        with contextlib.suppress(httpx.TransportError):
            if server.http.get("/-/ready").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("Prometheus is not ready after a minute")


def difference(theirs: dict[str, Any], ours: dict[str, Any], *, ordered: bool = False) -> str:
    """What is not equal in two answers, or the empty string."""
    if theirs["status"] != ours["status"]:
        return f"{_brief(theirs)} but ours is {_brief(ours)}"
    if theirs["status"] == "error":
        return ""
    kind, our_kind = theirs["data"]["resultType"], ours["data"]["resultType"]
    if kind != our_kind:
        return f"type {kind}, ours {our_kind}"
    if kind in ("scalar", "string"):
        return _points_differ([theirs["data"]["result"]], [ours["data"]["result"]], kind)
    expected = {orjson.dumps(s["metric"], option=orjson.OPT_SORT_KEYS): s for s in _series(theirs)}
    found = {orjson.dumps(s["metric"], option=orjson.OPT_SORT_KEYS): s for s in _series(ours)}
    if expected.keys() != found.keys():
        missing, excess = expected.keys() - found.keys(), found.keys() - expected.keys()
        return f"{len(missing)} series missing {sorted(missing)[:3]}, {len(excess)} in excess" + (
            f" {sorted(excess)[:3]}"
        )
    if ordered and list(expected) != list(found):
        return f"order {list(expected)[:5]}, ours {list(found)[:5]}"
    for metric, series in expected.items():
        if fault := _points_differ(_points(series), _points(found[metric]), metric.decode()):
            return fault
    return ""


def _brief(answer: dict[str, Any]) -> str:
    return str(answer.get("error") or orjson.dumps(answer["data"])[:300])


def _series(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def _points(series: dict[str, Any]) -> list[Any]:
    return [series["value"]] if "value" in series else series["values"]


def _points_differ(theirs: list[Any], ours: list[Any], what: str) -> str:
    times, our_times = [p[0] for p in theirs], [p[0] for p in ours]
    if times != our_times:
        only, extra = set(times) - set(our_times), set(our_times) - set(times)
        ago = [[t - START for t in sorted(some)[:4]] for some in (only, extra)]
        return f"{what}: steps missing at {ago[0]} s, in excess at {ago[1]} s"
    if what == "string":
        return "" if theirs == ours else f"{theirs}, ours {ours}"
    expected, found = (np.array([float(p[1]) for p in side]) for side in (theirs, ours))
    equal = np.isclose(found, expected, RELATIVE, ABSOLUTE, equal_nan=True)
    if equal.all():
        return ""
    at = int(np.argmin(equal))
    return f"{what}: at {times[at] - START:g} s {theirs[at][1]}, ours {ours[at][1]}"
