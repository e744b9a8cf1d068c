"""Metrics: names are checked, labels guarded, timing fits every sort of function."""

import logging
import re
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pynomaly.ingest.exposition import openmetrics, text
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.observability.metrics.families import GROUPS
from pynomaly.observability.metrics.family import Ready
from pynomaly.observability.metrics.naming import MetricNameError, problems_of
from pynomaly.observability.metrics.types import OVERFLOW, Guarded

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def metrics() -> MetricsCollector:
    return MetricsCollector(CollectorRegistry())


def value(metrics: MetricsCollector, sample: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(sample, labels)


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("counter", "orders", "ends in '_total'"),
        ("gauge", "users_total", "only counters end in '_total'"),
        ("histogram", "request_latency_ms", "measure in seconds, not in ms"),
        ("counter", "sent_kilobytes_total", "measure in bytes"),
        ("gauge", "disk_used_percent", "measure in ratio"),
        ("gauge", "OrdersOpen", "lower snake_case"),
        ("gauge", "job:orders", "recording rules"),
        ("gauge", "orders_gauge", "leave its type"),
        ("summary", "orders_count", "'_count' is reserved"),
        ("counter", "orders_by_shop_total", "as a label instead"),
    ],
)
def test_a_name_that_breaks_the_conventions_is_refused_with_what_to_write(
    metrics: MetricsCollector, kind: str, name: str, says: str
) -> None:
    with pytest.raises(MetricNameError, match=re.escape(says)):
        getattr(metrics, kind)(name, "What it measures.")


@pytest.mark.parametrize("label", ["le", "quantile", "__shop", "Shop"])
def test_a_label_that_breaks_the_conventions_is_refused(
    metrics: MetricsCollector, label: str
) -> None:
    with pytest.raises(MetricNameError, match="label"):
        metrics.counter("orders_total", "Orders.", [label])


def test_a_name_is_kept_for_a_reason_that_is_given(metrics: MetricsCollector) -> None:
    metrics.gauge("cert_days", "Days left.", kept_because="an old alert reads it").set(3)
    assert value(metrics, "cert_days") == 3


def test_a_metric_without_help_is_refused(metrics: MetricsCollector) -> None:
    with pytest.raises(MetricNameError, match="what it measures"):
        metrics.counter("orders_total", " ")


def test_two_collectors_of_a_registry_share_a_metric(metrics: MetricsCollector) -> None:
    metrics.counter("orders_total", "Orders.", ["shop"]).labels("a").inc()
    other = MetricsCollector(metrics.registry)
    other.counter("orders_total", "Orders.", ["shop"]).labels(shop="a").inc()
    assert value(metrics, "orders_total", shop="a") == 2


def test_a_name_cannot_mean_two_metrics(metrics: MetricsCollector) -> None:
    metrics.counter("orders_total", "Orders.", ["shop"])
    with pytest.raises(ValueError, match="defined already"):
        metrics.counter("orders_total", "Orders.", ["country"])


def test_labels_beyond_the_limit_fall_into_one_series_that_is_counted_and_said_once(
    metrics: MetricsCollector, caplog: pytest.LogCaptureFixture
) -> None:
    users = metrics.counter("visits_by_total", "Visits.", ["user"], max_series=3, kept_because="x")
    with caplog.at_level(logging.WARNING):
        for number in range(10):
            users.labels(f"user-{number}").inc()
    assert value(metrics, "visits_by_total", user="user-2") == 1
    assert value(metrics, "visits_by_total", user="user-3") is None
    assert value(metrics, "visits_by_total", user=OVERFLOW) == 7
    assert value(metrics, "pynomaly_sdk_series_overflow_total", metric="visits_by") == 7
    assert len(caplog.records) == 1
    assert "visits_by has 3 series" in caplog.text


