"""Alerts of our own rules reach receivers as those of a Prometheus do."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from alerting_story import Story

from pynomaly.alerting.rules_feed import RulesFeed
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.labels import Labels
from pynomaly.storage.bus import Bus

CONFIG = """
global: {resolve_timeout: 5m}
route: {receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 5s}
receivers:
- {name: team, webhook_configs: [{url: 'http://x/'}]}
"""


class Rules:
    """What the rules find now."""

    def __init__(self) -> None:
        self.found: dict[str, Alert] = {}
        self.unknown: set[str] = set()

    def recent(self) -> Sequence[Alert]:
        return list(self.found.values())

    def unsettled(self) -> Collection[str]:
        return self.unknown


class World:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.rules = Rules()
        self.bus = Bus(story.clock)
        self.feed = self.new_feed()

    def new_feed(self) -> RulesFeed:
        story = self.story
        self.feed = RulesFeed(self.rules, story.manager.alerts, story.clock, self.bus)
        return self.feed

    def fire(self, i: str, value: float = 1.0) -> None:
        now = self.story.clock.now()
        labels = Labels({"alertname": "Down", "i": i})
        notes = Labels({"value": str(value)})
        self.rules.found[i] = Alert(labels, notes, AlertState.FIRING, value, now, now)

    def resolve(self, i: str) -> None:
        now = self.story.clock.now()
        ended = replace(self.rules.found[i], state=AlertState.INACTIVE, resolved_at=now)
        self.rules.found[i] = ended

    async def until(self, at: float) -> None:
        """Let time pass, with a check each second, as the scheduler does."""
        while self.story.now < at:
            await self.feed.check()
            await self.story.until(min(at, self.story.now + 1))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Story(CONFIG, tmp_path) as story:
        world = World(story)
        yield world
        await world.feed.close()


async def test_a_change_is_told_as_soon_as_the_bus_says_so(world: World) -> None:
    await world.feed.start()
    await world.story.until(1)
    world.fire("a")
    world.bus.publish("alerts", {})
    await world.story.until(1.05)
    assert world.story.said() == [(1.0, ["a"])]


async def test_what_fires_on_is_sent_each_minute_and_stored_once(world: World) -> None:
    world.fire("a")
    await world.until(30)
    commits = world.story.commits.commits
    world.fire("a", value=2.0)
    world.rules.found["a"] = replace(world.rules.found["a"], fired_at=world.story.clock.now() - 30)
    await world.until(900)
    assert world.story.said() == [(0.0, ["a"])]
    assert world.story.commits.commits <= commits + 2  # another value is another annotation


async def test_a_resolved_alert_and_one_whose_rule_is_gone_are_told(world: World) -> None:
    world.fire("a")
    world.fire("b")
    await world.until(2)
    world.resolve("a")
    await world.until(8)
    del world.rules.found["b"]
    await world.until(20)
    assert world.story.said() == [(0.0, ["a", "b"]), (5.0, ["a!", "b"]), (10.0, ["b!"])]


async def test_after_a_restart_an_alert_fires_on_until_its_rule_was_evaluated(
    world: World,
) -> None:
    world.fire("a")
    await world.until(2)
    await world.story.crash()
    world.rules.found.clear()
    world.rules.unknown = {"Down"}
    await world.new_feed().start()
    await world.until(1200)
    assert world.story.said() == [(0.0, ["a"])]
    world.rules.unknown = set()
    await world.until(1210)
    assert [alerts for _, alerts in world.story.said()] == [["a"], ["a!"]]
