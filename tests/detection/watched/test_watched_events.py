"""What trained models find opens anomalies, as the judge's findings do."""

from dataclasses import replace

import pytest
from watched_world import DAYS, World, trained

from pynomaly.calendar.config import CalendarSettings
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.detection.budget import Telling
from pynomaly.detection.documents import anomaly_document
from pynomaly.detection.events import Anomaly, anomaly_id
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.shared_events import SharedEvents
from pynomaly.detection.watched.config import Algorithm, TrainingSettings, WatchedQuery
from pynomaly.detection.watched.heeded import Heeded
from pynomaly.detection.watched.identity import metric_of
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp


def told(world: World) -> list[Anomaly]:
    return world.anomalies.found(0, world.clock.now() + 1)


async def step(world: World, watched: WatchedQueries, value: float = 50.0, steps: int = 1) -> None:
    for _ in range(steps):
        await world.store(1, value=value)
        await watched.score("load", world.clock.now())


async def test_a_leap_opens_one_anomaly_of_each_series_with_algorithm_feature_and_band(
    world: World,
) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, steps=5)
        assert told(world) == []
        await step(world, watched, value=90)
        began = world.clock.now()
        found = {each.labels["host"]: each for each in told(world)}
        assert found.keys() == {"a", "b"}
        one = found["a"]
        assert one.metric == "busy"
        assert (one.started_at, one.ended_at) == (began, 0.0)
        assert one.value == pytest.approx(90, abs=5)
        assert one.expected == pytest.approx(50, abs=1)
        assert 40 < one.lower < 50 < one.upper < 60
        assert one.direction == "above"
        assert one.watched == "load"
        document = anomaly_document(one)
        assert document["watched_query"] == "load"
        (by,) = document["algorithms"]
        assert by["algorithm"] == "statistical"
        assert by["feature"] in ("zscore", "mad", "standard_deviation")
        assert "(by statistical, trained)" in one.explanation
        await step(world, watched, steps=150)
        assert [each.id for each in told(world) if not each.ended_at] == []
        assert len(told(world)) == 2


