"""Attempts, their pace, and what becomes of a notification that cannot be delivered."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pynomaly.alerting.contract import Delivery, Notification, Outcome, Stopped
from pynomaly.alerting.delivery.deliver import Deliver
from pynomaly.alerting.delivery.pace import Pace
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY

FIRING = Alert(Labels({"alertname": "Down"}), Labels(), AlertState.FIRING, 1.0, 1.0, 1.0)
DELIVERED = Delivery(Outcome.DELIVERED)
AWAY = Delivery(Outcome.RETRYABLE, "503")
REFUSED = Delivery(Outcome.PERMANENT, "404")


class Scripted:
    """Answers as scripted, then takes everything; notes when it was tried."""

    name = "scripted"

    def __init__(self, clock: FakeClock, *answers: Delivery) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.tried: list[float] = []
        self.at_once = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None

    async def deliver(self, notification: Notification) -> Delivery:
        self.tried.append(self.clock.now())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.gate is not None:
            await self.gate.wait()
        self.at_once -= 1
        return self.answers.pop(0) if self.answers else DELIVERED

    async def close(self) -> None:
        pass


def told(clock: FakeClock, **fields: Any) -> Notification:
    labels = Labels({"alertname": "Down"})
    found = Notification("ops", "{}:{}", labels, (FIRING,), clock.now(), id="id-1")
    return replace(found, **fields)


async def run(
    channel: Scripted, clock: FakeClock, notification: Notification, seconds: float = 600
) -> Notification | Stopped:
    task = asyncio.create_task(Deliver(channel, clock)(notification))
    for _ in range(round(seconds)):
        if task.done():
            break
        await clock.advance(1)
    return await asyncio.wait_for(task, 30)


def waits(tried: Sequence[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(tried)]


async def test_what_is_delivered_goes_on_with_its_attempts(clock: FakeClock) -> None:
    channel = Scripted(clock, AWAY)
    passed = await run(channel, clock, told(clock))
    assert isinstance(passed, Notification)
    assert [(a.outcome, a.reason) for a in passed.attempts] == [
        (Outcome.RETRYABLE, "503"),
        (Outcome.DELIVERED, ""),
    ]
    assert [attempt.at for attempt in passed.attempts] == channel.tried


async def test_each_wait_is_twice_as_long_up_to_a_minute_and_a_quarter(clock: FakeClock) -> None:
    channel = Scripted(clock, *[AWAY] * 9)
    await run(channel, clock, told(clock), seconds=1000)
    found = waits(channel.tried)
    spread = found[3] / 8  # the same part of each, by the notification's id
    assert 0.75 <= spread <= 1.25
    assert found == pytest.approx([s * spread for s in (1, 2, 4, 8, 16, 32, 60, 60, 60)], abs=0.01)


async def test_notifications_that_failed_together_come_again_at_different_times(
    clock: FakeClock,
) -> None:
    times = set()
    for name in ("a", "b", "c"):
        channel = Scripted(clock, AWAY)
        await run(channel, clock, told(clock, id=name))
        times.add(round(waits(channel.tried)[0], 6))
    assert len(times) == 3


async def test_a_receiver_that_asks_for_time_gets_it(clock: FakeClock) -> None:
    channel = Scripted(clock, replace(AWAY, retry_after=30.0))
    await run(channel, clock, told(clock))
    assert waits(channel.tried) == [30.0]


async def test_what_cannot_be_delivered_stops_at_once(clock: FakeClock) -> None:
    stopped = await run(Scripted(clock, REFUSED), clock, told(clock))
    assert isinstance(stopped, Stopped)
    assert (stopped.reason, stopped.failed, len(stopped.attempts)) == ("404", True, 1)


async def test_after_its_deadline_it_is_not_tried_again(clock: FakeClock) -> None:
    channel = Scripted(clock, *[AWAY] * 50)
    stopped = await run(channel, clock, told(clock, deadline=clock.now() + 10))
    assert isinstance(stopped, Stopped)
    assert stopped.failed and stopped.reason.startswith("not delivered within")
    assert stopped.reason.endswith(": 503") and len(stopped.attempts) == 4
    assert channel.tried[-1] <= channel.tried[0] + 10


@pytest.mark.parametrize(
    ("memory", "kept"), [(None, {"ts": "1"}), ({"ts": "2"}, {"ts": "2"}), ({}, {})]
)
async def test_what_the_channel_remembers_goes_on(
    clock: FakeClock, memory: dict[str, str] | None, kept: dict[str, str]
) -> None:
    channel = Scripted(clock, replace(DELIVERED, memory=memory))
    passed = await run(channel, clock, told(clock, memory={"ts": "1"}))
    assert isinstance(passed, Notification) and passed.memory == kept


async def test_a_channel_is_not_asked_by_everybody_at_once(clock: FakeClock) -> None:
    channel = Scripted(clock)
    channel.gate = asyncio.Event()
    deliver = Deliver(channel, clock)
    tasks = [asyncio.create_task(deliver(told(clock, id=str(n)))) for n in range(50)]
    await clock.advance(1)
    assert channel.most_at_once == 16
    channel.gate.set()
    assert all(isinstance(t, Notification) for t in await asyncio.gather(*tasks))


async def test_a_minutes_worth_goes_at_once_and_the_rest_evenly(clock: FakeClock) -> None:
    pace, start = Pace("x", 6, clock), clock.now()
    times: list[float] = []

    async def one() -> None:
        assert await pace.turn(start + 1000)
        times.append(clock.now() - start)

    tasks = [asyncio.create_task(one()) for _ in range(9)]
    await clock.advance(60)
    await asyncio.gather(*tasks)
    assert times == pytest.approx([0] * 6 + [10, 20, 30])


async def test_without_a_limit_nobody_waits(clock: FakeClock) -> None:
    pace = Pace("x", 0, clock)
    assert all([await pace.turn(clock.now()) for _ in range(1000)])


async def test_who_would_wait_beyond_the_deadline_is_told_why(clock: FakeClock) -> None:
    deliver = Deliver(Scripted(clock), clock, Pace("scripted", 1, clock))
    first = await deliver(told(clock))
    second = await deliver(told(clock, deadline=clock.now() + 5))
    assert isinstance(first, Notification)
    assert isinstance(second, Stopped) and second.failed and "rate_limits" in second.reason


async def test_attempts_and_failures_are_counted_by_channel(clock: FakeClock) -> None:
    def count(registry: CollectorRegistry, outcome: str) -> float:
        labels = {"channel": "scripted", "outcome": outcome}
        return registry.get_sample_value("pynomaly_notification_attempts_total", labels) or 0.0

    before = {outcome: count(REGISTRY, outcome) for outcome in ("delivered", "retryable")}
    await run(Scripted(clock, AWAY, AWAY), clock, told(clock))
    assert count(REGISTRY, "delivered") == before["delivered"] + 1
    assert count(REGISTRY, "retryable") == before["retryable"] + 2


async def test_the_same_failure_is_logged_once(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await run(Scripted(clock, *[AWAY] * 5), clock, told(clock))
    assert caplog.text.count("503") == 1
