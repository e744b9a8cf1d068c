"""What a job is told, and what its relabelling does, step by step."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_app import Client

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import errors
from pynomaly.api.prometheus.scrape_pools import PoolDeps, router
from pynomaly.ingest.scrape.config import load

FILE = """
scrape_configs:
- job_name: node
  static_configs: [{targets: ["a:1"]}]
  relabel_configs:
  - {source_labels: [__address__], regex: "(.*):1", target_label: node}
  - {source_labels: [node], regex: a, action: drop}
  - {target_label: never, replacement: x}
"""


@pytest.fixture
def client() -> Iterator[Client]:
    config, _ = load(FILE, str(Path("prometheus.yml")))
    jobs = {job.job_name: job for job in config.scrape_configs}
    app = FastAPI()
    errors.install(app)
    app.include_router(router(PoolDeps(lambda: True, jobs.get, lambda job: f"of {job.job_name}")))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    client = Client(app)
    yield client
    client.close()


def test_the_configuration_of_a_pool(client: Client) -> None:
    answer = client.get("/api/v1/scrape_pools/config", {"scrapePool": "node"})
    assert answer.json() == {"status": "success", "data": {"yaml": "of node"}}


def steps(client: Client, **labels: str) -> list[dict[str, object]]:
    asked = {"scrapePool": "node", "labels": json.dumps(labels)}
    found: list[dict[str, object]] = client.get("/api/v1/targets/relabel_steps", asked).json()[
        "data"
    ]["steps"]
    return found


def test_relabelling_step_by_step(client: Client) -> None:
    first, second, third = steps(client, __address__="b:1", gone="")
    assert first == {
        "rule": {
            "source_labels": ["__address__"],
            "separator": ";",
            "target_label": "node",
            "regex": "(.*):1",
            "replacement": "$1",
            "action": "replace",
        },
        "output": {"__address__": "b:1", "node": "b"},
        "keep": True,
    }
    assert (second["output"], second["keep"]) == (first["output"], True)
    assert third["output"] == {"__address__": "b:1", "never": "x", "node": "b"}


def test_nothing_is_left_behind_a_rule_that_drops(client: Client) -> None:
    found = steps(client, __address__="a:1")
    assert [step["keep"] for step in found] == [True, False, False]
    assert [step["output"] for step in found[1:]] == [{}, {}]


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        ("scrape_pools/config", {}, "no scrapePool parameter provided"),
        ("targets/relabel_steps", {"labels": "{}"}, "no scrapePool parameter provided"),
        ("targets/relabel_steps", {"scrapePool": "node"}, "no labels parameter provided"),
        ("targets/relabel_steps", {"scrapePool": "node", "labels": "{"}, "error parsing labels: "),
        (
            "targets/relabel_steps",
            {"scrapePool": "node", "labels": '{"a": 1}'},
            "error parsing labels: ",
        ),
        (
            "scrape_pools/config",
            {"scrapePool": "x"},
            'error retrieving scrape config: scrape pool "x" not found',
        ),
    ],
)
def test_a_wrong_parameter_is_refused(
    client: Client, path: str, asked: dict[str, str], message: str
) -> None:
    answer = client.get(f"/api/v1/{path}", asked)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
    assert answer.json()["error"].startswith(message)
