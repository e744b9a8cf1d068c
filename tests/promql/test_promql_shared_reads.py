"""Reading once for many expressions gives what each reads for itself."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples
from pynomaly.promql import shared_reads
from pynomaly.promql.contract import Matrix
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples

EXPRESSIONS = [
    "x",
    'x{a="1"}',
    'sum by (a) (rate(x{b=~"1|2"}[5m]))',
    'x{a!="1"} > 3',
    "max_over_time(x[10m] offset 3m)",
    'absent(x{a="9"})',
    "count_over_time(x[2m:30s])",
    "y",
    "x + on (a) group_left y",
    '{__name__=~"x|y"}',
    "x @ 100",
]


class Counted(MemorySamples):
    def __init__(self) -> None:
        super().__init__()
        self.reads: list[Sequence[Matcher]] = []

    def select(self, matchers, start_ms, end_ms, **options) -> Iterator[SeriesSamples]:  # type: ignore[no-untyped-def]
        self.reads.append(matchers)
        return super().select(matchers, start_ms, end_ms, **options)


def answer(querier: LocalQuerier, expr: str, at: int) -> tuple[list[str], list[float]] | str:
    try:
        value = asyncio.run(querier.instant(expr, at)).value
    except Exception as error:  # noqa: BLE001 - an error must be the same one
        return str(error)
    assert isinstance(value, Matrix)
    values = np.where(value.present, value.values, np.nan)[:, 0]
    return [str(labels) for labels in value.labels], values.tolist()


ROWS = st.tuples(
    st.sampled_from("xy"),
    st.sampled_from("123"),
    st.sampled_from("12"),
    st.integers(0, 1200),
    st.one_of(st.integers(0, 9).map(float), st.just(float(STALE))),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=60), st.integers(0, 1300))
def test_every_expression_gives_what_it_gives_alone(
    rows: list[tuple[str, str, str, int, float]], at: int
) -> None:
    store = MemorySamples()
    batch = [
        (Labels({"__name__": name, "a": a, **({"b": b} if name == "x" else {})}), ts * 1000, value)
        for name, a, b, ts, value in rows
    ]
    if batch:
        asyncio.run(store.append(SampleBatch.of(batch)))
    with ThreadPoolExecutor(1) as pool:
        plain = LocalQuerier(store, pool)
        shared = plain.sharing(EXPRESSIONS)
        for expr in EXPRESSIONS:
            wanted, found = answer(plain, expr, at * 1000), answer(shared, expr, at * 1000)
            assert str(found) == str(wanted), expr


@pytest.fixture
def store() -> Counted:
    counted = Counted()
    rows = [(Labels({"__name__": "x", "a": str(i)}), 60_000, float(i)) for i in range(10)]
    asyncio.run(counted.append(SampleBatch.of(rows)))
    return counted


def test_a_metric_that_many_read_is_read_once(store: Counted) -> None:
    expressions = [f'x{{a="{i}"}}' for i in range(10)]
    with ThreadPoolExecutor(1) as pool:
        shared = LocalQuerier(store, pool).sharing(expressions)
        found = [answer(shared, expr, 60_000) for expr in expressions]

    assert found[7] == (['x{a="7"}'], [7.0])
    assert len(store.reads) == 1


def test_a_metric_that_few_read_is_read_by_each_for_itself(store: Counted) -> None:
    with ThreadPoolExecutor(1) as pool:
        shared = LocalQuerier(store, pool).sharing(['x{a="1"}', "y", "y", "y"])
        answer(shared, 'x{a="1"}', 60_000)

    assert [len(matchers) for matchers in store.reads] == [2]


def test_what_is_in_memory_is_read_by_each_for_itself(store: Counted) -> None:
    expressions = [f'x{{a="{i}"}}' for i in range(10)]
    with ThreadPoolExecutor(1) as pool:
        shared = LocalQuerier(store, pool, quick_from=lambda: -300_000).sharing(expressions)
        found = [answer(shared, expr, 60_000) for expr in expressions]
        assert found[7] == (['x{a="7"}'], [7.0])
        assert [len(matchers) for matchers in store.reads] == [2] * 10
        answer(shared, 'x{a="1"} offset 10m', 60_000)

    assert len(store.reads[-1]) == 1


def test_a_metric_of_too_many_samples_is_not_held(
    store: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_reads, "_MOST_SAMPLES", 5)
    with ThreadPoolExecutor(1) as pool:
        shared = LocalQuerier(store, pool).sharing(["x"] * 3)
        assert answer(shared, 'x{a="7"}', 60_000) == (['x{a="7"}'], [7.0])
        answer(shared, "x", 60_000)

    assert [len(matchers) for matchers in store.reads] == [1, 2, 1]
