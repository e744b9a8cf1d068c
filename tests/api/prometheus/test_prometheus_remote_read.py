"""Remote read: both kinds of answer, limits, and a real Prometheus that reads from us."""

import asyncio
import json
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_app import NOW, Client, Stage, listening, serving
from remote_read_client import CHUNKS, SAMPLES, decoded, frames_of, request, samples_of

from pynomaly.api.prometheus.remote_read import xor
from pynomaly.api.prometheus.remote_read.crc32c import _slowly, crc32c
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE_BITS, SampleBatch, SeriesSamples
from pynomaly.promql.query_log import QueryLog
from tests.peers import Peer

FIRST, LAST = (NOW - 600) * 1000, NOW * 1000
BY_NAME = ("__name__", "=", "requests_total")


def post(client: Client, body: bytes) -> tuple[int, str, bytes]:
    answer = client.request("POST", "/api/v1/read", content=body)
    return answer.status_code, answer.headers["content-type"], answer.content


def test_samples_come_in_one_packed_message(client: Client) -> None:
    status, kind, body = post(client, request(BY_NAME, start=FIRST, end=FIRST + 30_123))
    assert (status, kind) == (200, "application/x-protobuf")
    assert samples_of(body) == [
        [
            (
                {"__name__": "requests_total", "code": code, "job": "api"},
                [(FIRST + 123 + step * 15_000, step * float(code)) for step in range(3)],
            )
            for code in ("200", "500")
        ]
    ]


def test_chunks_come_as_a_stream_of_series_in_order(client: Client) -> None:
    body = request(("__name__", "=~", ".+"), start=FIRST, end=LAST, accepts=[CHUNKS, SAMPLES])
    status, kind, stream = post(client, body)
    assert (status, kind) == (
        200,
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse",
    )
    found = []
    for checksum, frame in frames_of(stream):
        assert checksum == crc32c(frame.SerializeToString())
        series = frame.chunked_series[0]
        labels = Labels({each.name: each.value for each in series.labels})
        samples = [sample for chunk in series.chunks for sample in decoded(chunk.data)]
        assert series.chunks[0].min_time_ms == samples[0][0]
        assert series.chunks[-1].max_time_ms == samples[-1][0]
        found.append((labels, samples))
    assert [str(labels) for labels, _ in found] == [
        'requests_total{code="200", job="api"}',
        'requests_total{code="500", job="api"}',
        'temperature_celsius{room="hall"}',
    ]
    times = [FIRST + 123 + step * 15_000 for step in range(40)]
    values = [_bits(step * 500.0) for step in range(40)]
    assert found[1][1] == list(zip(times, values, strict=True))


def _bits(value: float) -> int:
    return int(np.array([value]).view(np.uint64)[0])


def test_what_is_accepted_first_and_known_is_answered(client: Client) -> None:
    def kind(*accepts: int) -> str:
        return post(client, request(BY_NAME, start=FIRST, end=LAST, accepts=accepts))[1]

    assert kind() == kind(SAMPLES, CHUNKS) == "application/x-protobuf"
    assert kind(7, CHUNKS).startswith("application/x-streamed-protobuf")
    status, _, said = post(client, request(BY_NAME, start=FIRST, end=LAST, accepts=[7]))
    assert status == 400
    assert said.startswith(b"server does not support any of the requested response types")


def test_queries_are_answered_one_by_one(client: Client) -> None:
    body = request(("room", "=", "hall"), start=FIRST, end=LAST, queries=2)
    assert [len(series) for series in samples_of(post(client, body)[2])] == [1, 1]
    body = request(("room", "=", "hall"), start=FIRST, end=LAST, queries=2, accepts=[CHUNKS])
    frames = [frame for _, frame in frames_of(post(client, body)[2])]
    assert [frame.query_index for frame in frames] == [0, 1]


