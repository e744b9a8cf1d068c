"""The local querier: threads, limits, timeouts, cancelling, what is counted."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import SampleBatch, SeriesSamples
from pynomaly.observability import REGISTRY
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import (
    Matrix,
    ParseError,
    Querier,
    QueryError,
    QueryTimeout,
    Scalar,
    String,
)
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
async def store() -> MemorySamples:
    memory = MemorySamples()
    rows = [
        (Labels({"__name__": "n_total", "i": str(i)}), t * 15_000, float(t * i))
        for i in range(5)
        for t in range(100)
    ]
    await memory.append(SampleBatch.of(rows))
    return memory


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_instant_and_range_give_matrices(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    querier: Querier = LocalQuerier(store, executor)

    instant = (await querier.instant("n_total{i='2'}", 60_000)).value
    ranged = (await querier.range("sum(n_total)", 0, 60_000, 30_000)).value

    assert isinstance(instant, Matrix)
    assert isinstance(ranged, Matrix)
    assert (instant.labels, instant.values.tolist()) == (
        [Labels({"__name__": "n_total", "i": "2"})],
        [[8.0]],
    )
    assert ranged.timestamps.tolist() == [0, 30_000, 60_000]
    assert ranged.values.tolist() == [[0.0, 20.0, 40.0]]


async def test_the_last_step_is_not_after_the_end(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    result = await LocalQuerier(store, executor).range("n_total", 0, 50_000, 30_000)

    assert isinstance(result.value, Matrix)
    assert result.value.timestamps.tolist() == [0, 30_000]


async def test_scalars_strings_and_samples_come_as_what_they_are(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    querier = LocalQuerier(store, executor)

    assert isinstance((await querier.instant("1 + 1", 0)).value, Scalar)
    assert (await querier.instant("'a'", 7)).value == String(7, "a")
    samples = (await querier.instant("n_total{i='1'}[30s]", 60_000)).value
    assert isinstance(samples, SeriesSamples)
    assert samples.ts.tolist() == [45_000, 60_000]


async def test_series_come_sorted_unless_an_order_was_asked_for(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    querier = LocalQuerier(store, executor)

    async def order(expr: str) -> list[str]:
        value = (await querier.instant(expr, 60_000)).value
        assert isinstance(value, Matrix)
        return [labels["i"] for labels in value.labels]

    assert await order("n_total") == ["0", "1", "2", "3", "4"]
    assert await order("n_total{i='3'} or n_total") == ["0", "1", "2", "3", "4"]
    assert await order("sort_desc(n_total) * 2") == ["4", "3", "2", "1", "0"]
    assert await order("topk(2, n_total)") == ["4", "3"]


async def test_chunks_of_the_reader_do_not_show(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    whole = LocalQuerier(store, executor)
    chunked = LocalQuerier(store, executor, QuerySettings(chunk_samples=100))

    for expr in ("rate(n_total[5m])", "n_total", "sum(max_over_time(n_total[2m]))"):
        a = (await whole.range(expr, 0, 1_400_000, 10_000)).value
        b = (await chunked.range(expr, 0, 1_400_000, 10_000)).value
        assert isinstance(a, Matrix)
        assert isinstance(b, Matrix)
        assert a.labels == b.labels
        assert np.array_equal(a.present, b.present)
        assert np.array_equal(a.values[a.present], b.values[b.present])


async def test_too_many_points_are_refused(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    querier = LocalQuerier(store, executor, QuerySettings(max_samples=1000))

    await querier.range("n_total", 0, 1_000_000, 10_000)
    with pytest.raises(QueryError, match="too many samples") as caught:
        await querier.range("n_total", 0, 1_000_000, 1_000)
    assert caught.value.kind == "execution"


@pytest.mark.parametrize(
    "expr", ["missing", "1", "time()", "vector(1)", "missing[1000y:1ms]", "sum(missing)"]
)
async def test_a_grid_beyond_all_bounds_is_refused_before_it_is_allocated(
    expr: str, store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    querier = LocalQuerier(store, executor)

    with pytest.raises((QueryError, ParseError), match=r"too many samples|out of range"):
        if "[" in expr:
            await querier.instant(f"count_over_time({expr})".replace("1000y", "250y"), 0)
        else:
            await querier.range(expr, 0, 10**15, 1)


async def test_long_chains_are_counted_by_what_they_hold_at_once(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    querier = LocalQuerier(store, executor, QuerySettings(max_samples=2000))

    result = await querier.range(" + ".join(["n_total"] * 50), 0, 1_000_000, 10_000)

    assert isinstance(result.value, Matrix)
    assert result.value.values[1, -1] == 50 * 66


class SlowReader(MemorySamples):
    """Waits in the middle of a read until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.read = ""

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        self.read = query_id
        try:
            for chunk in super().select(matchers, start_ms, end_ms, chunk_samples=1):
                self.reading.set()
                self.go_on.wait(30)
                yield chunk
        finally:
            self.ended.set()


