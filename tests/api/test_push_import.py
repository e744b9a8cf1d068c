"""``POST /api/v1/import`` as a sender of history sees it."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from pynomaly.ingest.push import PushLimits
from pynomaly.storage.engine.contract import DiskFull
from tests.api.push_app import Recorder, client

CSV = b"timestamp,metric_name,value\n1751284800,cpu_usage,75.0\n1751284815,cpu_usage,76.0\n"
OPENMETRICS = b"# TYPE up gauge\nup 1 1751284800\nup 0 1751284815\n# EOF\n"
TYPES = {"csv": "text/csv", "openmetrics": "application/openmetrics-text; version=1.0.0"}


async def send(
    recorder: Recorder, body: bytes | AsyncIterator[bytes], kind: str = "csv", **headers: str
) -> httpx.Response:
    headers = {"content-type": TYPES.get(kind, kind), **headers}
    limits = PushLimits(max_body_bytes=10, max_bytes_in_flight=10)  # these do not apply
    async with client(recorder, limits) as http:
        return await http.post("/api/v1/import", content=body, headers=headers)


@pytest.mark.parametrize(
    ("kind", "body", "lines"), [("csv", CSV, 3), ("openmetrics", OPENMETRICS, 4)]
)
async def test_history_is_stored(kind: str, body: bytes, lines: int) -> None:
    recorder = Recorder()
    answer = await send(recorder, body, kind)
    assert answer.status_code == 200
    assert answer.json() == {"status": "success", "stored": 2, "lines": lines, "refused": {}}
    assert [ts for _, ts, _ in recorder.rows] == [1_751_284_800_000, 1_751_284_815_000]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_gzip_is_unpacked_on_the_way(size: int) -> None:
    packed = gzip.compress(CSV[:40]) + gzip.compress(CSV[40:])  # members, as ``cat a.gz b.gz``

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(packed), size):
            yield packed[start : start + size]

    recorder = Recorder()
    answer = await send(recorder, pieces(), **{"content-encoding": "gzip"})
    assert answer.json()["stored"] == 2
    cut = await send(Recorder(), packed[:-5], **{"content-encoding": "gzip"})
    assert cut.status_code == 400
    assert "cut short" in cut.json()["error"]
    junk = await send(Recorder(), b"junk", **{"content-encoding": "gzip"})
    assert junk.status_code == 400


async def test_the_answer_says_which_line_stopped_it_and_what_is_stored() -> None:
    recorder = Recorder()
    answer = await send(recorder, CSV + b"1751284830,cpu_usage,high\n")
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "error",
        "errorType": "bad_data",
        "error": "line 4: value: expected a number, found 'high'; the 3 lines before are stored",
        "stored": 2,
        "lines": 3,
        "line": 4,
        "refused": {},
    }
    assert len(recorder.rows) == 2


async def test_what_is_older_than_the_retention_is_told() -> None:
    answer = await send(Recorder(oldest_ms=1_751_284_810_000), CSV)
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "error",
        "errorType": "bad_data",
        "error": "1 sample refused, 1 stored: older than the retention (1)",
        "stored": 1,
        "lines": 3,
        "refused": {"older than the retention": 1},
    }


async def test_other_statuses() -> None:
    assert (await send(Recorder(), CSV, "application/json")).status_code == 415
    assert (await send(Recorder(), CSV, **{"content-encoding": "br"})).status_code == 415
    full = await send(Recorder(failures=[DiskFull("no space left")]), CSV)
    assert full.status_code == 503
    assert "no space left" in full.json()["error"]
    assert int(full.headers["retry-after"]) > 0
