"""The judge with all of its parts: a series that stops, rules that hold at once, a restart."""

from pathlib import Path

from pynomaly.detection.rules.config import AnomalyRule
from tests.detection.test_detection_judge import STEP, World

USUAL = {"cpu_usage": 75.0, "memory_usage": 40.0, "queue_length": 12.0}
WITHOUT = {"cpu_usage": 75.0, "memory_usage": 40.0}


async def hours(state_file: Path | None = None, **settings: object) -> World:
    """A world that has gone on as ever for four hours."""
    world = World(state_file, **settings)
    await world.store(round(4 * 3600 / STEP), **USUAL)
    await world.run(1, **USUAL)
    return world


async def test_a_series_that_stops_is_told_over_a_restart_until_it_comes_back(
    tmp_path: Path,
) -> None:
    world = await hours(tmp_path / "state.npz")
    await world.run(12, **WITHOUT)
    (told,) = world.anomalies.open()
    assert (told.metric, told.cause) == ("queue_length", "series_stopped")
    assert told.explanation == (
        "No sample for 4 min, where one came every 30 s; its 2 siblings go on."
    )
    await world.judge.close()
    world.judge = world.new_judge()
    await world.judge.start()
    await world.run(20, **WITHOUT)
    assert [each.id for each in world.anomalies.open()] == [told.id]
    await world.run(1, **USUAL)
    assert world.anomalies.open() == []


async def test_what_a_rule_forbids_ends_at_once_and_does_not_begin() -> None:
    world = await hours()
    await world.run(3, **{**USUAL, "cpu_usage": 300.0})
    assert [each.metric for each in world.anomalies.open()] == ["cpu_usage"]
    rule = AnomalyRule(matchers=("__name__=~cpu.*",), direction="below")  # type: ignore[arg-type]
    world.judge.take_rules([rule])
    await world.run(1, **{**USUAL, "cpu_usage": 300.0})
    assert world.anomalies.open() == []
    assert world.judge.matched() == [1]
    world.judge.take_rules([AnomalyRule(matchers=("metric=queue_length",), ignore=True)])
    before = len(world.anomalies.saved)
    await world.run(12, **{**WITHOUT, "cpu_usage": 300.0})
    assert [each.metric for each in world.anomalies.saved[before:] if not each.ended_at] == []


async def test_deviations_below_the_least_of_a_rule_are_not_told() -> None:
    world = await hours(
        rules=[{"matchers": ["__name__=~cpu.*"], "min_deviation": 1000}], histograms=False
    )
    await world.run(3, **{**USUAL, "cpu_usage": 300.0, "memory_usage": 300.0})
    assert {each.metric for each in world.anomalies.open()} == {"memory_usage"}