@pytest.mark.parametrize("accepts", [SAMPLES, CHUNKS])
def test_external_labels_are_added_and_may_be_asked_for(stage: Stage, accepts: int) -> None:
    stage.external_labels = {"region": "eu", "room": "unknown"}
    region = ("region", "=", "eu")
    with serving(stage) as client:
        body = request(region, ("__name__", "=~", "te.*"), start=FIRST, end=LAST, accepts=[accepts])
        answer = post(client, body)[2]
        nothing = request(("region", "=", "us"), start=FIRST, end=LAST)
        assert samples_of(post(client, nothing)[2]) == [[]]
    if accepts == SAMPLES:
        labels = samples_of(answer)[0][0][0]
    else:
        series = next(frames_of(answer))[1].chunked_series[0]
        labels = {each.name: each.value for each in series.labels}
    assert labels == {"__name__": "temperature_celsius", "region": "eu", "room": "hall"}


@pytest.mark.parametrize("accepts", [SAMPLES, CHUNKS])
def test_more_samples_than_allowed_are_refused(stage: Stage, accepts: int) -> None:
    stage.max_samples = 79
    with serving(stage) as client:
        body = request(BY_NAME, start=FIRST, end=LAST, accepts=[accepts])
        assert post(client, body)[0::2] == (400, b"exceeded sample limit (79)\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", b"the body is not in the snappy block format"),
        (b"\xff\xff\xff\xff\x0f", b"snappy: decoded length 4294967295 exceeds limit 33554432"),
        (b"\x05\xff\xff", b"snappy: corrupt input"),
        (b"\x03\x08\xff\xff\xff", b"the body is not a ReadRequest"),
        (request(("a", "=~", "("), start=0, end=1), b"is not a valid RE2 regular expression"),
    ],
)
def test_what_is_no_request_is_refused_in_plain_text(
    client: Client, body: bytes, message: bytes
) -> None:
    status, kind, said = post(client, body)
    assert (status, kind) == (400, "text/plain; charset=utf-8")
    assert message in said


def test_reading_waits_for_the_start(stage: Stage) -> None:
    stage.ready = False
    with serving(stage) as client:
        assert post(client, request(BY_NAME, start=FIRST, end=LAST))[0] == 503


def test_a_remote_read_is_on_the_list_of_queries(stage: Stage) -> None:
    stage.queries = QueryLog(stage.clock, slow_seconds=60, most=1)
    with serving(stage) as client:
        post(client, request(BY_NAME, ("code", "!=", "500"), start=FIRST, end=LAST))
    [record] = stage.queries.recent()
    assert (record.kind, record.expr) == (
        "remote_read",
        '{__name__="requests_total",code!="500"}',
    )
    assert (record.start_ms, record.end_ms, record.samples_read) == (FIRST, LAST, 40)


def test_so_many_queries_as_are_allowed_leave_no_room_for_a_remote_read(stage: Stage) -> None:
    stage.queries = QueryLog(stage.clock, slow_seconds=60, most=0)
    with serving(stage) as client:
        status, kind, said = post(client, request(BY_NAME, start=FIRST, end=LAST))
    assert (status, kind) == (503, "text/plain; charset=utf-8")
    assert b"queries run and wait already" in said


def test_staleness_markers_keep_their_bits() -> None:
    values = np.array([1.0, 0.0, 2.0])
    values.view(np.uint64)[1] = STALE_BITS
    ts = np.array([1000, 2000, 3000])
    [(_, [chunk])] = xor.encode(ts, values, np.array([0, 3]))
    assert decoded(chunk.data) == [(1000, _bits(1.0)), (2000, STALE_BITS), (3000, _bits(2.0))]


@pytest.mark.parametrize("seed", range(8))
def test_chunks_of_any_samples_are_read_as_they_were(seed: int) -> None:
    chance = np.random.default_rng(seed)
    lengths = chance.integers(0, 400, size=6)
    offsets = np.append(0, np.cumsum(lengths))
    count = int(offsets[-1])
    # Steps of every size that the format knows; some series begin before 1970.
    steps = chance.choice([1, 15_000, 60_000, 300_000, 10**9, 10**13], size=count)
    ts = np.cumsum(steps + chance.integers(0, 3, size=count)) - 10**12
    values = np.round(chance.normal(size=count) * 10, int(chance.integers(0, 4)))
    values.view(np.uint64)[chance.integers(0, count, size=5)] = chance.integers(0, 2**63, size=5)
    found = {
        number: [sample for chunk in chunks for sample in decoded(chunk.data)]
        for number, chunks in xor.encode(ts, values, offsets)
    }
    bits = values.view(np.uint64).tolist()
    for number in range(6):
        rows = range(offsets[number], offsets[number + 1])
        assert found.get(number, []) == [(int(ts[row]), bits[row]) for row in rows]


