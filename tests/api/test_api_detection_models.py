"""/api/detection/models, and the commands that ask it."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import detection_models
from pynomaly.api.app import create_app
from pynomaly.cli import detect_models
from pynomaly.cli.client import Refused
from pynomaly.cli.commands import app as commands
from pynomaly.detection.watched.models import ModelVersion, NoSuchModel
from pynomaly.detection.watched.service import NoSuchQuery
from pynomaly.detection.watched.trainer import Progress

MODEL = ModelVersion(
    query="load",
    algorithm="seasonal",
    version=2,
    active=True,
    folder="load-seasonal-1",
    trained_at=1_700_000_000.0,
    data_from=1_697_408_000.0,
    data_until=1_700_000_000.0,
    series=3,
    points=129_600,
    passes_per_week=0.75,
    parameters={"expr": "busy"},
)


class Kept:
    """Two versions of one model."""

    def __init__(self) -> None:
        self.versions = [MODEL, replace(MODEL, version=1, active=False, passes_per_week=None)]
        self.trainings: list[Progress] = []

    async def models(self) -> list[ModelVersion]:
        return self.versions

    def drift(self, model: ModelVersion) -> float:
        return 0.5 if model.active else math.nan

    def progress(self) -> list[Progress]:
        for each in self.trainings:  # a look later it is done
            each.state = "failed" if each.query == "young" else "done"
            each.error = "young cannot be trained yet" if each.query == "young" else ""
        return self.trainings

    def train_soon(self, name: str) -> Progress:
        if name == "nothing":
            raise NoSuchQuery("there is no watched query 'nothing'")
        self.trainings = [Progress(name, "reading")]
        return self.trainings[0]

    async def roll_back(self, query: str, algorithm: str, version: int) -> ModelVersion:
        if version > 2:
            raise NoSuchModel(f"{query} has no version {version} by {algorithm}")
        return self.versions[1]


@pytest.fixture
def client() -> TestClient:
    app = create_app([detection_models.router(Kept())])
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    return TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))


def test_versions_are_listed_with_backtest_and_drift(client: TestClient) -> None:
    first, second = client.get("/api/detection/models").json()["models"]
    assert (first["version"], first["active"], first["drift"]) == (2, True, 0.5)
    assert first["backtest"] == {"passes_per_week": 0.75}
    assert (second["drift"], second["backtest"]["passes_per_week"]) == (None, None)


def test_training_begins_and_is_told_of(client: TestClient) -> None:
    answer = client.post("/api/detection/models/train", json={"query": "load"})
    assert (answer.status_code, answer.json()["state"]) == (202, "reading")
    (training,) = client.get("/api/detection/models").json()["trainings"]
    assert (training["query"], training["state"], training["error"]) == ("load", "done", None)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("train", {"query": "nothing"}, 404),
        ("train", {}, 400),
        ("rollback", {"query": "load", "algorithm": "seasonal", "version": 7}, 404),
        ("rollback", {"query": "load", "algorithm": "seasonal", "version": -1}, 400),
    ],
)
def test_what_is_not_there_is_refused(
    client: TestClient, path: str, body: dict[str, Any], status: int
) -> None:
    answer = client.post(f"/api/detection/models/{path}", json=body)
    assert answer.status_code == status, answer.text


@pytest.fixture
def asking(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """Commands whose requests the application answers."""

    def asked(answer: httpx.Response) -> Any:
        if answer.is_error:
            raise Refused(answer.json()["error"])
        return answer.json()

    class Asking:
        def __init__(self, url: str) -> None:
            self.url = url

        def get(self, path: str) -> Any:
            return asked(client.get(path))

        def post(self, path: str, body: bytes, *, headers: dict[str, str]) -> Any:
            return asked(client.post(path, content=body, headers=headers))

    monkeypatch.setattr(detect_models, "Client", Asking)
    monkeypatch.setattr(detect_models, "_POLL_SECONDS", 0.0)
    yield CliRunner()


def test_the_command_shows_versions_side_by_side(asking: CliRunner) -> None:
    shown = asking.invoke(commands, ["detect", "models"]).output.splitlines()
    assert shown[0].split() == (
        ["QUERY", "ALGORITHM", "VERSION", "SERIES", "PASSES/WEEK", "DRIFT", "TRAINED", "DATA"]
    )
    assert shown[1].split()[:7] == ["load", "seasonal", "2", "in", "use", "3", "0.75"]
    as_json = asking.invoke(commands, ["detect", "models", "--json"]).output
    assert len(json.loads(as_json)["models"]) == 2


def test_the_command_waits_for_the_training_and_says_how_it_ended(asking: CliRunner) -> None:
    done = asking.invoke(commands, ["detect", "train", "load"])
    assert (done.exit_code, "load: done" in done.output) == (0, True)
    failed = asking.invoke(commands, ["detect", "train", "young"])
    assert (failed.exit_code, "cannot be trained yet" in failed.stderr) == (1, True)


def test_the_command_rolls_back(asking: CliRunner) -> None:
    done = asking.invoke(commands, ["detect", "rollback", "load", "seasonal"])
    assert "load is judged by version 1 of seasonal" in done.output
    refused = asking.invoke(commands, ["detect", "rollback", "load", "seasonal", "--version", "7"])
    assert (refused.exit_code, "no version 7" in refused.stderr) == (1, True)
