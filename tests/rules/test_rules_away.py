"""Rules over a server that goes away and comes back."""

import textwrap
from collections.abc import AsyncIterator

import numpy as np
import pytest
from rules_scripted import Kept, Scripted, labels

from pynomaly.model.clock import FakeClock
from pynomaly.model.samples import SeriesSamples
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Matrix, QueryResult
from pynomaly.rules.config import RuleGroup, load_rules
from pynomaly.rules.manager import RuleManager
from pynomaly.storage.bus import Bus
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.scheduler import Scheduler

AWAY = PeerAway("http://prometheus:9090 cannot be reached: Connection refused.")
RULES = """
groups:
  - name: g
    interval: 10s
    rules:
      - {alert: Broken, expr: broken, for: 1m}
      - {alert: Gone, expr: absent(up)}
"""


class Remembering(Scripted):
    """Holds ``ALERTS_FOR_STATE`` as ``seeds`` says; raises while ``away``."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.seeds: dict[str, tuple[float, float]] = {}  # labels: active since, last seen

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        if self.away:
            raise AWAY
        if expr.startswith("ALERTS_FOR_STATE{"):
            if expr.endswith("]"):
                return QueryResult(self._samples())
            present = np.ones((len(self.seeds), 1), dtype=np.bool_)
            found = [labels(text) for text in self.seeds]
            return QueryResult(Matrix(found, np.array([at_ms]), present * 1.0, present))
        return await super().instant(expr, at_ms, timeout=timeout)

    def _samples(self) -> SeriesSamples:
        seeds = self.seeds.values()
        return SeriesSamples(
            [labels(text) for text in self.seeds],
            np.arange(len(seeds) + 1, dtype=np.int64),
            np.array([round(seen * 1000) for _, seen in seeds], dtype=np.int64),
            np.array([since for since, _ in seeds]),
        )


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"rule_group": "g"}) or 0.0


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.querier, self.kept = Remembering(), Kept()
        self.own, self.own_kept = Remembering(), Kept()
        self.scheduler = Scheduler(self.clock)
        self.manager = RuleManager(
            self.querier,
            self.kept,
            Bus(self.clock),
            self.clock,
            self.scheduler,
            elsewhere=self.elsewhere,
        )

    def elsewhere(self, group: RuleGroup) -> tuple[Remembering, Kept] | None:
        return (self.own, self.own_kept) if group.name == "own" else None

    async def apply(self, text: str) -> None:
        await self.manager.apply(load_rules(textwrap.dedent(text), "r.yml"))

    def states(self) -> dict[str, str]:
        return {alert.name: alert.state.value for alert in self.manager.alerts()}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.manager.close()
    await world.scheduler.close()


async def test_while_nobody_answers_what_fires_goes_on_and_nothing_else_begins(
    world: World,
) -> None:
    await world.apply(RULES)
    world.querier.answers["broken"] = {"i=1": 1.0}
    await world.clock.advance(90)
    assert world.states() == {"Broken": "firing"}
    failures = counted("pynomaly_rule_evaluation_failures_total")
    world.querier.away = True
    await world.clock.advance(3600)
    assert world.states() == {"Broken": "firing"}
    # Each rule of each group is not an alert of its own.
    assert counted("pynomaly_rule_evaluation_failures_total") == failures
    assert counted("pynomaly_rule_evaluations_unanswered_total") >= 2 * 360
    world.querier.away = False
    world.querier.answers["broken"] = {}
    await world.clock.advance(10)
    assert world.states() == {}


async def test_time_without_an_answer_does_not_count_towards_for(world: World) -> None:
    await world.apply(RULES)
    world.querier.answers["broken"] = {"i=1": 1.0}
    await world.clock.advance(30)
    assert world.states() == {"Broken": "pending"}
    world.querier.away = True
    await world.clock.advance(600)
    world.querier.away = False
    await world.clock.advance(20)
    assert world.states() == {"Broken": "pending"}, "it was seen for 50 s of the minute"
    await world.clock.advance(30)
    assert world.states() == {"Broken": "firing"}


async def test_a_server_that_is_away_at_the_start_does_not_cost_what_was_firing(
    world: World,
) -> None:
    now = world.clock.now()
    seed = "__name__=ALERTS_FOR_STATE,alertname=Broken,i=1"
    world.querier.seeds[seed] = (now - 600, now - 5)
    world.querier.away = True
    await world.apply(RULES)
    await world.clock.advance(300)
    (runner,) = world.manager.groups()
    assert [state.health for state in runner.rules] == ["err", "err"]
    assert world.manager.unsettled() == {"Broken", "Gone"}
    world.querier.away = False
    world.querier.answers["broken"] = {"i=1": 1.0}
    await world.clock.advance(10)
    assert world.states() == {"Broken": "firing"}


async def test_the_time_away_at_a_restart_is_taken_out_of_for_once(world: World) -> None:
    began = world.clock.now()
    seen = round(began - 20, 3)
    world.querier.seeds["__name__=ALERTS_FOR_STATE,alertname=Broken,i=1"] = (seen - 30, seen)
    # Evaluated once only: the sample's time is rounded to before the alert's own.
    world.querier.seeds["__name__=ALERTS_FOR_STATE,alertname=Gone,i=1"] = (seen + 1e-4, seen)
    world.querier.answers |= {"broken": {"i=1": 1.0}, "absent(up)": {"i=1": 1.0}}
    world.querier.away = True
    await world.apply(RULES)
    await world.clock.advance(100)
    world.querier.away = False
    await world.clock.advance(10)
    (broken, gone) = sorted(world.manager.alerts(), key=lambda alert: alert.name)
    assert (gone.state.value, gone.active_at) == ("firing", seen + 1e-4)
    assert broken.state.value == "pending"
    restored_at = world.manager.groups()[0].rules[0].last_evaluation
    assert broken.active_at == pytest.approx(restored_at - 30)


async def test_a_group_elsewhere_is_not_held_up(world: World) -> None:
    own = "  - {name: own, interval: 10s, rules: [{alert: Away, expr: up == 0}]}\n"
    await world.apply(RULES + own)
    world.own.answers["up == 0"] = {"": 0.0}
    world.querier.away = True
    await world.clock.advance(20)
    assert world.states() == {"Away": "firing"}
    assert world.own_kept.take().keys() == {
        'ALERTS{alertname="Away", alertstate="firing"}',
        'ALERTS_FOR_STATE{alertname="Away"}',
    }
    assert world.kept.take() == {}
    await world.apply(RULES)
    assert set(world.own_kept.take().values()) == {"stale"}
