"""Push: remote write and OTLP to real receivers; nothing lost or blocked while they are away."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import cramjam
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client import CollectorRegistry

from pynomaly.ingest.remote_write import v1_pb2
from pynomaly.observability.delivery.background import Background
from pynomaly.observability.delivery.http import Answer
from pynomaly.observability.delivery.otlp import logs_request
from pynomaly.observability.delivery.outbox import Backoff, DeliveryMetrics, Outbox
from pynomaly.observability.delivery.spool import Spool
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.observability.push.pusher import Pusher
from pynomaly.observability.push.remote_write import snappy_literals, write_request
from tests.observability.sdk_receiver import Receiver, otlp_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as running:
        yield running


@pytest.fixture
def metrics() -> MetricsCollector:
    return MetricsCollector(CollectorRegistry())


class Time:
    """Wall clock, monotonic clock and sleep in one, that no test waits for."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def decoded(body: bytes) -> dict[tuple[tuple[str, str], ...], tuple[float, int]]:
    request = v1_pb2.WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    return {
        tuple((label.name.decode(), label.value.decode()) for label in series.labels): (
            series.samples[0].value,
            series.samples[0].timestamp,
        )
        for series in request.timeseries
    }


@given(st.binary(max_size=200_000))
def test_the_literals_are_snappy(data: bytes) -> None:
    assert bytes(cramjam.snappy.decompress_raw(snappy_literals(data))) == data


def test_a_write_request_has_every_sample_with_sorted_labels(metrics: MetricsCollector) -> None:
    metrics.counter("rows_total", "Rows.", ["table"]).labels("a€b").inc(3)
    metrics.gauge("depth", "Depth.").set(-2.5)
    metrics.histogram("work_seconds", "Work.", buckets=[1]).observe(0.5)
    body, samples = write_request(
        metrics.registry.collect(), 1_700_000_000_123, {"job": "nightly", "empty": ""}
    )
    series = decoded(body)
    assert len(series) == samples == 6
    key = (("__name__", "rows_total"), ("job", "nightly"), ("table", "a€b"))
    assert series[key] == (3.0, 1_700_000_000_123)
    bucket = (("__name__", "work_seconds_bucket"), ("job", "nightly"), ("le", "+Inf"))
    assert series[bucket][0] == 1.0
    assert all(list(labels) == sorted(labels) for labels in series)


def test_a_batch_job_is_counted_timed_stamped_and_pushed(
    receiver: Receiver, metrics: MetricsCollector
) -> None:
    pusher = Pusher(
        f"{receiver.url}/api/v1/write",
        "nightly",
        labels={"instance": "h"},
        metrics=metrics,
        clock=Time(),
    )
    with pusher.batch_job():
        metrics.counter("rows_total", "Rows.").inc(7)
    (request,) = receiver.requests
    assert request.headers["content-encoding"] == "snappy"
    assert request.headers["x-prometheus-remote-write-version"] == "0.1.0"
    found = {dict(labels)["__name__"]: value for labels, value in decoded(request.body).items()}
    assert found["rows_total"] == (7.0, 1_700_000_000_000)
    assert found["background_job_last_success_timestamp_seconds"][0] == 1_700_000_000
    labels = next(labels for labels in decoded(request.body) if ("status", "success") in labels)
    assert ("instance", "h") in labels
    assert ("job", "nightly") in labels


def test_a_job_that_fails_is_pushed_as_failed(
    receiver: Receiver, metrics: MetricsCollector
) -> None:
    pusher = Pusher(f"{receiver.url}/api/v1/write", "nightly", metrics=metrics)
    with pytest.raises(LookupError), pusher.batch_job():
        raise LookupError("no rows")
    names = [dict(labels) for labels in decoded(receiver.requests[0].body)]
    assert any(labels.get("status") == "failure" for labels in names)
    assert not any("last_success" in labels["__name__"] for labels in names)


def test_a_push_tries_again_as_the_server_asks(
    receiver: Receiver, metrics: MetricsCollector
) -> None:
    receiver.answers = [(503, {}), (429, {"Retry-After": "7"})]
    at = Time()
    pusher = Pusher(f"{receiver.url}/w", "j", metrics=metrics, sleep=at.sleep, monotonic=at)
    assert pusher.push() is True
    assert at.slept == [0.5, 7.0]
    assert len({request.body for request in receiver.requests}) == 1


