"""Periodic work on a clock that stands still until it is told to advance."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.model.clock import FakeClock
from pynomaly.observability import REGISTRY
from pynomaly.storage.scheduler import Job, Scheduler

START = 1_000_000.0  # a multiple of 10


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
async def scheduler(clock: FakeClock) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(clock)
    yield scheduler
    await scheduler.close()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_work_runs_on_the_grid_of_its_interval(
    clock: FakeClock, scheduler: Scheduler
) -> None:
    await clock.advance(3)
    due: list[float] = []

    async def work(at: float) -> None:
        due.append(at - START)
        assert clock.now() == at

    scheduler.every("grid", 10, work)
    await clock.advance(30)
    assert due == [10, 20, 30]


async def test_an_offset_shifts_the_grid(clock: FakeClock, scheduler: Scheduler) -> None:
    due: list[float] = []

    async def work(at: float) -> None:
        due.append(at - START)

    scheduler.every("shifted", 10, work, offset=123)
    await clock.advance(25)
    assert due == [3, 13, 23]


async def test_a_run_that_takes_too_long_makes_the_next_ones_missed(
    clock: FakeClock, scheduler: Scheduler
) -> None:
    due: list[float] = []

    async def slow(at: float) -> None:
        due.append(at - START)
        await clock.sleep_until(at + 25)

    before = metric("pynomaly_scheduler_missed_runs_total", job="slow")
    job = scheduler.every("slow", 10, slow)
    await clock.advance(10)  # begins, and ends at 35
    await clock.advance(29)
    assert due == [10]
    await clock.advance(2)
    assert due == [10, 40]
    assert (job.runs, job.missed) == (1, 2)
    assert metric("pynomaly_scheduler_missed_runs_total", job="slow") - before == 2


async def test_a_slow_job_delays_no_other(clock: FakeClock, scheduler: Scheduler) -> None:
    ran: list[float] = []

    async def stuck(_: float) -> None:
        await asyncio.Event().wait()

    async def quick(at: float) -> None:
        ran.append(at)

    scheduler.every("stuck", 10, stuck)
    scheduler.every("quick", 10, quick)
    await clock.advance(30)
    assert len(ran) == 3


async def test_a_failing_run_is_counted_and_logged_and_the_job_goes_on(
    clock: FakeClock, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: float) -> None:
        raise ValueError("no luck")

    before = metric("pynomaly_scheduler_runs_total", job="failing", outcome="error")
    with caplog.at_level(logging.ERROR):
        job = scheduler.every("failing", 10, fail)
        await clock.advance(30)
    assert (job.runs, job.failures, job.last_error) == (3, 3, "no luck")
    assert metric("pynomaly_scheduler_runs_total", job="failing", outcome="error") - before == 3
    assert "no luck" in caplog.text


async def test_a_clock_that_jumps_ahead_runs_once_and_counts_the_rest_as_missed(
    scheduler: Scheduler, clock: FakeClock
) -> None:
    due: list[float] = []

    async def work(at: float) -> None:
        due.append(at - START)
        clock._now = START + 60  # as a machine that slept does

    job = scheduler.every("jumped", 10, work)
    await clock.advance(10)
    assert due == [10]
    assert job.missed == 5


async def test_a_name_runs_once_and_is_free_again_after_cancelling(
    clock: FakeClock, scheduler: Scheduler
) -> None:
    ran: list[str] = []

    async def first(_: float) -> None:
        ran.append("first")

    async def second(_: float) -> None:
        ran.append("second")

    scheduler.every("name", 10, first)
    with pytest.raises(ValueError, match="'name' runs already"):
        scheduler.every("name", 10, second)
    await scheduler.cancel("name")
    await scheduler.cancel("name")
    scheduler.every("name", 10, second)
    await clock.advance(10)
    assert ran == ["second"]


async def test_closing_stops_work_under_way_and_waits_for_it(
    clock: FakeClock, scheduler: Scheduler
) -> None:
    seen: list[str] = []

    async def work(_: float) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    scheduler.every("long", 10, work)
    await clock.advance(10)
    await scheduler.close()
    assert seen == ["cleaned up"]
    assert scheduler.jobs == {}


async def test_whoever_cancels_a_job_can_be_cancelled_while_waiting(
    clock: FakeClock, scheduler: Scheduler
) -> None:
    release = asyncio.Event()

    async def stubborn(_: float) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()

    scheduler.every("stubborn", 10, stubborn)
    await clock.advance(10)
    stopping = asyncio.create_task(scheduler.cancel("stubborn"))
    await asyncio.sleep(0)
    stopping.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping


async def _nothing(_: float) -> None:
    """Work that is never run."""


@given(
    st.floats(1e9, 2e9),
    st.sampled_from([0.1, 0.2, 0.3, 1.0, 5.0, 7.7, 60.0, 3600.0]),
    st.floats(0, 0.999),
)
def test_no_time_of_the_grid_is_due_twice_or_left_out(
    start: float, interval: float, share: float
) -> None:
    job = Job("j", interval=interval, work=_nothing, offset=share * interval, group="j")
    due = job.next_after(start)
    for _ in range(20):
        following = job.next_after(due)
        assert following - due == pytest.approx(interval, rel=1e-3, abs=1e-6)
        due = following
