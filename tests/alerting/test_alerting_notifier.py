"""Who is told what, in order, once: stories with a fake clock and a real receiver."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from alerting_receiver import Receiver, receiver

from pynomaly.alerting.channels.messages import Messages, shipped_templates
from pynomaly.alerting.channels.webhook.channel import WebhookChannel
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.contract import Delivery, Notification, NotificationLog, Outcome, Told
from pynomaly.alerting.repository import MemoryLog, RecordsLog
from pynomaly.alerting.service import Notifier
from pynomaly.alerting.stages import Deliver, Remember, Truncate
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records, RecordsSettings

HOUR = 3600.0


class Feed:
    """The alerts as they are now."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.alerts: dict[str, Alert] = {}
        self.unknown: set[str] = set()

    def fire(self, instance: str, name: str = "Down") -> None:
        labels = Labels({"alertname": name, "instance": instance})
        now = self.clock.now()
        self.alerts[instance] = Alert(labels, Labels(), AlertState.FIRING, 1.0, now, now)

    def resolve(self, instance: str) -> None:
        self.alerts[instance] = replace(
            self.alerts[instance], state=AlertState.INACTIVE, resolved_at=self.clock.now()
        )

    def recent(self) -> Sequence[Alert]:
        return list(self.alerts.values())

    def unsettled(self) -> Collection[str]:
        return self.unknown


class Slow:
    """A channel that takes what it is allowed to take."""

    name = "slow"

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.delivered: list[Notification] = []
        self.attempts = 0

    async def deliver(self, notification: Notification) -> Delivery:
        self.attempts += 1
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.DELIVERED
        if outcome is Outcome.DELIVERED:
            self.delivered.append(notification)
        return Delivery(outcome, "as told")

    async def close(self) -> None:
        pass

    def told(self) -> list[tuple[str, list[str]]]:
        return [
            (n.status, [f"{a.labels['instance']} {a.state.value}" for a in n.alerts])
            for n in self.delivered
        ]


class World:
    """A notifier with a scripted channel; ``restart`` keeps only what was written down."""

    def __init__(self, log: NotificationLog | None = None) -> None:
        self.clock = FakeClock()
        self.feed = Feed(self.clock)
        self.channel = Slow()
        self.log = log or MemoryLog()
        self.notifier = self.build()

    def build(self) -> Notifier:
        return Notifier(
            self.feed,
            [Truncate(0), Deliver(self.channel, self.clock), Remember(self.log, self.clock)],
            self.log,
            self.clock,
            Bus(self.clock),
            receiver="webhook",
        )

    async def check(self, seconds: float = 0.0) -> None:
        await self.notifier.check(self.clock.now())
        await self.clock.advance(seconds)

    async def restart(self) -> None:
        await self.notifier.close()
        self.notifier = self.build()
        await self.notifier.start()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.notifier.close()


async def test_each_change_is_told_once(world: World) -> None:
    world.feed.fire("a")
    await world.check()
    await world.check()
    world.feed.fire("b")
    await world.check()
    world.feed.resolve("a")
    await world.check()
    world.feed.resolve("b")
    await world.check()
    await world.check()
    assert world.channel.told() == [
        ("firing", ["a firing"]),
        ("firing", ["a firing", "b firing"]),
        ("firing", ["b firing", "a inactive"]),
        ("resolved", ["b inactive"]),
    ]


async def test_alerts_of_different_names_are_told_apart(world: World) -> None:
    world.feed.fire("a", "Down")
    world.feed.fire("b", "Full")
    await world.check()
    assert sorted(n.group_key for n in world.channel.delivered) == [
        '{}:{alertname="Down"}',
        '{}:{alertname="Full"}',
    ]


async def test_what_goes_on_firing_is_told_again_after_the_repeat_interval(world: World) -> None:
    world.feed.fire("a")
    await world.check(4 * HOUR - 1)
    await world.check(1)
    assert len(world.channel.delivered) == 1
    await world.check()
    assert len(world.channel.delivered) == 2
    assert "repeat interval" in world.channel.delivered[1].reason


async def test_a_receiver_that_is_away_is_told_every_change_in_order_later(world: World) -> None:
    world.channel.outcomes = [Outcome.RETRYABLE] * 5
    world.feed.fire("a")
    await world.check()
    world.feed.resolve("a")
    await world.check()
    assert world.channel.delivered == []
    await world.clock.advance(1 + 2 + 4 + 8)
    assert world.channel.attempts == 5
    await world.clock.advance(16)
    assert world.channel.told() == [("firing", ["a firing"]), ("resolved", ["a inactive"])]


async def test_waiting_grows_to_a_minute_and_not_further(world: World) -> None:
    world.channel.outcomes = [Outcome.RETRYABLE] * 1000
    world.feed.fire("a")
    await world.check(1 + 2 + 4 + 8 + 16 + 32)
    before = world.channel.attempts
    await world.clock.advance(600)
    assert world.channel.attempts - before == 10


async def test_a_group_whose_receiver_hangs_does_not_hold_up_another(world: World) -> None:
    world.channel.outcomes = [Outcome.RETRYABLE]
    world.feed.fire("a", "Down")
    await world.check()
    world.feed.fire("b", "Full")
    await world.check()
    assert world.channel.told() == [("firing", ["b firing"])]


