"""Watched queries: trained on history, judged, kept up to date, rolled back."""

import logging
from pathlib import Path

import pytest
from watched_world import DAYS, START, STEP, World, trained

from pynomaly.detection.watched.models import NoSuchModel
from pynomaly.detection.watched.service import NoSuchQuery
from pynomaly.storage.records import Records, RecordsSettings


async def test_a_trained_model_writes_scores_by_its_algorithm(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await watched.score("load", world.clock.now())
        assert await world.read("anomaly_score") == {}  # nothing is said without a model
        await trained(watched)
        await world.store(1, value=50)
        await watched.score("load", world.clock.now())
        scores = await world.read('anomaly_score{of="load",algorithm="statistical"}')
        assert scores.keys() == {"a", "b"}
        assert max(scores.values()) < 0.5
        await world.store(1, value=500)
        await watched.score("load", world.clock.now())
        assert min((await world.read('anomaly_score{of="load"}')).values()) > 0.7
        exported = 'anomaly_score{exported_algorithm="round-robin",algorithm="statistical"}'
        assert len(await world.read(exported)) == 2


async def test_a_version_says_what_it_was_trained_on_and_how_it_did(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        (model,) = await watched.models()
        assert (model.query, model.algorithm, model.version) == ("load", "statistical", 1)
        assert model.active
        assert model.series == 2
        assert model.points == 2 * DAYS * 288
        assert model.data_until == world.clock.now()
        assert model.data_from == START + STEP
        assert model.passes_per_week is not None
        assert 0 <= model.passes_per_week < 10
        assert model.parameters["expr"] == "busy"
        (progress,) = watched.progress()
        assert (progress.state, progress.done, progress.total) == ("done", 1, 1)


async def test_too_little_history_says_what_is_missing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.watching() as watched:
        await trained(watched)
        assert "busy has no series" in watched.progress()[0].error
        await world.store(150)
        with caplog.at_level(logging.INFO):
            await trained(watched)
        (progress,) = watched.progress()
        assert progress.state == "failed"
        assert "has 150 points over 12.5 hours; at least 100 points over 24 hours" in progress.error
        assert progress.error in caplog.text
        assert await watched.models() == []


async def test_a_restart_goes_on_with_the_model_in_use(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
    async with world.watching() as watched:
        await world.store(1, value=500)
        await watched.score("load", world.clock.now())
        assert min((await world.read("anomaly_score")).values()) > 0.7


async def test_versions_are_kept_rolled_back_and_the_oldest_dropped(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        for _ in range(3):
            await world.store(1)
            await trained(watched)
        assert [(m.version, m.active) for m in await watched.models()] == [(3, True), (2, False)]
        assert len(list(world.folder.iterdir())) == 2
        assert (await watched.roll_back("load", "statistical")).version == 2
        assert [(m.version, m.active) for m in await watched.models()] == [(3, False), (2, True)]
        assert (await watched.roll_back("load", "statistical", 3)).version == 3
        with pytest.raises(NoSuchModel, match="load has no version 1 by statistical"):
            await watched.roll_back("load", "statistical", 1)
        await watched.roll_back("load", "statistical")
        with pytest.raises(NoSuchModel, match="no version before that in use"):
            await watched.roll_back("load", "statistical")
        await world.store(1, value=500)
        await watched.score("load", world.clock.now())
        assert min((await world.read("anomaly_score")).values()) > 0.7


async def test_upkeep_trains_what_is_missing_and_what_is_old(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await watched.upkeep(world.clock.now())
        await watched._trainings["load"]
        await world.store(12)
        await watched.upkeep(world.clock.now())
        assert [m.version for m in await watched.models()] == [1]
        await world.store(288)
        await watched.upkeep(world.clock.now())
        await watched._trainings["load"]
        assert [m.version for m in await watched.models()] == [2, 1]


async def test_drift_is_a_series_and_a_reason_to_train(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        for _ in range(200):
            await world.store(1)
            await watched.score("load", world.clock.now())
        settled = (await world.read('anomaly_model_drift{query="load"}'))[""]
        assert settled < world.settings.retrain_drift
        await watched.upkeep(world.clock.now())
        assert len(await watched.models()) == 1
        for _ in range(80):
            await world.store(1, value=54)
            await watched.score("load", world.clock.now())
        drifted = (await world.read('anomaly_model_drift{algorithm="statistical"}'))[""]
        assert drifted > world.settings.retrain_drift
        await watched.upkeep(world.clock.now())
        await watched._trainings["load"]
        assert len(await watched.models()) == 2


async def test_an_unknown_query_is_refused_with_those_there_are(world: World) -> None:
    async with world.watching() as watched:
        with pytest.raises(NoSuchQuery, match="no watched query 'x'; there are: load"):
            watched.train_soon("x")


async def test_a_query_without_algorithms_has_the_usual_ones(tmp_path: Path) -> None:
    records = Records.open(RecordsSettings(), tmp_path)
    world = World(records, tmp_path / "models", algorithms=[])
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        assert [model.algorithm for model in await watched.models()] == ["seasonal"]
    records.close()