def test_what_a_server_refuses_is_dropped_counted_and_not_tried_again(
    receiver: Receiver, metrics: MetricsCollector, tmp_path: Path
) -> None:
    receiver.status = 400
    metrics.gauge("depth", "Depth.").set(1)
    pusher = Pusher(f"{receiver.url}/w", "j", metrics=metrics, spool=tmp_path)
    assert pusher.push() is False
    assert len(receiver.requests) == 1
    labels = {"signal": "metrics", "reason": "refused"}
    assert metrics.registry.get_sample_value("pynomaly_sdk_items_dropped_total", labels)
    assert Spool(tmp_path).waiting() == []


def test_pushes_wait_on_disk_over_runs_and_arrive_in_order(
    receiver: Receiver, metrics: MetricsCollector, tmp_path: Path
) -> None:
    at, url = Time(), f"{receiver.url}/w"
    depth = metrics.gauge("depth", "Depth.")

    def run(value: float) -> bool:
        depth.set(value)
        at.now += 60
        own = Pusher(
            url, "j", metrics=metrics, spool=tmp_path, clock=at, sleep=at.sleep, monotonic=at
        )
        return own.push()

    receiver.status = 503
    assert [run(1), run(2)] == [False, False]
    receiver.status = 200
    receiver.requests.clear()
    assert run(3) is True
    seen = [
        value
        for request in receiver.requests
        for labels, value in decoded(request.body).items()
        if ("__name__", "depth") in labels
    ]
    assert [value for value, _ in seen] == [1, 2, 3]
    assert [when for _, when in seen] == sorted(when for _, when in seen)
    assert Spool(tmp_path).waiting() == []


def test_a_minute_without_the_server_loses_and_holds_up_nothing(
    receiver: Receiver, metrics: MetricsCollector, tmp_path: Path
) -> None:
    """Every second a push, for ten minutes; the server is away for one of them."""
    at = Time()
    url = f"{receiver.url}/w"
    pushed = metrics.gauge("second", "Second.")
    pusher = Pusher(
        url, "j", metrics=metrics, spool=tmp_path, tries=1, clock=at, sleep=at.sleep, monotonic=at
    )
    tried_while_away = 0
    for second in range(600):
        receiver.status = 503 if 200 <= second < 260 else 200
        pushed.set(second)
        before = len(receiver.requests)
        pusher.push()
        if receiver.status == 503:
            tried_while_away += len(receiver.requests) - before
        at.now += 1
    at.now += 60
    assert pusher.flush()
    arrived = {
        value[0]
        for request in receiver.requests
        for labels, value in decoded(request.body).items()
        if ("__name__", "second") in labels
    }
    assert arrived == set(range(600))
    assert tried_while_away < 10  # it backs off instead of knocking each second
    assert at.slept == []  # and the application never waited


def test_a_spool_keeps_the_newest_within_its_bound(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1000)
    lost = [spool.add(bytes([number]) * 300, items=number) for number in range(5)]
    assert lost == [0, 0, 0, 0, 1]
    assert [entry.items for entry in spool.waiting()] == [2, 3, 4]
    assert spool.size == 900
    assert spool.add(bytes(2000), items=9) == 9