async def test_what_is_refused_for_good_is_not_tried_again_and_the_next_change_is(
    world: World,
) -> None:
    world.channel.outcomes = [Outcome.PERMANENT]
    world.feed.fire("a")
    await world.check(600)
    assert world.channel.attempts == 1
    world.feed.resolve("a")
    await world.check()
    assert world.channel.told() == [("resolved", ["a inactive"])]


async def test_an_alert_whose_rule_is_gone_is_resolved(world: World) -> None:
    world.feed.fire("a")
    await world.check()
    world.feed.alerts.clear()
    await world.check()
    assert world.channel.told()[-1] == ("resolved", ["a inactive"])


async def test_a_restart_neither_repeats_nor_forgets(world: World) -> None:
    world.feed.fire("a")
    world.feed.fire("b")
    await world.check()
    world.feed.unknown = {"Down"}
    world.feed.alerts = {}
    await world.restart()
    await world.check()
    assert len(world.channel.delivered) == 1
    world.feed.fire("a")
    world.feed.unknown = set()
    await world.check()
    assert world.channel.told()[1:] == [("firing", ["a firing", "b inactive"])]


async def test_what_was_not_delivered_before_a_restart_is_delivered_after_it(world: World) -> None:
    world.channel.outcomes = [Outcome.RETRYABLE] * 3
    world.feed.fire("a")
    await world.check()
    await world.restart()
    world.channel.outcomes = []
    await world.check()
    assert world.channel.told() == [("firing", ["a firing"])]


async def test_what_was_told_in_another_grouping_is_not_called_resolved(world: World) -> None:
    world.feed.fire("a")
    await world.check()
    (told,) = await world.log.load("webhook")
    await world.log.save(replace(told, group_labels=Labels({"job": "x"}), group_key="other"))
    await world.log.save(replace(told, firing=()))
    world.channel.delivered.clear()
    await world.restart()
    await world.check()
    assert world.channel.told() == [("firing", ["a firing"])]


async def test_a_queue_that_is_too_long_gives_up_the_oldest_that_waits(world: World) -> None:
    world.channel.outcomes = [Outcome.RETRYABLE]
    for n in range(120):
        world.feed.fire(f"i{n:03}")
        await world.check()
    await world.clock.advance(1)
    assert len(world.channel.delivered) == 100
    first, *_, last = world.channel.delivered
    assert (len(first.alerts), len(last.alerts)) == (1, 120)


async def test_a_notification_with_too_many_alerts_is_cut_and_says_so() -> None:
    clock = FakeClock()
    feed = Feed(clock)
    for name in "abc":
        feed.fire(name)
    whole = Notification("w", "k", Labels(), tuple(feed.recent()), 0.0)
    cut = await Truncate(2)(whole)
    assert isinstance(cut, Notification)
    assert (len(cut.alerts), cut.truncated) == (2, 1)


async def test_a_change_on_the_bus_is_told_at_once() -> None:
    clock = FakeClock()
    bus, feed, channel, log = Bus(clock), Feed(clock), Slow(), MemoryLog()
    notifier = Notifier(feed, [Deliver(channel, clock)], log, clock, bus, receiver="w")
    await notifier.start()
    await clock.advance(0)
    feed.fire("a")
    bus.publish("alerts", {})
    await clock.advance(0)
    assert channel.told() == [("firing", ["a firing"])]
    await notifier.close()


@asynccontextmanager
async def real(hook: Receiver, clock: FakeClock, feed: Feed) -> AsyncIterator[Notifier]:
    config = WebhookConfig.model_validate({"url": hook.url, "timeout": "300ms"})
    channel = WebhookChannel(config, Messages(shipped_templates(), "http://here", clock))
    log = MemoryLog()
    stages = [Truncate(0), Deliver(channel, clock), Remember(log, clock)]
    notifier = Notifier(feed, stages, log, clock, Bus(clock), receiver="webhook")
    try:
        yield notifier
    finally:
        await notifier.close()
        await channel.close()


async def test_a_real_receiver_that_fails_hangs_and_then_accepts_gets_all_in_order() -> None:
    clock = FakeClock()
    feed = Feed(clock)
    async with receiver() as hook, real(hook, clock, feed) as notifier:
        hook.answers = [500, 0, 503]
        feed.fire("a")
        await notifier.check(clock.now())
        feed.resolve("a")
        await notifier.check(clock.now())
        while len(hook.taken) < 2:
            await hook.until_idle()
            await clock.advance(1)
        assert hook.told() == [("firing", ["firing"]), ("resolved", ["resolved"])]
        assert len(hook.attempts) == 5


def told(receiver_name: str, *alerts: Alert) -> Told:
    return Told(receiver_name, "{}:{}", Labels({"a": "b"}), 12.5, alerts)


async def test_records_remember_what_was_told(database_url: str | None, tmp_path: Path) -> None:
    records = Records.open(RecordsSettings.model_validate({"url": database_url}), tmp_path)
    try:
        log = RecordsLog(records)
        feed = Feed(FakeClock())
        feed.fire("ä")
        (alert,) = feed.recent()
        await log.save(told("one", alert))
        await log.save(replace(told("one", alert), at=20.0))
        await log.save(told("two", alert))
        (found,) = await RecordsLog(records).load("one")
        assert (found.at, found.group_labels, found.group_key) == (
            20.0,
            Labels({"a": "b"}),
            "{}:{}",
        )
        (again,) = found.firing
        assert replace(again, value=alert.value) == alert
        await log.save(told("one"))
        assert await log.load("one") == []
        assert len(await log.load("two")) == 1
    finally:
        records.close()