def test_a_long_series_is_divided_between_frames(stage: Stage) -> None:
    labels = Labels({"__name__": "noise"})
    values = np.random.default_rng(1).normal(size=20_000)
    rows = [(labels, 1000 + i, value) for i, value in enumerate(values.tolist())]
    asyncio.run(stage.samples.append(SampleBatch.of(rows)))
    with serving(stage) as client:
        body = request(("__name__", "=", "noise"), start=0, end=30_000, accepts=[CHUNKS])
        frames = list(frames_of(post(client, body)[2]))
    assert len(frames) > 3
    assert all(checksum == crc32c(frame.SerializeToString()) for checksum, frame in frames)
    chunks = [chunk for _, frame in frames for chunk in frame.chunked_series[0].chunks]
    assert [time for chunk in chunks for time, _ in decoded(chunk.data)] == [
        1000 + i for i in range(20_000)
    ]


@pytest.mark.parametrize(
    ("data", "checksum"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],
)
def test_the_checksum_is_castagnolis(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum  # of RFC 3720, B.4


def test_the_checksum_of_what_is_long_is_the_same_in_both_ways() -> None:
    data = np.random.default_rng(1).bytes(65_536)
    assert crc32c(data) == _slowly(data)
    assert crc32c(data + b"!") == _slowly(data + b"!") != crc32c(data)


class Endless:
    """Samples without end; says when they are read no more."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    def select(self, *_: object, **__: object) -> Iterator[SeriesSamples]:
        row = np.zeros(1)
        try:
            while True:
                self.begun.set()
                yield SeriesSamples([Labels({"a": "b"})], np.array([0, 1]), row.astype(int), row)
        finally:
            self.ended.set()


@pytest.mark.parametrize("accepts", [SAMPLES, CHUNKS])
def test_nothing_is_read_for_a_reader_that_has_gone(
    stage: Stage, accepts: int, free_port: Callable[[], int]
) -> None:
    stage.max_samples = 10**12
    endless = Endless()
    stage.samples = endless  # type: ignore[assignment] # only selected from
    body = request(BY_NAME, start=FIRST, end=LAST, accepts=[accepts])
    with listening(stage, free_port()) as ours:
        host, _, port = ours.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            lines = ["POST /api/v1/read HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            assert endless.begun.wait(60)
        assert endless.ended.wait(60)


@pytest.mark.needs("prometheus")
def test_a_prometheus_answers_from_our_samples(
    stage: Stage, tmp_path: Path, program: Callable[[str], str], free_port: Callable[[], int]
) -> None:
    stage.external_labels = {"region": "eu"}
    with listening(stage, free_port()) as ours:
        (tmp_path / "prometheus.yml").write_text(
            f"remote_read: [{{url: '{ours}/api/v1/read', read_recent: true}}]\n"
        )
        peer = Peer("prometheus", program("prometheus"), tmp_path)
        try:
            peer.start()
            for expr in (
                'sum by (code, region) (rate(requests_total{region="eu"}[4m]))',
                "temperature_celsius - 20",
                'count({__name__=~".+", code!="500"})',
            ):
                assert asked(peer.url, expr) == asked(ours, expr.replace('{region="eu"}', ""))
        finally:
            peer.kill()


def asked(url: str, expr: str) -> dict[str, list[str]]:
    """A range query off the grid of samples; without the label that only a peer adds."""
    form = {"query": expr, "start": NOW - 300, "end": NOW - 40, "step": 7}
    where = f"{url}/api/v1/query_range?{urllib.parse.urlencode(form)}"
    with urllib.request.urlopen(where, timeout=60) as answer:
        found = json.load(answer)["data"]["result"]
    assert found, expr
    rows = {}
    for series in found:
        name = json.dumps({n: v for n, v in series["metric"].items() if n != "region"})
        rows[name] = [f"{float(value):.9g}" for _, value in series["values"]]
    return rows