def test_a_payload_is_sent_by_one_process_and_comes_back_if_that_has_ended(tmp_path: Path) -> None:
    import sys

    spool, other = Spool(tmp_path), Spool(tmp_path)
    spool.add(b"first")
    spool.add(b"second")
    first, second = spool.waiting()
    assert spool.take(first) == b"first"
    assert other.take(first) is None
    assert [entry.path for entry in other.waiting()] == [second.path]
    spool.give_back(first)
    assert [entry.path for entry in other.waiting()] == [first.path, second.path]

    code = f"""
from pynomaly.observability.delivery.spool import Spool
spool = Spool({str(tmp_path)!r})
spool.take(spool.waiting()[0])
print(len(spool.waiting()))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert ended.stdout.strip() == b"1", ended.stderr
    assert [entry.path for entry in spool.waiting()] == [first.path, second.path]


def test_a_spool_that_cannot_be_written_is_counted(
    metrics: MetricsCollector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "spool")
    (tmp_path / "spool").rmdir()
    (tmp_path / "spool").write_text("in the way")
    outbox = Outbox(
        lambda payload: Answer(False, True, "away"),
        DeliveryMetrics("metrics", metrics.registry),
        spool=spool,
        tries=1,
    )
    assert outbox.deliver(b"x", 3) is False
    labels = {"signal": "metrics", "reason": "spool_failed"}
    assert metrics.registry.get_sample_value("pynomaly_sdk_items_dropped_total", labels) == 3
    assert "on disk" in caplog.text


def test_waits_double_up_to_their_most() -> None:
    assert [Backoff(1, 10).after(n) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_a_full_queue_drops_at_once() -> None:
    import threading

    dropped: list[str] = []
    release, taken = threading.Event(), []

    def take(batch: list[int]) -> None:
        release.wait(60)
        taken.extend(batch)

    queue = Background[int](take, lambda why, n: dropped.append(why), capacity=3, batch=2)
    offered = [queue.offer(n) for n in range(50)]
    release.set()
    queue.close()
    assert len(taken) + len(dropped) == 50
    assert offered.count(True) == len(taken)
    assert set(dropped) == {"queue_full"}
    assert queue.offer(1) is False


def test_metrics_go_as_otlp_that_the_protobuf_reads(
    receiver: Receiver, metrics: MetricsCollector
) -> None:
    metrics.counter("rows_total", "Rows.", ["table"]).labels("a").inc(3)
    metrics.gauge("depth", "Depth.").set(float("nan"))
    work = metrics.histogram("work_seconds", "Work.", buckets=[1, 2])
    for seconds in (0.5, 1.5, 1.7, 9):
        work.observe(seconds)
    work.observe(1.6, {"trace_id": "ab" * 16, "span_id": "cd" * 8, "user": "u"})
    pusher = Pusher(receiver.url, "nightly", protocol="otlp", metrics=metrics)
    assert pusher.push()
    (request,) = receiver.requests
    assert request.path == "/v1/metrics"
    parsed = json_format.ParseDict(json.loads(request.body), ExportMetricsServiceRequest())
    found = {m.name: m for m in parsed.resource_metrics[0].scope_metrics[0].metrics}
    rows = found["rows_total"].sum
    assert rows.is_monotonic
    assert rows.aggregation_temporality == 2
    assert rows.data_points[0].as_double == 3
    assert rows.data_points[0].start_time_unix_nano > 0
    attributes = {a.key: a.value.string_value for a in rows.data_points[0].attributes}
    assert (attributes["table"], attributes["job"]) == ("a", "nightly")
    histogram = found["work_seconds"].histogram.data_points[0]
    assert list(histogram.bucket_counts) == [1, 3, 1]
    assert list(histogram.explicit_bounds) == [1, 2]
    assert (histogram.count, histogram.sum) == (5, pytest.approx(14.3))
    (exemplar,) = histogram.exemplars
    assert exemplar.as_double == 1.6
    assert exemplar.filtered_attributes[0].key == "user"
    sent = json.loads(request.body)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    (point,) = next(m for m in sent if m["name"] == "work_seconds")["histogram"]["dataPoints"]
    assert point["exemplars"][0]["traceId"] == "ab" * 16


def test_log_lines_go_as_otlp_that_the_protobuf_reads() -> None:
    line = {
        "@timestamp": "2026-01-02T03:04:05.000006Z",
        "level": "error",
        "event": "failed",
        "amount": 3,
        "tags": ["a", {"b": None}],
    }
    sent = json.loads(
        logs_request([json.dumps({**line, "trace_id": "ab" * 16, "span_id": "cd" * 8})])
    )
    record = sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert record["traceId"] == "ab" * 16
    parsed = json_format.ParseDict(sent, ExportLogsServiceRequest())
    read = parsed.resource_logs[0].scope_logs[0].log_records[0]
    assert read.time_unix_nano == 1_767_323_045_000_006_000
    assert (read.severity_number, read.severity_text) == (17, "ERROR")
    assert read.body.string_value == "failed"
    assert {a.key for a in read.attributes} == {"amount", "tags"}


@pytest.mark.parametrize(
    ("url", "protocol", "says"),
    [
        ("localhost:9090", "remote_write", "not an http"),
        (None, "remote_write", "not an http"),
        ("http://x", "carrier_pigeon", "none of remote_write, otlp"),
    ],
)
def test_a_wrong_target_is_refused(url: str | None, protocol: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Pusher(url, "j", protocol=protocol)  # type: ignore[arg-type] # on purpose


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.needs("prometheus")
def test_a_real_prometheus_takes_the_push(
    metrics: MetricsCollector, program, free_port, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "prometheus.yml").write_text("global: {}\n")
    server = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--enable-feature=exemplar-storage",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{url}/-/ready"), "Prometheus did not start")
        pusher = Pusher(f"{url}/api/v1/write", "nightly", metrics=metrics, tries=1)
        work = metrics.histogram("work_seconds", "Work.")
        work.observe(0.3, {"trace_id": "ab" * 16, "span_id": "cd" * 8})
        assert pusher.push()
        query = f"{url}/api/v1/query?query=work_seconds_bucket%7Ble=%220.5%22,job=%22nightly%22%7D"
        with urllib.request.urlopen(query, timeout=30) as response:
            (found,) = json.load(response)["data"]["result"]
        assert found["value"][1] == "1"
        span = f"start={time.time() - 600}&end={time.time() + 600}"
        with urllib.request.urlopen(
            f"{url}/api/v1/query_exemplars?{span}&query=work_seconds_bucket", timeout=30
        ) as response:
            (series,) = json.load(response)["data"]
        assert series["exemplars"][0]["labels"]["trace_id"] == "ab" * 16
        assert series["exemplars"][0]["value"] == "0.3"
    finally:
        server.terminate()
        server.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_a_thread_pushes_and_once_more_when_it_is_stopped(
    receiver: Receiver, metrics: MetricsCollector
) -> None:
    rows = metrics.counter("rows_total", "Rows.")
    pusher = Pusher(f"{receiver.url}/w", "j", metrics=metrics)
    pusher.start(interval=0.01)
    wait_for(lambda: receiver.requests, "nothing was pushed")
    rows.inc(5)
    pusher.stop()
    found = {
        dict(labels)["__name__"]: v for labels, v in decoded(receiver.requests[-1].body).items()
    }
    assert found["rows_total"][0] == 5


def test_log_lines_wait_in_the_spool_while_the_receiver_is_away(
    receiver: Receiver, tmp_path: Path
) -> None:
    import logging

    from pynomaly.observability.logs.configure import EventFormatter, render_json
    from pynomaly.observability.logs.delivery import logs_to_otlp

    registry, at = CollectorRegistry(), Time()
    receiver.status = 503
    delivery = logs_to_otlp(receiver.url, spool=tmp_path, registry=registry, monotonic=at)
    delivery.setFormatter(EventFormatter([], [], render_json))

    def say(text: str) -> None:
        delivery.handle(logging.makeLogRecord({"msg": text, "name": "shop"}))
        assert delivery.background.drained(60)

    say("while away")
    assert len(Spool(tmp_path).waiting()) == 1
    receiver.status = 200
    receiver.requests.clear()
    at.now += 3600
    say("when back")
    delivery.close()
    bodies = [
        record["body"]["stringValue"]
        for request in receiver.requests
        for resource in json.loads(request.body)["resourceLogs"]
        for record in resource["scopeLogs"][0]["logRecords"]
    ]
    assert bodies == ["while away", "when back"]
    assert [request.path for request in receiver.requests] == ["/v1/logs", "/v1/logs"]
    sent = registry.get_sample_value("pynomaly_sdk_items_delivered_total", {"signal": "logs"})
    assert sent == 2


def test_a_forked_child_delivers_its_own_items_and_not_its_parents(tmp_path: Path) -> None:
    import sys

    code = f"""
import os
from pathlib import Path
from pynomaly.observability.delivery.background import Background
out = Path({str(tmp_path / "taken.txt")!r})

def take(batch):
    with out.open("a") as file:
        file.writelines(f"{{os.getpid()}} {{item}}\\n" for item in batch)

queue = Background(take, lambda why, n: None, linger=60)
queue.offer("parent")
if os.fork() == 0:
    queue.offer("child")
    queue.close()
    os._exit(0)
os.wait()
queue.close()
print(os.getpid())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    taken = [line.split() for line in (tmp_path / "taken.txt").read_text().splitlines()]
    assert sorted(item for _, item in taken) == ["child", "parent"]
    by = {item: pid for pid, item in taken}
    assert by["parent"] == done.stdout.strip()
    assert by["child"] != by["parent"]
