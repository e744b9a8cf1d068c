"""What the server says of itself, in Prometheus's shapes."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_app import NOW, Client

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.access.policy import GRANTS, Action, Policy, Role
from pynomaly.api import errors
from pynomaly.api.prometheus.status import Runtime, StatusDeps, StorageStatus, router
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata
from pynomaly.storage.samples.cardinality import Cardinality, Stat
from pynomaly.storage.samples.replay import Replay

UP = MetricMetadata("up_total", "counter", "Ups.", "")
WARM = MetricMetadata("warm_celsius", "gauge", "How warm.", "celsius")
API, DB = Labels({"job": "api", "instance": "a"}), Labels({"job": "db", "instance": "b"})
RUNTIME = Runtime(NOW - 100.5, NOW - 10, 0, "90d or 10GiB")
REPLAY = Replay(7, 3, 1)


@dataclass
class Known:
    """What the application is told."""

    ready: bool = True
    metadata: Sequence[tuple[Labels, Sequence[MetricMetadata]]] = (
        (API, (UP, WARM)),
        (DB, (UP,)),
    )
    runtime: Runtime = RUNTIME
    replay: Replay = REPLAY
    wanted: list[int] = field(default_factory=list)

    async def storage(self, limit: int) -> StorageStatus:
        self.wanted.append(limit)
        counted = Cardinality(
            series=5,
            label_pairs=9,
            by_metric=[Stat("up", 3)],
            values_by_label=[Stat("job", 2)],
            memory_by_label=[Stat("job", 70)],
            by_pair=[Stat("job=api", 4)],
        )
        return StorageStatus(counted, 6, 1000, 2000)


@contextmanager
def asking(known: Known, policy: Policy | None = None) -> Iterator[Client]:
    app = FastAPI()
    errors.install(app)
    storage: Callable[[int], Awaitable[StorageStatus]] = known.storage
    with ThreadPoolExecutor(1) as executor:
        deps = StatusDeps(
            clock=FakeClock(NOW),
            executor=executor,
            ready=lambda: known.ready,
            targets=_Targets(known),
            configuration=lambda: "global: {}\n",
            flags=lambda: {"query.timeout": "2m"},
            runtime=lambda: known.runtime,
            storage=storage,
            replay=lambda: known.replay,
            alertmanagers=lambda: (["http://a/api/v2/alerts"], ["http://b/api/v2/alerts"]),
        )
        app.include_router(router(deps))
        app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings(), policy=policy), audit=None)
        client = Client(app)
        try:
            yield client
        finally:
            client.close()


@dataclass
class _Targets:
    known: Known

    def target_metadata(self) -> Sequence[tuple[Labels, Sequence[MetricMetadata]]]:
        return self.known.metadata


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def client(known: Known) -> Iterator[Client]:
    with asking(known) as client:
        yield client


def test_metadata_of_targets_by_target(client: Client) -> None:
    asked = {"match_target": '{job="api"}'}
    assert client.get("/api/v1/targets/metadata", asked).json()["data"] == [
        {
            "target": {"instance": "a", "job": "api"},
            "metric": "up_total",
            "type": "counter",
            "help": "Ups.",
            "unit": "",
        },
        {
            "target": {"instance": "a", "job": "api"},
            "metric": "warm_celsius",
            "type": "gauge",
            "help": "How warm.",
            "unit": "celsius",
        },
    ]


def test_every_target_may_be_asked_for(client: Client) -> None:
    asked = {"match_target": '{nosuch=""}'}
    assert len(client.get("/api/v1/targets/metadata", asked).json()["data"]) == 3


def test_metadata_of_one_metric_does_not_repeat_its_name(client: Client) -> None:
    found = client.get("/api/v1/targets/metadata", {"metric": "up_total"}).json()["data"]
    said = {"type": "counter", "help": "Ups.", "unit": ""}
    assert found == [{"target": dict(API.pairs), **said}, {"target": dict(DB.pairs), **said}]
    assert client.get("/api/v1/targets/metadata", {"metric": "up"}).json()["data"] == []


@pytest.mark.parametrize(("limit", "count"), [("-1", 3), ("0", 0), ("1", 2), ("2", 2), ("3", 3)])
def test_a_limit_ends_the_metadata_between_targets(client: Client, limit: str, count: int) -> None:
    found = client.get("/api/v1/targets/metadata", {"limit": limit}).json()["data"]
    assert len(found) == count


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        ("targets/metadata", {"limit": "x"}, "limit must be a number"),
        ("targets/metadata", {"match_target": "{"}, 'invalid parameter "match_target": 1:2: parse'),
        ("status/tsdb", {"limit": "x"}, "limit must be a positive number"),
        ("status/tsdb", {"limit": "0"}, "limit must be a positive number"),
        ("status/tsdb", {"limit": "10001"}, "limit must not exceed 10000"),
    ],
)
def test_a_wrong_parameter_is_refused(
    client: Client, path: str, asked: dict[str, str], message: str
) -> None:
    answer = client.get(f"/api/v1/{path}", asked)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
    assert answer.json()["error"].startswith(message)


def test_alertmanagers_that_are_used_and_that_are_not(client: Client) -> None:
    assert client.get("/api/v1/alertmanagers").json()["data"] == {
        "activeAlertmanagers": [{"url": "http://a/api/v2/alerts"}],
        "droppedAlertmanagers": [{"url": "http://b/api/v2/alerts"}],
    }


def test_configuration_and_flags(client: Client) -> None:
    assert client.get("/api/v1/status/config").json()["data"] == {"yaml": "global: {}\n"}
    assert client.get("/api/v1/status/flags").json()["data"] == {"query.timeout": "2m"}


def test_how_the_process_fares(client: Client, known: Known) -> None:
    data = client.get("/api/v1/status/runtimeinfo").json()["data"]
    assert data["startTime"] == "2023-11-14T22:11:39.500000Z"
    assert data["serverTime"] == "2023-11-14T22:13:20Z"
    assert data["lastConfigTime"] == "2023-11-14T22:13:10Z"
    assert (data["reloadConfigSuccess"], data["corruptionCount"]) == (True, 1)
    assert data["storageRetention"] == "90d or 10GiB"
    assert data["goroutineCount"] > 1
    assert data["GOMAXPROCS"] >= 1
    known.runtime = Runtime(NOW, NOW, NOW, "")
    data = client.get("/api/v1/status/runtimeinfo").json()["data"]
    assert (data["reloadConfigSuccess"], data["storageRetention"]) == (False, "")


def test_where_series_come_from(client: Client, known: Known) -> None:
    assert client.get("/api/v1/status/tsdb").json()["data"] == {
        "headStats": {
            "numSeries": 5,
            "numLabelPairs": 9,
            "chunkCount": 6,
            "minTime": 1000,
            "maxTime": 2000,
        },
        "seriesCountByMetricName": [{"name": "up", "value": 3}],
        "labelValueCountByLabelName": [{"name": "job", "value": 2}],
        "memoryInBytesByLabelName": [{"name": "job", "value": 70}],
        "seriesCountByLabelValuePair": [{"name": "job=api", "value": 4}],
    }
    client.get("/api/v1/status/tsdb", {"limit": "10000"})
    assert known.wanted == [10, 10_000]


def test_the_replay_of_the_log_is_told_before_all_else(client: Client, known: Known) -> None:
    known.ready = False
    assert client.get("/api/v1/status/tsdb").status_code == 503
    data = client.get("/api/v1/status/walreplay").json()["data"]
    assert data == {"min": 0, "max": 7, "current": 3}


def test_a_refused_reload_is_a_notification(client: Client, known: Known) -> None:
    assert client.get("/api/v1/notifications").json()["data"] == []
    known.runtime = Runtime(NOW - 9, NOW - 9, NOW - 0.5, "")
    assert client.get("/api/v1/notifications").json()["data"] == [
        {
            "text": "Configuration reload has failed.",
            "date": "2023-11-14T22:13:19.500000Z",
            "active": True,
        }
    ]


def test_own_metrics_are_shown_by_name(client: Client) -> None:
    def shown(pattern: str) -> list[dict[str, Any]]:
        asked = {"metric_name_pattern": pattern}
        found: list[dict[str, Any]] = client.get("/api/v1/status/self_metrics", asked).json()[
            "data"
        ]
        return found

    [family] = shown("pynomaly_federation_sampl.*_total")
    assert shown("pynomaly_federation_sampl") == []  # a pattern is of the whole name
    assert (family["name"], family["type"]) == ("pynomaly_federation_samples_total", "COUNTER")
    assert family["metric"][0]["counter"]["value"] >= 0
    names = [each["name"] for each in client.get("/api/v1/status/self_metrics").json()["data"]]
    assert names == sorted(names)
    assert len(names) > 10


def test_a_wrong_pattern_of_names_is_refused(client: Client) -> None:
    answer = client.get("/api/v1/status/self_metrics", {"metric_name_pattern": "("})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("invalid metric_name_pattern: ")


def test_who_may_not_see_configuration_sees_neither_it_nor_flags(known: Known) -> None:
    without = Policy({Role.ADMIN: GRANTS[Role.ADMIN] - {Action.CONFIG_READ}})
    with asking(known, without) as client:
        paths = ("config", "flags", "tsdb", "runtimeinfo", "walreplay")
        found = [client.get(f"/api/v1/status/{path}").status_code for path in paths]
    assert found == [403, 403, 200, 200, 200]