def test_a_removed_series_makes_room_for_another(metrics: MetricsCollector) -> None:
    depth = metrics.gauge("depth", "Depth.", ["queue"], max_series=1)
    depth.labels("a").set(1)
    depth.remove("a")
    depth.labels("b").set(2)
    assert value(metrics, "depth", queue="b") == 2
    assert value(metrics, "depth", queue="a") is None
    depth.clear()
    depth.labels("c").set(3)
    assert value(metrics, "depth", queue="c") == 3


def test_equal_label_values_of_other_types_are_other_series(metrics: MetricsCollector) -> None:
    seen = metrics.counter("seen_total", "Seen.", ["what"])
    for what in (1, True, 1.0, "1"):
        seen.labels(what).inc()
    assert value(metrics, "seen_total", what="1") == 2
    assert value(metrics, "seen_total", what="True") == 1
    assert value(metrics, "seen_total", what="1.0") == 1


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), (("a",), {}), ((), {"x": "1", "z": "2"}), (("a", "b", "c"), {})]
)
def test_wrong_labels_raise_as_in_prometheus_client(
    metrics: MetricsCollector, given: tuple[str, ...], named: dict[str, str]
) -> None:
    pair = metrics.counter("pairs_total", "Pairs.", ["x", "y"])
    with pytest.raises(ValueError, match="label"):
        pair.labels(*given, **named)


def test_labels_may_be_named_in_any_order(metrics: MetricsCollector) -> None:
    pair = metrics.counter("pairs_total", "Pairs.", ["x", "y"])
    pair.labels(y="2", x="1").inc()
    pair.labels(x="1", y="2").inc()
    assert value(metrics, "pairs_total", x="1", y="2") == 2


def test_a_metric_is_a_metric_of_prometheus_client(metrics: MetricsCollector) -> None:
    assert isinstance(metrics.counter("a_total", "A."), prometheus_client.Counter)
    assert isinstance(metrics.histogram("b_seconds", "B."), prometheus_client.Histogram)


