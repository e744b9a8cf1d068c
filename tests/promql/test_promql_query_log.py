"""Following queries: what runs, what ran, and when it is too many."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import ParseError
from pynomaly.promql.local import LocalQuerier
from pynomaly.promql.query_log import QueryLog, TooManyQueries
from pynomaly.storage.samples.memory import MemorySamples


class Gated(MemorySamples):
    """Reads wait until the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def select(self, matchers, start_ms, end_ms, **options):  # type: ignore[no-untyped-def]
        assert self.gate.wait(30)
        yield from super().select(matchers, start_ms, end_ms, **options)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
async def store() -> Gated:
    gated = Gated()
    await gated.append(SampleBatch.of([(Labels({"__name__": "x"}), 1_000, 1.0)]))
    return gated


def follower(**options: float) -> QueryLog:
    return QueryLog(FakeClock(100.0), slow_seconds=options.get("slow", 1e9), most=2)


async def test_what_ran_says_what_it_asked_and_read(
    store: Gated, executor: ThreadPoolExecutor
) -> None:
    queries = follower()
    store.gate.set()
    querier = LocalQuerier(store, executor, query_log=queries)

    await querier.range("sum(x)", 0, 60_000, 30_000)
    with pytest.raises(ParseError):
        await querier.instant("sum(", 5_000)

    failed, ran = queries.recent()
    assert (ran.kind, ran.expr, ran.start_ms, ran.end_ms, ran.step_ms) == (
        *("range", "sum(x)", 0, 60_000),
        30_000,
    )
    assert (ran.samples_read, ran.error, ran.began) == (1, "", 100.0)
    assert "parse error" in failed.error


async def test_what_runs_is_seen_and_too_many_are_refused(
    store: Gated, executor: ThreadPoolExecutor
) -> None:
    queries = follower()
    querier = LocalQuerier(store, executor, query_log=queries)
    running = [asyncio.create_task(querier.instant(f"x + {i}", 5_000)) for i in range(2)]
    await asyncio.sleep(0)

    assert [record.expr for record in queries.active()] == ["x + 0", "x + 1"]
    with pytest.raises(TooManyQueries, match="2 queries run and wait"):
        await querier.instant("x", 5_000)

    store.gate.set()
    await asyncio.gather(*running)
    assert queries.active() == []
    assert len(queries.recent()) == 2


async def test_a_slow_query_is_a_line_in_the_log(
    store: Gated, executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    store.gate.set()
    querier = LocalQuerier(store, executor, query_log=follower(slow=0.0))

    with caplog.at_level(logging.WARNING):
        await querier.instant("x", 5_000)

    assert "a query took" in caplog.text


async def test_a_cancelled_query_leaves_the_list(
    store: Gated, executor: ThreadPoolExecutor
) -> None:
    queries = follower()
    task = asyncio.create_task(LocalQuerier(store, executor, query_log=queries).instant("x", 5_000))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    store.gate.set()
    assert queries.active() == []
    assert queries.recent()[0].error == "CancelledError"
