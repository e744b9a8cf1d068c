"""Groups of rules on the scheduler."""

import itertools
import textwrap
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rules_scripted import Kept, Scripted

from pynomaly.model.clock import FakeClock
from pynomaly.model.document import ConfigError
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import QueryTimeout
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.config import load_rules
from pynomaly.rules.evaluate import explore_link
from pynomaly.rules.manager import RuleManager, spread
from pynomaly.storage.bus import Bus, Subscription
from pynomaly.storage.samples.memory import MemorySamples
from pynomaly.storage.scheduler import Scheduler

DOWN = """
groups:
  - name: g
    interval: 10s
    rules:
      - alert: Down
        expr: up == 0
        for: 20s
        labels: {severity: page, where: "{{ $labels.instance }}"}
        annotations: {summary: "{{ $labels.instance }} has {{ $value }} of {{ humanize 1 }}"}
"""


class World:
    """A manager with everything around it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.querier = Scripted()
        self.kept = Kept()
        self.bus = Bus(self.clock)
        self.scheduler = Scheduler(self.clock)
        self.manager = RuleManager(
            self.querier,
            self.kept,
            self.bus,
            self.clock,
            self.scheduler,
            link=explore_link("http://here"),
        )

    async def apply(self, *texts: str) -> None:
        groups = [
            g for n, t in enumerate(texts) for g in load_rules(textwrap.dedent(t), f"{n}.yml")
        ]
        await self.manager.apply(groups)

    def states(self) -> list[str]:
        return [alert.state.value for alert in self.manager.alerts()]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.manager.close()
    await world.scheduler.close()


def heard(subscription: Subscription) -> list[Any]:
    return [message.data for message in subscription._queue]


async def test_a_series_that_is_found_becomes_pending_then_firing_then_resolved(
    world: World,
) -> None:
    await world.apply(DOWN)
    world.querier.answers["up == 0"] = {"__name__=up,instance=a": 0.0}
    await world.clock.advance(10)
    assert world.states() == ["pending"]
    await world.clock.advance(20)
    assert world.states() == ["firing"]
    (alert,) = world.manager.alerts()
    assert dict(alert.labels) == {
        "alertname": "Down",
        "instance": "a",
        "severity": "page",
        "where": "a",
    }
    assert alert.annotations["summary"] == "a has 0 of 1"
    assert alert.generator_url == "http://here/explore?q=up%20%3D%3D%200"
    world.querier.answers["up == 0"] = {}
    await world.clock.advance(10)
    assert world.states() == []
    (resolved,) = world.manager.recent()
    assert resolved.resolved_at > resolved.fired_at


async def test_alerts_are_written_as_series_and_marked_stale_when_gone(world: World) -> None:
    await world.apply(DOWN)
    world.querier.answers["up == 0"] = {"instance=a": 0.0}
    await world.clock.advance(10)
    active_at = world.manager.alerts()[0].active_at
    common = 'alertname="Down", {}instance="a", severity="page", where="a"}}'
    pending = "ALERTS{" + common.format('alertstate="pending", ')
    firing = "ALERTS{" + common.format('alertstate="firing", ')
    since = "ALERTS_FOR_STATE{" + common.format("")
    assert world.kept.take() == {pending: 1.0, since: active_at}
    await world.clock.advance(20)
    assert world.kept.take() == {pending: "stale", firing: 1.0, since: active_at}
    world.querier.answers["up == 0"] = {}
    await world.clock.advance(10)
    assert world.kept.take() == {firing: "stale", since: "stale"}
    await world.clock.advance(10)
    assert world.kept.take() == {}


async def test_a_failing_query_keeps_the_state_and_says_why(world: World) -> None:
    await world.apply(DOWN)
    world.querier.answers["up == 0"] = {"instance=a": 0.0}
    await world.clock.advance(30)
    world.querier.answers["up == 0"] = QueryTimeout("the query took longer than 120 s")
    await world.clock.advance(60)
    (runner,) = world.manager.groups()
    assert (runner.rules[0].health, world.states()) == ("err", ["firing"])
    assert "took longer" in runner.rules[0].last_error
    world.querier.answers["up == 0"] = {"instance=a": 0.0}
    await world.clock.advance(10)
    assert (runner.rules[0].health, runner.rules[0].last_error) == ("ok", "")


async def test_a_rule_that_breaks_does_not_hold_up_the_next(world: World) -> None:
    await world.apply(
        "groups: [{name: g, interval: 10s, rules: [{alert: A, expr: a}, {alert: B, expr: b}]}]"
    )
    world.querier.answers = {"a": RuntimeError("unforeseen"), "b": {"x=1": 1.0}}
    await world.clock.advance(10)
    assert [alert.name for alert in world.manager.alerts()] == ["B"]
    assert world.manager.groups()[0].rules[0].last_error == "unforeseen"


async def test_changes_are_published_and_quiet_evaluations_are_not(world: World) -> None:
    await world.apply(DOWN)
    with world.bus.subscribe(["alerts"]) as subscription:
        await world.clock.advance(30)
        assert heard(subscription) == []
        world.querier.answers["up == 0"] = {"instance=a": 0.0}
        await world.clock.advance(60)
        told = [alert["state"] for data in heard(subscription) for alert in data["changed"]]
        assert told == ["pending", "firing"]


async def test_a_recorded_series_is_there_for_the_next_rule_at_the_same_time(world: World) -> None:
    await world.apply(
        """
        groups:
          - name: g
            interval: 10s
            labels: {team: ops}
            rules:
              - {record: "a:sum", expr: sum(a)}
              - {record: "b:sum", expr: sum(b)}
              - {alert: Much, expr: "a:sum > 1"}
        """
    )
    world.querier.answers = {"sum(a)": {"": 3.0}, "sum(b)": {"": 4.0}}
    written: list[int] = []
    original = world.querier.instant

    async def watched(expr: str, at_ms: int, *, timeout: float = 120.0) -> Any:
        if not expr.startswith("ALERTS_FOR_STATE"):
            written.append(len(world.kept.batches))
        return await original(expr, at_ms, timeout=timeout)

    world.querier.instant = watched  # type: ignore[method-assign]
    await world.clock.advance(10)
    assert written == [0, 0, 1]
    assert world.kept.take() == {'a:sum{team="ops"}': 3.0, 'b:sum{team="ops"}': 4.0}


async def test_a_store_that_refuses_is_the_rules_error_and_staleness_is_made_up_for(
    world: World,
) -> None:
    await world.apply("groups: [{name: g, interval: 10s, rules: [{record: r, expr: x}]}]")
    world.querier.answers["x"] = {"i=1": 1.0, "i=2": 2.0}
    await world.clock.advance(10)
    world.kept.take()
    world.kept.refuses = PynomalyError("the disk is full")
    world.querier.answers["x"] = {"i=1": 1.0}
    await world.clock.advance(10)
    assert world.manager.groups()[0].rules[0].last_error == "the disk is full"
    world.kept.refuses = None
    await world.clock.advance(10)
    assert world.kept.take() == {'r{i="1"}': 1.0, 'r{i="2"}': "stale"}


async def test_more_alerts_than_the_limit_are_an_error_and_forgotten(world: World) -> None:
    await world.apply("groups: [{name: g, interval: 10s, limit: 1, rules: [{alert: A, expr: x}]}]")
    world.querier.answers["x"] = {"i=1": 1.0, "i=2": 1.0}
    await world.clock.advance(10)
    assert world.states() == []
    assert "2 alerts are more than the group's limit of 1" in (
        world.manager.groups()[0].rules[0].last_error
    )


async def test_two_series_that_give_one_alert_are_an_error(world: World) -> None:
    await world.apply(
        "groups: [{name: g, interval: 10s, rules: [{alert: A, expr: x, labels: {i: same}}]}]"
    )
    world.querier.answers["x"] = {"i=1": 1.0, "i=2": 1.0}
    await world.clock.advance(10)
    assert "two series give the same alert" in world.manager.groups()[0].rules[0].last_error


async def test_query_offset_looks_back_and_writes_back(world: World) -> None:
    await world.apply(
        "groups: [{name: g, interval: 10s, query_offset: 1m, rules: [{record: r, expr: x}]}]"
    )
    world.querier.answers["x"] = {"": 1.0}
    await world.clock.advance(10)
    due = world.manager.groups()[0].last_evaluation
    assert world.querier.asked == [("x", round((due - 60) * 1000))]
    assert world.kept.batches[0].ts.tolist() == [round((due - 60) * 1000)]


async def test_a_reload_keeps_what_did_not_change(world: World) -> None:
    await world.apply(DOWN)
    world.querier.answers["up == 0"] = {"instance=a": 0.0}
    await world.clock.advance(30)
    before = world.manager.groups()[0]
    await world.apply(DOWN)
    assert world.manager.groups()[0] is before


async def test_a_rule_whose_threshold_is_edited_keeps_its_alerts(world: World) -> None:
    await world.apply(DOWN)
    world.querier.answers["up == 0"] = {"instance=a": 0.0}
    await world.clock.advance(30)
    active_at = world.manager.alerts()[0].active_at
    await world.apply(DOWN.replace("up == 0", "up < 1"))
    world.querier.answers["up < 1"] = {"instance=a": 0.0}
    await world.clock.advance(10)
    (alert,) = world.manager.alerts()
    assert (alert.state.value, alert.active_at) == ("firing", active_at)


async def test_a_rule_that_is_removed_from_its_group_has_its_series_marked_stale(
    world: World,
) -> None:
    two = "groups: [{name: g, interval: 10s, rules: [{record: r, expr: x}, {record: s, expr: x}]}]"
    await world.apply(two)
    world.querier.answers["x"] = {"": 1.0}
    await world.clock.advance(10)
    world.kept.take()
    await world.apply(two.replace(", {record: s, expr: x}", ""))
    await world.clock.advance(10)
    assert world.kept.take() == {"r": 1.0, "s": "stale"}


async def test_a_group_that_is_removed_is_marked_stale_at_once_and_told(world: World) -> None:
    await world.apply(DOWN)
    world.querier.answers["up == 0"] = {"instance=a": 0.0}
    await world.clock.advance(30)
    world.kept.take()
    with world.bus.subscribe(["alerts"]) as subscription:
        await world.apply()
        assert [a["state"] for d in heard(subscription) for a in d["changed"]] == ["inactive"]
    assert set(world.kept.take().values()) == {"stale"}
    assert (world.states(), world.scheduler.jobs) == ([], {})


async def test_two_groups_of_one_name_are_refused_and_the_old_ones_go_on(world: World) -> None:
    await world.apply(DOWN)
    groups = load_rules(DOWN, "0.yml")
    with pytest.raises(ConfigError, match="given twice"):
        await world.manager.apply([*groups, *groups])
    assert len(world.manager.groups()) == 1


async def test_a_rule_that_was_never_evaluated_well_is_unsettled(world: World) -> None:
    await world.apply(DOWN)
    assert world.manager.unsettled() == {"Down"}
    world.querier.answers["up == 0"] = QueryTimeout("too long")
    await world.clock.advance(10)
    assert world.manager.unsettled() == {"Down"}
    world.querier.answers["up == 0"] = {}
    await world.clock.advance(10)
    assert world.manager.unsettled() == set()


def test_groups_are_spread_over_their_interval() -> None:
    offsets = sorted(spread(f"f.yml;g{n}", 60.0) for n in range(200))
    assert offsets[0] >= 0 and offsets[-1] < 60
    gaps = [b - a for a, b in itertools.pairwise(offsets)]
    assert max(gaps) < 5


async def test_an_alert_of_another_group_with_the_same_name_is_not_taken_for_one_of_before() -> (
    None
):
    clock, store = FakeClock(), MemorySamples()
    scheduler = Scheduler(clock)
    rows = [
        (Labels({"__name__": "x", "is": "a"}), round(clock.now() * 1000) + 60_000 * n, 1.0)
        for n in range(10)
    ]
    await store.append(SampleBatch.of(rows))
    group = "groups: [{name: NAME, interval: 1m, rules: [{alert: A, expr: 'x{is=\"WHICH\"}'}]}]"
    groups = [
        each
        for name, which in (("first", "a"), ("second", "b"))
        for each in load_rules(group.replace("NAME", name).replace("WHICH", which), name)
    ]
    with ThreadPoolExecutor(1) as executor:
        querier = LocalQuerier(store, executor)
        manager = RuleManager(querier, store, Bus(clock), clock, scheduler)
        await manager.apply(groups)
        for runner in manager.groups():
            await runner.evaluate(clock.now() + 120)

    assert [len(runner.rules[0].alerts.active()) for runner in manager.groups()] == [1, 0]
    await manager.close()
    await scheduler.close()
