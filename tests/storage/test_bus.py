"""Topics with bounded queues: a slow subscriber is told, and never holds up the others."""

import asyncio

import pytest

from pynomaly.model.clock import FakeClock
from pynomaly.storage.bus import Bus, Message, Subscription


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock) -> Bus:
    return Bus(clock)


async def take(subscription: Subscription) -> Message | None:
    async with asyncio.timeout(30):
        return await subscription.next()


async def test_a_subscriber_gets_its_topics_in_order(bus: Bus, clock: FakeClock) -> None:
    with bus.subscribe(["a", "b"]) as subscription:
        bus.publish("a", 1)
        bus.publish("other", 2)
        await clock.advance(5)
        bus.publish("b", 3)
        assert await take(subscription) == Message("a", 1, clock.now() - 5, 1)
        assert await take(subscription) == Message("b", 1, clock.now(), 3)


async def test_numbers_count_up_within_a_topic_whoever_listens(bus: Bus) -> None:
    bus.publish("a", "before")
    with bus.subscribe(["a"]) as subscription:
        bus.publish("a", "after")
        message = await take(subscription)
    assert message is not None
    assert (message.seq, message.data) == (2, "after")


async def test_waiting_ends_when_a_message_comes(bus: Bus) -> None:
    with bus.subscribe(["a"]) as subscription:
        waiting = asyncio.create_task(take(subscription))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.publish("a", 1)
        message = await waiting
    assert message is not None
    assert message.data == 1


async def test_who_is_too_slow_is_told_once_and_goes_on_with_the_newest(bus: Bus) -> None:
    with bus.subscribe(["a"], capacity=3) as slow, bus.subscribe(["a"], capacity=10) as quick:
        for n in range(1, 7):
            bus.publish("a", n)
        assert await take(slow) is None, "a resync is due"
        assert [m.data for m in [await take(slow) for _ in range(2)] if m] == [5, 6]
        assert [m.data for m in [await take(quick) for _ in range(6)] if m] == [1, 2, 3, 4, 5, 6]


async def test_memory_is_bounded_by_the_capacity(bus: Bus) -> None:
    with bus.subscribe(["a"], capacity=4) as subscription:
        for n in range(1_000):
            bus.publish("a", n)
            assert len(subscription._queue) <= 4


async def test_a_closed_subscription_receives_nothing_more(bus: Bus) -> None:
    subscription = bus.subscribe(["a"])
    bus.publish("a", 1)
    subscription.close()
    subscription.close()
    bus.publish("a", 2)
    message = await take(subscription)
    assert message is not None
    assert message.data == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(subscription.next(), 0.01)
