"""``POST /api/v1/write`` as senders see it."""

import random

import cramjam
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.ingest.push import PushLimits
from pynomaly.ingest.remote_write import v1_pb2 as v1
from pynomaly.ingest.remote_write import v2_pb2 as v2
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata
from pynomaly.storage.engine.contract import DiskFull, EngineBusy
from tests.api.push_app import NOW_MS, Recorder, client, counted

V1 = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
V2 = {
    "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "content-encoding": "snappy",
}


def pack(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def body_v1(*series: tuple[dict[str, str], list[tuple[int, float]]]) -> bytes:
    request = v1.WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in labels.items():
            one.labels.add(name=name.encode(), value=value.encode())
        for ts, value in samples:
            one.samples.add(timestamp=ts, value=value)
    return pack(request.SerializeToString())


GOOD = body_v1(
    ({"__name__": "up", "job": "node"}, [(NOW_MS, 1.0), (NOW_MS + 1, 0.0)]),
    ({"__name__": "cpu"}, [(NOW_MS, 75.0)]),
)
STORED = [
    ('up{job="node"}', NOW_MS, 1.0),
    ('up{job="node"}', NOW_MS + 1, 0.0),
    ("cpu", NOW_MS, 75.0),
]


async def write(
    recorder: Recorder,
    body: bytes,
    headers: dict[str, str],
    limits: PushLimits | None = None,
) -> httpx.Response:
    async with client(recorder, limits) as http:
        return await http.post("/api/v1/write", content=body, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        V1,
        {},
        {"content-type": "application/x-protobuf;proto=prometheus.WriteRequest"},
        {"content-type": 'Application/X-Protobuf; charset=utf-8; Proto="prometheus.WriteRequest"'},
        {"content-encoding": "Snappy"},
    ],
)
async def test_a_1_0_request_is_stored(headers: dict[str, str]) -> None:
    recorder = Recorder()
    answer = await write(recorder, GOOD, headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert recorder.rows == STORED
    assert "x-prometheus-remote-write-samples-written" not in answer.headers


@pytest.mark.parametrize("count", [10, 20_000], ids=["decoded at once", "decoded in a thread"])
async def test_bodies_of_every_size_are_stored(count: int) -> None:
    samples = [(NOW_MS - i, float(i)) for i in range(count)]
    recorder = Recorder()
    answer = await write(recorder, body_v1(({"__name__": "up"}, samples)), V1)
    assert answer.status_code == 204
    assert recorder.rows == [("up", ts, value) for ts, value in samples]


async def test_other_methods_are_405() -> None:
    async with client(Recorder()) as http:
        assert (await http.get("/api/v1/write")).status_code == 405


async def test_a_2_0_request_is_stored_and_counted() -> None:
    request = v2.Request(symbols=[b"", b"__name__", b"up", b"help"])
    one = request.timeseries.add(labels_refs=[1, 2])
    one.samples.add(timestamp=NOW_MS, value=1.0)
    one.exemplars.add(timestamp=NOW_MS, value=2.0)
    one.metadata.type = v2.Metadata.METRIC_TYPE_GAUGE
    one.metadata.help_ref = 3
    recorder = Recorder()
    answer = await write(recorder, pack(request.SerializeToString()), V2)
    assert answer.status_code == 204
    assert recorder.rows == [("up", NOW_MS, 1.0)]
    assert recorder.metadata == [MetricMetadata("up", "gauge", "help")]
    assert recorder.exemplars == [("up", Exemplar(Labels(), 2.0, NOW_MS))]
    assert answer.headers["x-prometheus-remote-write-samples-written"] == "1"
    assert answer.headers["x-prometheus-remote-write-histograms-written"] == "0"
    assert answer.headers["x-prometheus-remote-write-exemplars-written"] == "1"


def exemplars_alone(late: Recorder) -> tuple[v1.WriteRequest, v2.Request]:
    """One exemplar of a series without samples, in both versions."""
    late.refuses_exemplars = {"out_of_order": 1}
    first = v1.WriteRequest()
    first.timeseries.add().labels.add(name=b"__name__", value=b"up")
    first.timeseries[0].exemplars.add(timestamp=NOW_MS, value=2.0)
    second = v2.Request(symbols=[b"", b"__name__", b"up"])
    second.timeseries.add(labels_refs=[1, 2]).exemplars.add(timestamp=NOW_MS, value=2.0)
    return first, second


async def test_out_of_order_exemplars_are_told_by_2_0_only() -> None:
    late = Recorder()
    first, second = exemplars_alone(late)
    answer = await write(late, pack(first.SerializeToString()), V1)
    assert answer.status_code == 204
    answer = await write(late, pack(second.SerializeToString()), V2)
    assert answer.status_code == 400
    assert "out of order exemplars (1)" in answer.text
    assert late.exemplars == [("up", Exemplar(Labels(), 2.0, NOW_MS))] * 2


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({**V1, "content-type": "application/json"}, "Content-Type 'application/json'"),
        (
            {**V1, "content-type": "application/x-protobuf;proto=x.Y"},
            "the message 'x.Y' is not supported",
        ),
        ({**V1, "content-encoding": "gzip"}, "Content-Encoding 'gzip'"),
        ({**V1, "content-encoding": "zstd"}, "Content-Encoding 'zstd'"),
    ],
)
async def test_other_types_and_encodings_are_415(headers: dict[str, str], fault: str) -> None:
    recorder = Recorder()
    answer = await write(recorder, GOOD, headers)
    assert answer.status_code == 415
    assert answer.headers["content-type"].startswith("text/plain")
    assert fault in answer.text
    assert recorder.calls == 0