async def test_the_bus_says_so(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        with world.bus.subscribe(("anomalies",)) as subscription:
            await step(world, watched, value=90)
            message = await subscription.next()
        assert message is not None
        assert set(message.data["anomalies"]) == {each.id for each in told(world)}


async def test_the_judges_event_of_the_series_takes_in_what_a_model_finds(world: World) -> None:
    await world.store(DAYS * 288)
    labels = Labels({"__name__": "busy", "host": "a", "algorithm": "round-robin"})
    at = world.clock.now()
    judged = Anomaly(
        anomaly_id(labels, at), labels, at, at, 0.0, 0.6, 0.9, 90, 50, 45, 55, "above", "level"
    )
    world.anomalies.save([judged])
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
        found = {each.labels["host"]: each for each in told(world)}
        assert len(told(world)) == 2
        assert found["a"].id == judged.id
        assert found["a"].started_at == at
        assert {"level", "statistical"} <= {c.split("/")[0] for c in found["a"].cause.split("+")}


async def test_an_anomaly_lasts_over_a_restart(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
    before = {each.id for each in told(world)}
    async with world.watching() as watched:
        await step(world, watched, value=90, steps=3)
        assert {each.id for each in told(world)} == before
        await step(world, watched, steps=150)
        assert all(each.ended_at for each in told(world))


async def test_an_anomaly_of_a_series_that_stops_is_over(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
        last = world.clock.now()
        for _ in range(13):
            await world.store(1, hosts=("b",))
            await watched.score("load", world.clock.now())
        found = {each.labels["host"]: each for each in told(world)}
        assert last <= found["a"].ended_at < world.clock.now()
        assert not found["b"].ended_at


async def test_a_false_alarm_makes_the_next_like_it_harder(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        labels = Labels({"__name__": "busy", "host": "a", "algorithm": "round-robin"})
        watched.take_handicaps({labels: 9.0})
        await step(world, watched, value=90)
        assert [each.labels["host"] for each in told(world)] == ["b"]


async def test_several_algorithms_share_one_event_and_one_budget(world: World) -> None:
    world.query = world.query.model_copy(update={"algorithms": ("statistical", "seasonal")})
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, steps=3)
        await step(world, watched, value=500)
        assert len(told(world)) == 2
        for each in told(world):
            by = {cause.split("/")[0] for cause in each.cause.split("+")}
            assert by == {"statistical", "seasonal"}


async def test_bands_are_written_beside_scores(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched)
        for name in ("expected", "lower", "upper"):
            found = await world.read(f'anomaly_{name}{{of="load",algorithm="statistical"}}')
            assert found.keys() == {"a", "b"}
            assert all(30 < value < 70 for value in found.values())


async def test_a_query_that_is_watched_no_more_keeps_its_models_and_ends_its_anomalies(
    world: World,
) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
        other = WatchedQuery(name="other", expr="sum(busy)", algorithms=("statistical",))
        await watched.apply([other], [Algorithm(name="seasonal")], world.settings)
        assert [each.name for each in watched.queries] == ["other"]
        assert all(each.ended_at for each in told(world))
        assert [each.query for each in await watched.models()] == ["load"]
        await watched.apply([world.query], [Algorithm(name="seasonal")], world.settings)
        await step(world, watched, value=50)
        assert len(await world.read('anomaly_score{of="load"}')) == 2


async def test_an_unchanged_query_goes_on_over_a_reload(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
        later = TrainingSettings.model_validate({"retrain_every": "2d"})
        await watched.apply([world.query], [Algorithm(name="seasonal")], later)
        assert not any(each.ended_at for each in told(world))
        await step(world, watched, value=90)
        assert len(told(world)) == 2


async def test_an_anomaly_of_a_query_that_was_removed_while_nobody_ran_is_over(
    world: World,
) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
    world.query = world.query.model_copy(update={"name": "renamed"})
    async with world.watching():
        assert all(each.ended_at for each in told(world))
    assert SharedEvents(world.anomalies).open_trained() == []


@pytest.mark.parametrize(
    ("expr", "metric"),
    [
        ("busy", "busy"),
        ('rate(requests_total{job="shop"}[5m])', "requests_total"),
        ("max_over_time(busy[1h])", "busy"),
        ("sum(busy)", ""),
        ("busy / 2", ""),
        ('{__name__=~"bu.*"}', ""),
    ],
)
def test_the_series_of_a_query_are_those_of_a_metric_if_it_makes_none_new(
    expr: str, metric: str
) -> None:
    assert metric_of(expr) == metric


@pytest.mark.parametrize(
    ("expr", "fault"), [("sum(", "unclosed"), ("1 + 1", "scalar"), ("busy[5m]", "matrix")]
)
def test_an_expression_that_gives_no_series_is_refused_when_it_is_read(
    expr: str, fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        WatchedQuery(name="x", expr=expr)


def test_an_event_with_no_trained_cause_names_no_algorithm(world: World) -> None:
    labels = Labels({"__name__": "busy"})
    one = Anomaly("1", labels, 1.0, 1.0, 0.0, 0.6, 0.9, 9, 5, 4, 6, "above", "level")
    assert anomaly_document(one)["algorithms"] == []
    assert anomaly_document(replace(one, watched=""))["watched_query"] is None


async def test_a_rule_that_a_person_set_holds_for_trained_models_too(world: World) -> None:
    await world.store(DAYS * 288)
    async with world.watching() as watched:
        await trained(watched)
        only_below = {"matchers": ['host="a"'], "direction": "below"}
        watched.take_rules([AnomalyRule.model_validate(only_below)])
        await step(world, watched, value=90)
        assert [each.labels["host"] for each in told(world)] == ["b"]


async def test_false_alarms_of_similar_series_count_for_trained_models_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynomaly.detection.watched.episodes.MOST", 99.0)
    await world.store(DAYS * 288)
    labels = Labels({"__name__": "busy", "algorithm": "round-robin"})
    cause = "statistical/zscore+statistical/mad+statistical/standard_deviation"
    like = Anomaly("1", labels, 1.0, 1.0, 0.0, 0.6, 0.9, 9, 5, 4, 6, "above", cause, "false")
    async with world.watching() as watched:
        await trained(watched)
        watched.take_lessons([like] * 30, [])
        await step(world, watched, value=90)
        assert told(world) == []
        watched.take_lessons([replace(like, direction="below")] * 30, [])
        await step(world, watched, value=90)
        assert {each.labels["host"] for each in told(world)} == {"a", "b"}


def test_what_a_service_was_told_of_counts_against_trained_findings() -> None:
    shop, heeded = Labels({"__name__": "busy", "job": "shop"}), Heeded(0.1, 1.0)
    heeded.take([], [Telling("shop", 1000.0), Telling("shop", 5000.0)])
    assert not heeded.tells(shop, 0.9, 1, 10_000.0)
    assert not heeded.tells(shop, 1.9, 100, 10_000.0)
    assert heeded.tells(shop, 2.1, 100, 10_000.0)
    assert heeded.tells(Labels({"__name__": "busy"}), 0.0, 100, 10_000.0)


class Maintenance:
    """One event now, of one host, which is not to alarm."""

    settings = CalendarSettings()

    def between(self, since: float, until: float) -> list[Occurrence]:
        event = Event(
            id="1",
            kind=EventKind.MAINTENANCE,
            title="disks",
            matchers=(Matcher("host", MatchOp.EQUAL, "a"),),
            starts_at=since,
            ends_at=until,
            alarm=False,
        )
        return [Occurrence(event, since, until)]


async def test_what_the_calendar_excludes_opens_no_anomaly(world: World) -> None:
    await world.store(DAYS * 288)
    world.calendar = Maintenance()
    async with world.watching() as watched:
        await trained(watched)
        await step(world, watched, value=90)
        assert [each.labels["host"] for each in told(world)] == ["b"]
