"""The cache of range results: always what an evaluation would give, mostly without one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Matrix, QueryResult
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.range_cache import RangeCache
from pynomaly.storage.samples.memory import MemorySamples

STEP = 60_000


class Counted:
    """A querier that counts the steps it evaluates, and waits where it is told to."""

    def __init__(self, store: MemorySamples, executor: ThreadPoolExecutor) -> None:
        self.inner = LocalQuerier(store, executor)
        self.steps = 0
        self.gate: asyncio.Event | None = None

    def looking_back(self, lookback_ms: int) -> LocalQuerier:
        return self.inner.looking_back(lookback_ms)

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        return await self.inner.instant(expr, at_ms)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        self.steps += (end_ms - start_ms) // step_ms + 1
        answer = await self.inner.range(expr, start_ms, end_ms, step_ms)
        if self.gate:
            await self.gate.wait()
        return answer


class World:
    def __init__(self, executor: ThreadPoolExecutor, most_points: int = 1_000_000) -> None:
        self.store = MemorySamples()
        self.counted = Counted(self.store, executor)
        self.cache = RangeCache(self.counted, most_points)

    async def write(self, at: int, value: float, series: str = "a") -> None:
        labels = Labels({"__name__": "x", "series": series})
        await self.store.append(SampleBatch.of([(labels, at, value)]))
        self.cache.changed(at)

    async def same(self, expr: str, start: int, end: int) -> bool:
        ours = (await self.cache.range(expr, start, end, STEP)).value
        plain = (await self.counted.inner.range(expr, start, end, STEP)).value
        assert isinstance(ours, Matrix)
        assert isinstance(plain, Matrix)
        return (
            ours.labels == plain.labels
            and np.array_equal(ours.timestamps, plain.timestamps)
            and np.array_equal(ours.present, plain.present)
            and np.array_equal(ours.values[ours.present], plain.values[plain.present])
        )


@pytest.fixture
def executor():
    with ThreadPoolExecutor(1) as pool:
        yield pool


WRITES = st.tuples(st.just("write"), st.integers(0, 40), st.sampled_from("abc"))
READS = st.tuples(st.just("read"), st.integers(0, 30), st.integers(0, 20))
EXPRESSIONS = ["x", "sum(x)", "count_over_time(x[5m])", "max_over_time(x[4m:1m] offset 2m)", "-x"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(WRITES, READS), max_size=25), st.sampled_from(EXPRESSIONS))
def test_whatever_is_written_and_asked_the_answer_is_that_of_an_evaluation(
    actions: list[tuple[str, int, object]], expr: str
) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            world = World(pool)
            for number, (kind, at, more) in enumerate(actions):
                if kind == "write":
                    await world.write(at * STEP + 7, float(number), str(more))
                else:
                    assert await world.same(expr, at * STEP, (at + int(str(more))) * STEP)

    asyncio.run(run())


async def test_a_dashboard_that_moves_on_evaluates_only_what_is_new(
    executor: ThreadPoolExecutor,
) -> None:
    world = World(executor)
    for step in range(60):
        await world.write(step * STEP + 7, step)
    await world.same("x", 0, 59 * STEP)
    world.counted.steps = 0

    await world.write(60 * STEP - 5, 60.0)

    assert await world.same("x", 2 * STEP, 61 * STEP)
    assert world.counted.steps == 2


async def test_a_late_sample_is_seen(executor: ThreadPoolExecutor) -> None:
    world = World(executor)
    await world.write(50 * STEP, 1.0)
    await world.same("x", 0, 60 * STEP)

    await world.write(10 * STEP + 1, 2.0, "late")

    assert await world.same("x", 0, 60 * STEP)


async def test_what_is_written_while_a_query_runs_is_not_missed(
    executor: ThreadPoolExecutor,
) -> None:
    world = World(executor)
    await world.write(0, 1.0)
    world.counted.gate = asyncio.Event()
    running = asyncio.create_task(world.cache.range("x", 0, 10 * STEP, STEP))
    await asyncio.sleep(0.05)

    await world.write(3 * STEP, 2.0, "b")
    world.counted.gate.set()
    await running

    assert await world.same("x", 0, 10 * STEP)


@pytest.mark.parametrize("expr", ["x @ 60", "x offset -1m", "x @ end()", "time()", "1"])
async def test_what_looks_ahead_is_evaluated_each_time(
    executor: ThreadPoolExecutor, expr: str
) -> None:
    world = World(executor)
    await world.write(0, 1.0)
    await world.cache.range(expr, 0, 10 * STEP, STEP)
    world.counted.steps = 0

    await world.cache.range(expr, 0, 10 * STEP, STEP)

    assert world.counted.steps == 11


async def test_memory_is_bounded_the_oldest_goes_first(executor: ThreadPoolExecutor) -> None:
    world = World(executor, most_points=100)
    await world.write(0, 1.0)
    for expr in ("x", "x + 1", "x + 2", "x + 3", "x + 4", "x + 5"):
        await world.cache.range(expr, 0, 19 * STEP, STEP)
    world.counted.steps = 0

    await world.cache.range("x + 5", 0, 19 * STEP, STEP)
    assert world.counted.steps == 0
    await world.cache.range("x", 0, 19 * STEP, STEP)
    assert world.counted.steps == 20


async def test_each_lookback_is_remembered_apart(executor: ThreadPoolExecutor) -> None:
    world = World(executor)
    await world.write(0, 1.0)
    for _ in range(2):
        for lookback, steps in ((2 * STEP, 2), (4 * STEP, 4), (2 * STEP, 2)):
            querier = world.cache.looking_back(lookback)
            answer = (await querier.range("x", 0, 10 * STEP, STEP)).value
            assert isinstance(answer, Matrix)
            assert answer.present.sum() == steps
        assert await world.same("x", 0, 10 * STEP)
        await world.write(20 * STEP, 1.0)
    await world.write(STEP, 1.0, "late")
    answer = (await world.cache.looking_back(2 * STEP).range("x", 0, 10 * STEP, STEP)).value
    assert isinstance(answer, Matrix)
    assert len(answer) == 2