@pytest.mark.parametrize(
    ("body", "headers", "fault"),
    [
        (b"", V1, "no length at its beginning"),
        (b"junk", V1, "not in the snappy block format"),
        (GOOD[:-4], V1, "not in the snappy block format"),
        (pack(b"\x0a\x05ab"), V1, "not a prometheus.WriteRequest"),
        (pack(b"\x2a\x05ab"), V2, "not an io.prometheus.write.v2.Request"),
    ],
)
async def test_a_malformed_body_is_400_and_stores_nothing(
    body: bytes, headers: dict[str, str], fault: str
) -> None:
    recorder = Recorder()
    answer = await write(recorder, body, headers)
    assert answer.status_code == 400
    assert fault in answer.text
    assert recorder.calls == 0
    if headers is V2:
        assert answer.headers["x-prometheus-remote-write-samples-written"] == "0"


async def test_valid_samples_are_stored_and_the_rest_is_reported() -> None:
    recorder = Recorder(oldest_ms=NOW_MS - 1000)
    reasons = {"protocol": "remote_write_1", "reason": "invalid labels"}
    before = counted("pynomaly_push_refused_samples_total", reasons)
    body = body_v1(
        ({"__name__": "up"}, [(NOW_MS, 1.0), (NOW_MS - 5000, 1.0)]),
        ({"job": "x"}, [(NOW_MS, 1.0)]),
    )
    answer = await write(recorder, body, V1)
    assert answer.status_code == 400
    assert recorder.rows == [("up", NOW_MS, 1.0)]
    assert answer.text == (
        "2 samples refused, 1 stored: invalid labels (1), "
        "older than the retention (1): {job=\"x\"}: the label '__name__' is missing\n"
    )
    assert counted("pynomaly_push_refused_samples_total", reasons) == before + 1


async def test_native_histograms_are_a_partial_error() -> None:
    request = v1.WriteRequest()
    one = request.timeseries.add()
    one.labels.add(name=b"__name__", value=b"h")
    one.histograms.add()
    two = request.timeseries.add()
    two.labels.add(name=b"__name__", value=b"up")
    two.samples.add(timestamp=NOW_MS, value=1)
    recorder = Recorder()
    answer = await write(recorder, pack(request.SerializeToString()), V1)
    assert answer.status_code == 400
    assert "native histograms are not supported (1)" in answer.text
    assert recorder.rows == [("up", NOW_MS, 1.0)]


async def test_metadata_alone_is_stored() -> None:
    request = v1.WriteRequest()
    request.metadata.add(type=2, metric_family_name=b"up", help=b"Is it?")
    recorder = Recorder()
    answer = await write(recorder, pack(request.SerializeToString()), V1)
    assert answer.status_code == 204
    assert recorder.metadata == [MetricMetadata("up", "gauge", "Is it?")]


async def test_an_empty_request_is_fine() -> None:
    recorder = Recorder()
    assert (await write(recorder, pack(b""), V1)).status_code == 204
    assert recorder.calls == 0


async def test_bodies_beyond_the_limits_are_413() -> None:
    recorder = Recorder()
    packed = await write(recorder, GOOD, V1, PushLimits(max_body_bytes=10))
    assert packed.status_code == 413
    assert "larger than the 10 bytes allowed" in packed.text
    unpacked = await write(recorder, GOOD, V1, PushLimits(max_unpacked_bytes=20))
    assert unpacked.status_code == 413
    assert "more than the 20 allowed" in unpacked.text
    bomb = await write(recorder, b"\xff\xff\xff\xff\x0f" + b"\x00" * 50, V1)
    assert bomb.status_code == 413
    assert recorder.calls == 0


async def test_a_body_without_a_declared_length_is_bounded_as_well() -> None:
    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(100):
            yield b"x" * 100

    async with client(Recorder(), PushLimits(max_body_bytes=1000)) as http:
        answer = await http.post("/api/v1/write", content=pieces(), headers=V1)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("failure", "status"), [(EngineBusy("too many parts"), 429), (DiskFull("no space left"), 503)]
)
async def test_what_may_succeed_later_says_when(failure: Exception, status: int) -> None:
    answer = await write(Recorder(failures=[failure]), GOOD, V1)
    assert answer.status_code == status
    assert int(answer.headers["retry-after"]) > 0
    assert str(failure) in answer.text


async def test_too_many_bytes_in_flight_are_429() -> None:
    recorder = Recorder()
    answer = await write(recorder, GOOD, V1, PushLimits(max_bytes_in_flight=10))
    assert answer.status_code == 429
    assert "retry-after" in answer.headers
    assert recorder.calls == 0


async def test_requests_are_counted_by_status() -> None:
    labels = {"protocol": "remote_write_1", "status": "204"}
    before = counted("pynomaly_push_requests_total", labels)
    await write(Recorder(), GOOD, V1)
    assert counted("pynomaly_push_requests_total", labels) == before + 1


@given(st.binary(max_size=400), st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
async def test_no_body_is_an_internal_error(body: bytes, packed: bool, second: bool) -> None:
    answer = await write(Recorder(), pack(body) if packed else body, V2 if second else V1)
    assert answer.status_code in (204, 400, 413)
    assert (answer.status_code == 204) == (answer.text == "")


async def test_no_damage_to_a_good_body_is_an_internal_error() -> None:
    chance = random.Random(7)
    for _ in range(200):
        damaged = bytearray(GOOD)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        answer = await write(Recorder(), bytes(damaged), V1)
        assert answer.status_code in (204, 400, 413)