@pytest.fixture
async def slow() -> Any:
    reader = SlowReader()
    rows = [(Labels({"__name__": "x", "i": str(i)}), 0, 1.0) for i in range(100)]
    await reader.append(SampleBatch.of(rows))
    yield reader
    reader.go_on.set()


async def test_a_query_that_takes_too_long_times_out(
    slow: SlowReader, executor: ThreadPoolExecutor
) -> None:
    cancelled: list[str] = []
    querier = LocalQuerier(slow, executor, cancel_read=cancelled.append)

    with pytest.raises(QueryTimeout, match="timed out in expression evaluation") as caught:
        await querier.instant("x", 0, timeout=0.05)

    assert caught.value.kind == "timeout"
    assert cancelled == [slow.read]
    slow.go_on.set()
    assert slow.ended.wait(30), "the evaluation goes on after its time"


async def test_the_settings_bound_the_timeout(
    slow: SlowReader, executor: ThreadPoolExecutor
) -> None:
    querier = LocalQuerier(slow, executor, QuerySettings(timeout=0.05))

    with pytest.raises(QueryTimeout):
        await querier.instant("x", 0, timeout=3600)


async def test_cancelling_the_task_ends_the_read_and_the_evaluation(
    slow: SlowReader, executor: ThreadPoolExecutor
) -> None:
    cancelled: list[str] = []
    querier = LocalQuerier(slow, executor, cancel_read=cancelled.append)
    task = asyncio.create_task(querier.instant("x", 0))
    await asyncio.to_thread(slow.reading.wait, 30)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert cancelled == [slow.read]
    slow.go_on.set()
    assert slow.ended.wait(30), "the evaluation goes on although nobody waits for it"
    assert counted("pynomaly_queries_in_flight") == 0


async def test_queries_are_counted(store: MemorySamples, executor: ThreadPoolExecutor) -> None:
    querier = LocalQuerier(store, executor)
    count, read = "pynomaly_query_duration_seconds_count", "pynomaly_query_samples_total"
    before = counted(count, kind="instant"), counted(count, kind="range"), counted(read)

    await querier.instant("n_total[1m]", 60_000)
    await querier.range("n_total{i='1'}", 60_000, 60_000, 1000)
    with pytest.raises(ParseError):
        await querier.instant("(", 0)

    after = counted(count, kind="instant"), counted(count, kind="range"), counted(read)
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 5 * 4 + 5]
    assert counted("pynomaly_queries_in_flight") == 0


async def test_a_step_must_be_positive(store: MemorySamples, executor: ThreadPoolExecutor) -> None:
    with pytest.raises(ParseError, match="zero or negative"):
        await LocalQuerier(store, executor).range("n_total", 0, 1, 0)


async def test_an_end_before_the_start_gives_nothing(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    result = await LocalQuerier(store, executor).range("n_total", 60_000, 0, 1000)

    assert isinstance(result.value, Matrix)
    assert (len(result.value), len(result.value.timestamps)) == (0, 0)


async def test_the_lookback_and_the_step_of_subqueries_are_settings(
    store: MemorySamples, executor: ThreadPoolExecutor
) -> None:
    settings = QuerySettings(lookback=10, default_subquery_step=15)
    querier = LocalQuerier(store, executor, settings)

    late = (await querier.instant("n_total", 12_000)).value
    dense = (await querier.instant("count_over_time(n_total{i='1'}[1m:])", 60_000)).value

    assert isinstance(late, Matrix)
    assert isinstance(dense, Matrix)
    assert len(late) == 0
    assert dense.values.tolist() == [[4.0]]


@pytest.mark.parametrize(
    ("expr", "refused"),
    [
        ("sum(limitk(2, n_total))", "1:5: parse error: limitk is experimental and switched off"),
        ("n_total + fill(0) n_total", "1:11: parse error: fill is experimental and switched off"),
    ],
)
async def test_what_is_experimental_is_refused_unless_it_is_switched_on(
    store: MemorySamples, executor: ThreadPoolExecutor, expr: str, refused: str
) -> None:
    with pytest.raises(ParseError, match=refused) as error:
        await LocalQuerier(store, executor).instant(expr, 60_000)
    assert "query.experimental_functions" in error.value.hint

    switched_on = QuerySettings(experimental_functions=True)
    await LocalQuerier(store, executor, switched_on).instant(expr, 60_000)
