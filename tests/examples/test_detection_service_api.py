"""The demo's service by HTTP: what it answers, and what its metrics say of it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from detection_service.accounts import ENGINEER, OPERATORS
from detection_service.app import create_app
from detection_service.plant import USUAL
from detection_service.settings import Settings
from pynomaly.observability import MetricsCollector

WELL = USUAL.tolist()
WORN = (USUAL * [2.0, 1.3, 1.0, 1.6]).tolist()


class Client:
    """Asks the application without a network; ``sample`` adds up series of a metric."""

    def __init__(self, folder: Path) -> None:
        self.metrics = MetricsCollector(CollectorRegistry())
        self.app = create_app(Settings(folder, password="secret"), self.metrics)
        self.service = self.app.state.service
        self.headers: dict[str, str] = {}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            over = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=over, base_url="http://t") as client:
                return await client.request(method, path, headers=self.headers, **options)

        return asyncio.run(ask())

    def log_in(self, user: str = OPERATORS[0]) -> None:
        answer = self.ask("POST", "/api/v1/login", json={"user": user, "password": "secret"})
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def detect(self, *rows: list[float]) -> Any:
        body = {"machine": "press-1", "readings": list(rows)}
        return self.ask("POST", "/api/v1/detections", json=body)

    def sample(self, name: str, **labels: str) -> float:
        return sum(
            s.value
            for family in self.metrics.registry.collect()
            for s in family.samples
            if s.name == name and labels.items() <= s.labels.items()
        )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path)
    yield made
    made.service.close()


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_readings_of_a_worn_machine_are_told_from_those_of_a_well_one(client: Client) -> None:
    client.log_in()
    found = client.detect(WELL, WORN, WELL).json()
    assert found["anomalous"] == [False, True, False]
    (kept,) = client.ask("GET", "/api/v1/detections").json()
    assert (kept["id"], kept["machine"]) == (found["id"], "press-1")
    assert client.sample("anomaly_detections_total") == 1
    assert client.sample("model_predictions_total", version="1") == 3
    assert client.sample("detection_jobs_total", status="success") == 1
    assert client.sample("db_query_duration_seconds_count", operation="insert") >= 1


def test_labels_that_come_later_say_how_good_the_model_is(client: Client) -> None:
    client.log_in()
    for _ in range(10):
        found = client.detect(*[WELL] * 9, *[WORN] * 3).json()
        truth = [False] * 9 + [True, True, False]
        path = f"/api/v1/detections/{found['id']}/labels"
        assert client.ask("POST", path, json={"anomalous": truth}).status_code == 204
    assert client.sample("model_accuracy_score") == pytest.approx(11 / 12)
    assert client.sample("model_precision_ratio") == pytest.approx(2 / 3)
    assert client.sample("model_recall_ratio") == 1
    assert client.sample("anomaly_false_positives_total") == 10


def test_labels_of_nothing_or_of_another_number_of_readings_are_refused(client: Client) -> None:
    client.log_in()
    labels = {"anomalous": [True]}
    assert client.ask("POST", "/api/v1/detections/7/labels", json=labels).status_code == 404
    number = client.detect(WELL, WELL).json()["id"]
    assert client.ask("POST", f"/api/v1/detections/{number}/labels", json=labels).status_code == 422


def test_nothing_is_answered_without_a_login_but_the_login(client: Client) -> None:
    assert client.detect(WELL).status_code == 401
    wrong = {"user": OPERATORS[0], "password": "guess"}
    assert client.ask("POST", "/api/v1/login", json=wrong).status_code == 401
    unknown = {"user": "root", "password": "guess"}
    assert client.ask("POST", "/api/v1/login", json=unknown).status_code == 401
    assert client.sample("auth_failures_total", reason="wrong_password") == 1
    assert client.sample("auth_failures_total", reason="unknown_user") == 1
    assert client.sample("auth_failures_total", reason="unknown_token") == 1
    client.log_in()
    assert client.detect(WELL).status_code == 200
    assert client.sample("business_active_sessions") == 1


def test_only_an_engineer_may_have_the_model_trained(client: Client) -> None:
    client.log_in()
    assert client.ask("POST", "/api/v1/jobs/training").status_code == 403
    assert client.sample("access_denied_total", action="train") == 1
    trained = client.sample("training_jobs_total", status="success")
    client.log_in(ENGINEER)
    number = client.ask("POST", "/api/v1/jobs/training").json()["id"]
    path = f"/api/v1/jobs/{number}"
    until(lambda: client.ask("GET", path).json()["status"] == "done")
    assert client.sample("training_jobs_total", status="success") == trained + 1
    assert client.sample("background_jobs_total", job="training", status="success") == 1
    assert client.sample("queue_items_processed_total", status="success") == 1


def test_a_job_that_fails_says_why_and_the_next_one_is_done(client: Client) -> None:
    client.log_in()
    body = {"machine": "press-1", "readings": [WELL]}
    client.service.archive.room = 0
    number = client.ask("POST", "/api/v1/jobs/detection", json=body).json()["id"]
    path = f"/api/v1/jobs/{number}"
    failed = until(lambda: (j := client.ask("GET", path).json())["status"] == "failed" and j)
    assert "full" in failed["result"]
    client.service.archive.room = 1 << 20
    number = client.ask("POST", "/api/v1/jobs/detection", json=body).json()["id"]
    until(lambda: client.ask("GET", f"/api/v1/jobs/{number}").json()["status"] == "done")


def test_a_full_archive_is_said_with_507_and_by_the_health_check(client: Client) -> None:
    client.log_in()
    client.service.archive.room = 10
    assert client.detect(WELL).status_code == 507
    (client.service.archive.folder / "dump").write_bytes(bytes(9))
    checks = client.ask("GET", "/api/health/ready").json()["checks"]
    assert checks["archive"]["status"] == "degraded"
    assert checks["database"]["status"] == "ok"


def test_its_metrics_are_of_the_sdks_families_with_whole_paths(client: Client) -> None:
    client.log_in()
    client.detect(WELL)
    client.ask("GET", "/api/v1/jobs/77")
    text = client.ask("GET", "/metrics").text
    assert 'endpoint="/api/v1/detections",method="POST"' in text
    assert 'endpoint="/api/v1/jobs/{job_id}",method="GET",source_ip="",status="404"' in text
    for family in ("cache_entries", "queue_length", "db_pool_connections", "archive_used_bytes"):
        assert f"\n{family}" in text


def test_a_fault_is_planned_and_cancelled_by_a_request(client: Client) -> None:
    answer = client.ask("POST", "/faults/error-burst", json={"after": 5, "lasts": 10})
    assert answer.status_code == 204
    plans = {f["name"]: f for f in client.ask("GET", "/faults").json()}
    assert plans["error-burst"]["ends"] - plans["error-burst"]["begins"] == pytest.approx(10)
    assert plans["crash"]["begins"] is None
    assert client.sample("privileged_operations_total", operation="switch_fault") == 1
    assert client.ask("DELETE", "/faults/error-burst").status_code == 204
    assert all(f["begins"] is None for f in client.ask("GET", "/faults").json())
    unknown = client.ask("POST", "/faults/earthquake", json={})
    assert (unknown.status_code, "slow-database" in unknown.json()["detail"]) == (404, True)


def test_during_an_error_burst_requests_fail_and_afterwards_none_does(client: Client) -> None:
    client.log_in()
    client.service.errors.step()
    statuses = {client.ask("GET", "/api/v1/model").status_code for _ in range(60)}
    assert statuses == {200, 500}
    client.service.errors.end()
    assert {client.ask("GET", "/api/v1/model").status_code for _ in range(20)} == {200}
    assert client.sample("http_requests_total", status="500") >= 1


def test_what_is_older_than_is_kept_is_deleted(client: Client) -> None:
    client.log_in()
    for _ in range(5):
        client.detect(WELL)
    assert client.service.database.keep_newest(2) == 3
    assert len(client.ask("GET", "/api/v1/detections?limit=50").json()) == 2