async def test_timing_lasts_until_the_end_of_every_sort_of_function(
    metrics: MetricsCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(
        "prometheus_client.context_managers.default_timer", lambda: float(next(clock))
    )
    work = metrics.histogram("work_seconds", "Work.", buckets=[1, 2, 100])

    @work.time()
    def plain() -> int:
        next(clock)
        return 1

    @work.time()
    async def coroutine() -> int:
        next(clock)
        return 2

    @work.time()
    def generator():
        next(clock)
        yield 3

    @work.time()
    async def async_generator():
        next(clock)
        yield 4

    assert plain() == 1
    assert await coroutine() == 2
    assert list(generator()) == [3]
    assert [item async for item in async_generator()] == [4]
    with work.time():
        next(clock)
    async with work.time():
        next(clock)
    assert value(metrics, "work_seconds_count") == 6
    assert value(metrics, "work_seconds_sum") == 12


async def test_a_job_counts_how_it_ended_and_for_how_long(metrics: MetricsCollector) -> None:
    @metrics.detection.job("iforest")
    async def detect(fail: bool) -> str:
        assert value(metrics, "detection_jobs_in_progress", detector="iforest") == 1
        if fail:
            raise RuntimeError("no data")
        return "found"

    assert await detect(False) == "found"
    with pytest.raises(RuntimeError, match="no data"):
        await detect(True)
    with metrics.training.job("lof"):
        pass
    labels = {"detector": "iforest"}
    assert value(metrics, "detection_jobs_total", status="success", **labels) == 1
    assert value(metrics, "detection_jobs_total", status="failure", **labels) == 1
    assert value(metrics, "detection_job_duration_seconds_count", **labels) == 2
    assert value(metrics, "detection_jobs_in_progress", **labels) == 0
    assert value(metrics, "training_jobs_total", model="lof", status="success") == 1


def test_a_generator_left_early_has_not_failed(metrics: MetricsCollector) -> None:
    @metrics.jobs.job("rows")
    def rows():
        yield from range(10)

    for row in rows():
        if row == 3:
            break
    assert value(metrics, "background_jobs_total", job="rows", status="success") == 1


def everything(metrics: MetricsCollector) -> None:
    """Use every ready metric once."""
    for group, definitions in GROUPS.items():
        for attribute, ready in vars(definitions).items():
            if isinstance(ready, Ready):
                metric: Guarded = getattr(getattr(metrics, group), attribute)
                if ready.definition.labels:
                    metric.labels(*["x"] * len(ready.definition.labels))


CHECKLIST = [
    "http_requests_total",
    "http_request_duration_seconds_bucket",
    "synthdata_generation_success_total",
    "synthdata_generation_total",
    "synthdata_generation_duration_seconds_bucket",
    "synthdata_generation_queue_length",
    "synthdata_model_training_duration_seconds_bucket",
    "synthdata_active_users_total",
    "synthdata_data_processed_bytes_total",
    "synthdata_api_requests_total",
    "synthdata_revenue_generated_total",
    "auth_failures_total",
    "privileged_operations_total",
    "cert_expiry_days",
    "anomaly_detections_total",
    "model_inference_duration_seconds_bucket",
    "model_accuracy_score",
    "data_processing_duration_seconds_bucket",
]


def test_the_ready_families_have_every_name_of_the_guides(metrics: MetricsCollector) -> None:
    everything(metrics)
    exposed = {s.name for family in metrics.registry.collect() for s in family.samples}
    assert set(CHECKLIST) - exposed == set()


def test_only_names_kept_for_a_reason_break_the_conventions() -> None:
    breaking = {
        ready.definition.name
        for group in GROUPS.values()
        for ready in vars(group).values()
        if isinstance(ready, Ready)
        and problems_of(
            ready.definition.kind,
            ready.definition.name,
            ready.definition.help,
            ready.definition.labels,
        )
    }
    assert breaking == {"cert_expiry_days", "synthdata_active_users_total"}


def test_unused_families_are_not_exposed(metrics: MetricsCollector) -> None:
    metrics.security.auth_failures.labels("password").inc()
    names = {family.name for family in metrics.registry.collect()}
    assert names == {"auth_failures"}


def test_the_exposition_is_read_by_both_parsers_of_both_formats(metrics: MetricsCollector) -> None:
    everything(metrics)
    metrics.cache.miss('a "quoted"\nname\\')
    metrics.jobs.duration.labels("export").observe(3, {"trace_id": "ab" * 16})
    plain, plain_type = metrics.exposition()
    open_body, open_type = metrics.exposition(OPENMETRICS)
    assert plain_type.startswith("text/plain; version=0.0.4")
    assert open_type.startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name for family in metrics.registry.collect()}
    assert {family.name for family in parse_openmetrics(open_body.decode())} == families
    assert len(list(parse_text(plain.decode()))) >= len(families)
    assert openmetrics.parse(open_body, strict=True).raw
    assert text.parse(plain).raw
    assert b'# {trace_id="abab' in open_body


@pytest.mark.needs("promtool")
def test_promtool_objects_to_nothing_but_the_kept_names(
    metrics: MetricsCollector, program, tmp_path: Path
) -> None:
    import subprocess

    everything(metrics)
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=metrics.exposition()[0],
        capture_output=True,
        timeout=60,
    )
    objected = {line.split()[0] for line in checked.stderr.decode().splitlines()}
    assert objected == {"cert_expiry_days", "synthdata_active_users_total"}


def test_a_connection_pool_is_read_when_it_is_scraped(metrics: MetricsCollector) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=sqlalchemy.pool.QueuePool, pool_size=3, max_overflow=0
    )
    metrics.database.watch_pool("main", engine.pool)
    with engine.connect(), engine.connect():
        assert value(metrics, "db_pool_connections", pool="main", state="in_use") == 2
    assert value(metrics, "db_pool_connections", pool="main", state="in_use") == 0
    assert value(metrics, "db_pool_connections", pool="main", state="idle") == 2
    assert value(metrics, "db_pool_connections_max", pool="main") == 3
