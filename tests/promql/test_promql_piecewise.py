"""Aggregating piece by piece gives what aggregating the whole matrix gives."""

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples
from pynomaly.promql import local, piecewise
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Matrix, QueryError
from pynomaly.promql.state import Grid, QueryState
from pynomaly.storage.samples.memory import MemorySamples

OPERATORS = ["sum", "avg", "count", "group", "min", "max", "stddev"]
GROUPINGS = ["", "by (a)", "by (b, a)", "by (__name__, a)", "by (c)", "without (a)", "without (b)"]
OPERANDS = [
    "x",
    "rate(x[5m])",
    "last_over_time(x[5m])",
    "min_over_time(x[3m] offset 1m)",
    "x @ 300",
]


class Pieces(MemorySamples):
    """Reads one series at a time."""

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        for chunk in super().select(matchers, start_ms, end_ms):
            for i, labels in enumerate(chunk.labels):
                rows = slice(int(chunk.offsets[i]), int(chunk.offsets[i + 1]))
                ts, values = chunk.ts[rows], chunk.values[rows]
                yield SeriesSamples([labels], np.array([0, len(ts)]), ts, values)


def stored(rows: Sequence[tuple[Labels, int, float]]) -> Pieces:
    samples = Pieces()
    asyncio.run(samples.append(SampleBatch.of(rows)))
    return samples


def evaluate(samples: Pieces, expr: str, steps: int, limit: int = 50_000_000) -> Matrix:
    grid = Grid(60_000, 30_000, steps)
    state = QueryState(samples, QuerySettings(max_samples=limit), grid)
    value = local.answer("range" if steps > 1 else "instant", expr, state).value
    assert isinstance(value, Matrix)
    return value


def whole(samples: Pieces, expr: str, steps: int) -> Matrix:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(piecewise, "aggregated", lambda *_: None)
        return evaluate(samples, expr, steps)


def assert_equal(found: Matrix, expected: Matrix) -> None:
    assert sorted(found.labels) == sorted(expected.labels)
    order = [found.labels.index(labels) for labels in expected.labels]
    np.testing.assert_array_equal(found.present[order], expected.present)
    mine, theirs = (np.where(m.present, m.values, 0.0) for m in (found, expected))
    np.testing.assert_allclose(mine[order], theirs, rtol=1e-12)


LABELS = st.builds(
    lambda a, b, **more: Labels({"__name__": "x", "a": a, "b": b, **more}),
    st.sampled_from(["1", "2", ""]),
    st.sampled_from("pqrs"),
)
VALUES = st.one_of(
    st.integers(0, 1000).map(float),
    st.floats(allow_nan=True, allow_infinity=True),
    st.just(float(STALE)),
)
ROWS = st.lists(st.tuples(LABELS, st.integers(0, 600_000), VALUES), max_size=60)


@given(
    ROWS,
    st.sampled_from(OPERATORS),
    st.sampled_from(GROUPINGS),
    st.sampled_from(OPERANDS),
    st.sampled_from([1, 7]),
)
@settings(max_examples=300, deadline=None)
def test_pieces_add_up_to_the_whole(
    rows: list[tuple[Labels, int, float]], op: str, grouping: str, operand: str, steps: int
) -> None:
    samples = stored(rows)
    expr = f"{op} {grouping} ({operand})"
    assert_equal(evaluate(samples, expr, steps), whole(samples, expr, steps))


def test_a_sum_whose_terms_cancel_keeps_its_digits() -> None:
    terms = {"1": 1e16, "2": 3.0, "3": -1e16, "4": 0.5}
    samples = stored([(Labels({"__name__": "x", "a": a}), 60_000, v) for a, v in terms.items()])
    assert evaluate(samples, "sum(x)", 1).values.tolist() == [[3.5]]
    assert evaluate(samples, "avg(x)", 1).values.tolist() == [[0.875]]


def test_a_mean_whose_sum_overflows_is_a_mean() -> None:
    samples = stored([(Labels({"__name__": "x", "a": a}), 60_000, 1.5e308) for a in "12"])
    assert evaluate(samples, "avg(x)", 1).values.tolist() == [[1.5e308]]


def test_series_that_become_equal_are_an_error_all_the_same() -> None:
    rows = [
        (Labels({"__name__": name, "a": "1"}), at, 1.0) for name in "xy" for at in (10_000, 50_000)
    ]
    with pytest.raises(QueryError, match="same labelset"):
        evaluate(stored(rows), 'sum(rate({a="1"}[5m]))', 1)


def test_names_and_types_do_not_make_groups_after_a_function() -> None:
    labels = Labels({"__name__": "x_total", "__type__": "counter", "a": "1", "b": "2"})
    samples = stored([(labels, at, 1.0) for at in (10_000, 50_000)])
    for grouping in ("by (__type__, __name__, a)", "without (b)"):
        found = evaluate(samples, f"sum {grouping} (rate(x_total[5m]))", 1)
        assert found.labels == [Labels({"a": "1"})]


def test_a_sum_needs_no_room_for_its_series() -> None:
    names = [Labels({"__name__": "x", "a": str(i)}) for i in range(50)]
    samples = stored([(each, 60_000, 1.0) for each in names])
    assert evaluate(samples, "sum(x)", 10, limit=100).values.max() == 50
    with pytest.raises(QueryError, match="too many samples"):
        evaluate(samples, "x", 10, limit=100)


def test_a_rate_of_what_may_be_no_counter_is_noted() -> None:
    samples = stored([(Labels({"__name__": "x"}), at, 1.0) for at in (10_000, 50_000)])
    state = QueryState(samples, QuerySettings(), Grid(60_000, 1, 1))
    assert "might not be a counter" in local.answer("instant", "sum(rate(x[5m]))", state).infos[0]
    state = QueryState(samples, QuerySettings(), Grid(60_000, 1, 1))
    assert not local.answer("instant", "sum(rate(absent_one[5m]))", state).infos
