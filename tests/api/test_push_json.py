"""``POST /api/metrics`` as programs see it."""

import gzip
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.ingest.push import PushLimits
from pynomaly.storage.engine.contract import DiskFull, EngineBusy
from tests.api.push_app import NOW_MS, Recorder, client, counted

SAMPLE = {"metric_name": "cpu_usage", "value": 75.0, "timestamp": NOW_MS}
STORED = [("cpu_usage", NOW_MS, 75.0)]


async def push(
    recorder: Recorder,
    body: bytes,
    headers: dict[str, str] | None = None,
    limits: PushLimits | None = None,
) -> httpx.Response:
    async with client(recorder, limits) as http:
        return await http.post("/api/metrics", content=body, headers=headers)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "", "text/plain"]
)
async def test_a_sample_is_stored(content_type: str) -> None:
    recorder = Recorder()
    answer = await push(recorder, json.dumps(SAMPLE).encode(), {"content-type": content_type})
    assert answer.status_code == 200
    assert answer.json() == {"status": "success", "stored": 1}
    assert recorder.rows == STORED


async def test_json_lines_are_stored() -> None:
    recorder = Recorder()
    body = (json.dumps(SAMPLE) + "\n").encode() * 3
    answer = await push(recorder, body, {"content-type": "application/x-ndjson"})
    assert answer.json() == {"status": "success", "stored": 3}


async def test_a_gzipped_body_is_read_within_the_limit() -> None:
    recorder = Recorder()
    body = gzip.compress(json.dumps(SAMPLE).encode())
    answer = await push(recorder, body, {"content-encoding": "gzip"})
    assert answer.status_code == 200
    bomb = gzip.compress(b" " * 1_000_000)
    answer = await push(
        recorder, bomb, {"content-encoding": "gzip"}, PushLimits(max_unpacked_bytes=1000)
    )
    assert answer.status_code == 413
    for broken in (body[:-9], b"junk"):
        answer = await push(recorder, broken, {"content-encoding": "gzip"})
        assert answer.status_code == 400
    assert recorder.rows == STORED


async def test_a_malformed_request_stores_nothing_and_says_where() -> None:
    recorder = Recorder()
    bad = json.dumps([SAMPLE, {"metric_name": "up", "value": "high"}]).encode()
    answer = await push(recorder, bad)
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "error",
        "errorType": "bad_data",
        "error": 'samples[1]: value: expected a number, "NaN", "+Inf" or "-Inf", found "high"',
    }
    assert recorder.calls == 0


async def test_what_the_store_refuses_is_told() -> None:
    recorder = Recorder(oldest_ms=NOW_MS - 1000)
    body = json.dumps([SAMPLE, {**SAMPLE, "timestamp": 1000}])
    answer = await push(recorder, body.encode())
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "error",
        "errorType": "bad_data",
        "error": "1 sample refused, 1 stored: older than the retention (1)",
        "stored": 1,
    }


async def test_the_clock_gives_the_time_that_is_not_said() -> None:
    recorder = Recorder()
    await push(recorder, b'{"metric_name": "up", "value": 1}')
    assert recorder.rows == [("up", NOW_MS, 1.0)]


async def test_other_statuses() -> None:
    body = json.dumps(SAMPLE).encode()
    assert (await push(Recorder(), body, {"content-type": "text/csv"})).status_code == 415
    assert (await push(Recorder(), body, {"content-encoding": "br"})).status_code == 415
    too_large = await push(Recorder(), body, limits=PushLimits(max_body_bytes=5))
    assert too_large.status_code == 413
    assert too_large.json()["errorType"] == "bad_data"
    busy = await push(Recorder(failures=[EngineBusy("too many parts")]), body)
    assert busy.status_code == 429
    assert int(busy.headers["retry-after"]) > 0
    full = await push(Recorder(failures=[DiskFull("no space left")]), body)
    assert full.status_code == 503
    labels = {"protocol": "json", "status": "429"}
    assert counted("pynomaly_push_requests_total", labels) >= 1


@given(st.binary(max_size=80))
@settings(deadline=None)
async def test_no_body_is_an_internal_error(body: bytes) -> None:
    assert (await push(Recorder(), body)).status_code in (200, 400)
