"""The quality of a user's own models, as the SDK exposes it, is watched for drift."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from watched_world import STEP, World

from pynomaly.detection.watched.config import TrainingSettings, WatchedQuery
from pynomaly.detection.watched.models import ModelFiles
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.ingest.exposition import text
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.observability.metrics.collector import MetricsCollector
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.samples.memory import MemorySamples

_A_DAY = 86_400 // STEP
ACCURACY = WatchedQuery.model_validate(
    {
        "name": "accuracy",
        "expr": "model_accuracy_score",
        "algorithms": ["statistical"],
        "step": "5m",
    }
)
SCORES = WatchedQuery.model_validate(
    {
        "name": "scores",
        "expr": "histogram_quantile(0.5, "
        "sum by (le, model) (rate(model_prediction_score_bucket[15m])))",
        "algorithms": ["statistical"],
        "step": "5m",
    }
)


class Application(World):
    """Someone's service with a model, scraped every five minutes."""

    def __init__(self, records: Records, folder: Path) -> None:
        super().__init__(records, folder)
        self.samples = MemorySamples()
        self.querier = LocalQuerier(self.samples, ThreadPoolExecutor(1))
        self.metrics = MetricsCollector(CollectorRegistry())
        self.watched = WatchedQueries(
            [ACCURACY, SCORES],
            (),
            TrainingSettings.model_validate({"retrain_every": "30d"}),
            self.querier,
            self.samples,
            self.models,
            ModelFiles(folder),
            self.clock,
        )

    async def serve(self, steps: int, *, accuracy: float = 0.95, score: float = 0.3) -> None:
        """So many scrapes of a model of this accuracy, whose scores lie around this."""
        models = self.metrics.models
        for _ in range(steps):
            models.accuracy.labels(model="fraud", version="3").set(
                accuracy + float(self.rng.normal(0, 0.005))
            )
            for each in np.clip(self.rng.normal(score, 0.1, 20), 0, 1):
                models.scores.labels(model="fraud", version="3").observe(float(each))
            await self._scrape()

    async def judge(self, steps: int, *, accuracy: float = 0.95, score: float = 0.3) -> None:
        """The same, judged at each scrape."""
        for _ in range(steps):
            await self.serve(1, accuracy=accuracy, score=score)
            for query in (ACCURACY, SCORES):
                await self.watched.score(query.name, self.clock.now())

    async def drift(self, query: WatchedQuery) -> float:
        return (await self.read(f'anomaly_model_drift{{query="{query.name}"}}'))[""]

    async def trained(self) -> None:
        await self.watched.upkeep(self.clock.now())
        for task in self.watched._trainings.values():
            await task

    async def _scrape(self) -> None:
        self.clock._now += STEP
        body, _ = self.metrics.exposition("text/plain; version=0.0.4")
        found = text.parse(body)
        at = round(self.clock.now() * 1000)
        rows = [
            (Labels({"__name__": series.name, **series.labels}), at, value)
            for series, value in zip(found.series, found.values, strict=True)
            if series.name.startswith("model_")
        ]
        await self.samples.append(SampleBatch.of(rows))


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    records = Records.open(RecordsSettings(), tmp_path)
    yield Application(records, tmp_path / "models")
    records.close()


async def test_a_model_that_loses_accuracy_or_whose_scores_move_drifts_and_is_learnt_anew(
    application: Application,
) -> None:
    await application.serve(3 * _A_DAY)
    await application.trained()
    assert {each.query for each in await application.watched.models()} == {"accuracy", "scores"}
    await application.judge(_A_DAY // 2 + 10)
    for query in (ACCURACY, SCORES):
        assert await application.drift(query) < 2
    await application.trained()
    assert {each.version for each in await application.watched.models()} == {1}

    await application.judge(_A_DAY // 2, accuracy=0.88, score=0.55)
    low = await application.read('anomaly_score{of="accuracy",model="fraud",version="3"}')
    assert min(low.values()) > 0.5
    moved = await application.read('anomaly_score{of="scores",model="fraud"}')
    assert min(moved.values()) > 0.5
    for query in (ACCURACY, SCORES):
        assert await application.drift(query) > 2
    await application.trained()
    versions = {(each.query, each.version) for each in await application.watched.models()}
    assert versions == {("accuracy", 1), ("accuracy", 2), ("scores", 1), ("scores", 2)}


async def test_a_model_is_learnt_anew_when_it_is_old_though_nothing_drifts(
    application: Application,
) -> None:
    await application.serve(2 * _A_DAY)
    await application.trained()
    await application.serve(1)
    application.clock._now += 31 * 86_400
    await application.serve(2 * _A_DAY)
    await application.trained()
    assert {each.version for each in await application.watched.models()} == {1, 2}
