import asyncio

from pynomaly.model.clock import FakeClock, SystemClock, now_ms


async def test_a_fake_clock_wakes_each_sleeper_at_its_own_time_and_in_order() -> None:
    clock = FakeClock(100)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, at: float) -> None:
        await clock.sleep_until(at)
        woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper(n, at)) for n, at in (("c", 130), ("a", 110), ("b", 110))]
    await clock.advance(20)
    assert woken == [("a", 110), ("b", 110)]
    assert clock.now() == 120
    await clock.advance(10)
    assert woken[2:] == [("c", 130)]
    await asyncio.gather(*tasks)


async def test_what_a_sleeper_starts_is_woken_in_the_same_advance() -> None:
    clock = FakeClock(0)
    seen: list[float] = []

    async def every_ten() -> None:
        while True:
            await clock.sleep_until(clock.now() + 10)
            seen.append(clock.now())

    task = asyncio.create_task(every_ten())
    await clock.advance(35)
    task.cancel()
    assert seen == [10, 20, 30]


async def test_a_time_that_has_passed_is_not_waited_for() -> None:
    clock = FakeClock(50)
    await asyncio.wait_for(clock.sleep_until(50), 30)
    await asyncio.wait_for(SystemClock().sleep_until(0), 30)


async def test_a_cancelled_sleeper_does_not_disturb_the_others() -> None:
    clock = FakeClock(0)
    cancelled = asyncio.create_task(clock.sleep_until(5))
    other = asyncio.create_task(clock.sleep_until(6))
    await clock.advance(1)
    cancelled.cancel()
    await clock.advance(10)
    assert other.done()


async def test_the_system_clock_does_not_return_early() -> None:
    clock = SystemClock()
    at = clock.now() + 0.01
    await clock.sleep_until(at)
    assert clock.now() >= at


def test_milliseconds_are_rounded() -> None:
    assert now_ms(FakeClock(1.0006)) == 1001
