"""The parts of the demo's service: model, cache, logins, queue, archive."""

import threading
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from detection_service.accounts import Accounts, LoginFailed
from detection_service.archive import Archive, ArchiveFull
from detection_service.cache import Cache
from detection_service.database import Database
from detection_service.learning import train
from detection_service.plant import SPREAD, commissioning, readings
from detection_service.work import QueueFull, WorkQueue
from pynomaly.observability import MetricsCollector


class Watch:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def metrics() -> MetricsCollector:
    return MetricsCollector(CollectorRegistry())


def value(metrics: MetricsCollector, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def test_the_model_finds_worn_machines_and_hardly_anything_else() -> None:
    model = train(commissioning())
    rows, bad = readings(np.random.default_rng(4), 5000)
    said = model.judge(rows)
    assert np.mean(said == bad) > 0.99
    assert np.mean(bad[said]) > 0.9  # so few false alarms that no shipped rule complains


def test_drift_is_near_nothing_on_usual_readings_and_large_on_shifted_ones() -> None:
    model = train(commissioning())
    rows, _ = readings(np.random.default_rng(4), 500)
    assert model.drift(rows) < 0.1
    assert model.drift(rows + 2 * SPREAD) > 1


def test_the_cache_makes_a_value_once_until_it_is_old(metrics: MetricsCollector) -> None:
    watch, made = Watch(), iter(range(10))
    cache = Cache("c", metrics, seconds=2.0, monotonic=watch)
    assert [cache.get("a", lambda: next(made)) for _ in range(3)] == [0, 0, 0]
    watch.now += 2.1
    assert cache.get("a", lambda: next(made)) == 1
    assert value(metrics, "cache_requests_total", cache="c", result="hit") == 2
    assert value(metrics, "cache_requests_total", cache="c", result="miss") == 2


def test_the_cache_gives_up_what_was_least_recently_used(metrics: MetricsCollector) -> None:
    cache = Cache("c", metrics, size=2, monotonic=Watch())
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda: "old")
    assert cache.get("a", lambda: "new") == "old"
    assert cache.get("b", lambda: "new") == "new"
    assert value(metrics, "cache_evictions_total", cache="c") == 2
    assert value(metrics, "cache_entries", cache="c") == 2


def test_after_ten_wrong_passwords_even_the_right_one_waits(
    metrics: MetricsCollector, tmp_path: Path
) -> None:
    watch = Watch()
    database = Database(tmp_path / "d.db", metrics, 2)
    accounts = Accounts(database, metrics, "right", watch)
    for _ in range(10):
        with pytest.raises(LoginFailed):
            accounts.log_in("operator-01", "wrong")
    with pytest.raises(LoginFailed):
        accounts.log_in("operator-01", "right")
    assert value(metrics, "auth_failures_total", reason="locked") == 1
    watch.now += 31
    assert accounts.user(accounts.log_in("operator-01", "right")).name == "operator-01"
    database.close()


def test_a_new_login_ends_the_session_before(metrics: MetricsCollector, tmp_path: Path) -> None:
    database = Database(tmp_path / "d.db", metrics, 2)
    accounts = Accounts(database, metrics, "right")
    first, second = (accounts.log_in("operator-01", "right") for _ in range(2))
    assert accounts.user(second).role == "operator"
    with pytest.raises(LoginFailed):
        accounts.user(first)
    database.close()


def test_a_full_queue_refuses_and_what_it_took_is_done_before_it_closes(
    metrics: MetricsCollector,
) -> None:
    go, begun, done = threading.Event(), threading.Event(), []
    queue = WorkQueue("q", metrics, workers=1, capacity=1)

    def first() -> None:
        begun.set()
        go.wait(30)
        raise RuntimeError("this one fails")

    queue.put(first)
    assert begun.wait(30)
    queue.put(lambda: done.append("second"))
    assert value(metrics, "queue_length", queue="q") == 1
    with pytest.raises(QueueFull):
        queue.put(lambda: done.append("third"))
    go.set()
    queue.close()
    assert done == ["second"]
    assert value(metrics, "queue_items_processed_total", queue="q", status="failure") == 1


def test_the_archive_keeps_its_newest_lines_and_refuses_what_does_not_fit(
    metrics: MetricsCollector, tmp_path: Path
) -> None:
    archive = Archive(tmp_path, 8 << 20, metrics)
    rows = [[1.0, 2.0, 3.0, 4.0]] * 1000
    for _ in range(60):
        archive.append("press-1", rows)
    assert len(list(tmp_path.iterdir())) == 4
    assert archive.used() < 400_000
    assert value(metrics, "archive_used_bytes") == archive.used()
    archive.room = archive.used() + 10
    with pytest.raises(ArchiveFull):
        archive.append("press-1", rows)
