"""Windows and reductions, held against the same written plainly."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql import folds, over_time, rates
from pynomaly.promql.state import Grid
from pynomaly.promql.windows import Windows, windows

VALUES = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(-1e9, 1e9, allow_nan=False),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e100, -1e100]),
)
SERIES = st.lists(
    st.dictionaries(st.integers(0, 200), VALUES, min_size=1, max_size=30), min_size=1, max_size=4
)


def columns(series: list[dict[int, float]]) -> SeriesSamples:
    rows = [sorted(each.items()) for each in series]
    return SeriesSamples(
        [Labels({"i": str(i)}) for i in range(len(rows))],
        np.cumsum([0, *map(len, rows)]),
        np.array([ts for each in rows for ts, _ in each], dtype=np.int64),
        np.array([value for each in rows for _, value in each]),
    )


def plain(series: dict[int, float], end: int, width: int) -> list[float]:
    return [value for ts, value in sorted(series.items()) if end - width < ts <= end]


@settings(max_examples=200, deadline=None)
@given(SERIES, st.integers(-20, 50), st.integers(1, 40), st.integers(1, 12), st.integers(1, 90))
def test_windows_hold_what_is_after_their_left_border_up_to_their_end(
    series: list[dict[int, float]], start: int, step: int, count: int, width: int
) -> None:
    grid = Grid(start, step, count)
    found = windows(columns(series), grid, width)

    for i, each in enumerate(series):
        for k, end in enumerate(grid.times.tolist()):
            inside = found.values[found.left[i, k] : found.right[i, k]].tolist()
            assert str(inside) == str(plain(each, end, width))


REFERENCES = {
    "sum_over_time": math.fsum,
    "avg_over_time": lambda v: math.fsum(v) / len(v),
    "min_over_time": min,
    "max_over_time": max,
    "stdvar_over_time": lambda v: float(np.var(np.array(v, dtype=np.longdouble))),
    "count_over_time": len,
    "last_over_time": lambda v: v[-1],
    "changes": lambda v: sum(a != b for a, b in itertools.pairwise(v)),
    "resets": lambda v: sum(b < a for a, b in itertools.pairwise(v)),
}


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_reductions_are_those_of_each_window(name: str, data: st.DataObject) -> None:
    finite = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6, allow_nan=False))
    series = data.draw(
        st.lists(
            st.dictionaries(st.integers(0, 100), finite, min_size=1, max_size=40),
            min_size=1,
            max_size=3,
        )
    )
    grid, width = Grid(0, 7, 16), data.draw(st.integers(1, 100))
    function = getattr(over_time, name, None) or getattr(rates, name)

    values, present = function(windows(columns(series), grid, width))

    for i, each in enumerate(series):
        for k, end in enumerate(grid.times.tolist()):
            inside = plain(each, end, width)
            assert present[i, k] == bool(inside)
            if inside:
                scale = max(map(abs, inside), default=0.0)
                square = scale**2 if name == "stdvar_over_time" else scale
                wanted = REFERENCES[name](inside)
                assert values[i, k] == pytest.approx(wanted, rel=1e-12, abs=1e-13 * square)


def one_window(values: list[float]) -> Windows:
    samples = columns([dict(enumerate(values, 1))])
    return windows(samples, Grid(len(values), 1, 1), len(values))


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1e100, 1.0, -1e100], 1.0),
        ([1.0, 1e100, 1.0, -1e100], 2.0),
        ([0.1] * 10 + [-0.1] * 10, 0.0),
        ([math.inf, 1.0], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
    ],
)
@np.errstate(all="ignore")
def test_sums_keep_what_is_left_of_terms_that_cancel(values: list[float], total: float) -> None:
    found, _ = over_time.sum_over_time(one_window(values))

    assert found[0, 0] == pytest.approx(total, nan_ok=True, abs=0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), min_size=1, max_size=20))
def test_a_fold_takes_every_row_of_a_window_once_and_in_order(
    spans: list[tuple[int, int]],
) -> None:
    """Rows as digits: first the lowest row of a window, last the highest."""
    rows = np.arange(100, dtype=np.float64)
    left = np.array([start for _, start in spans])
    right = left + np.array([length for length, _ in spans])

    first, last, count = folds.fold(
        (rows, rows, np.ones(100)),
        lambda a, b: (a[0], b[1], np.where(a[1] + 1 == b[0], a[2] + b[2], np.nan)),
        left,
        right,
    )

    assert first.tolist() == left.tolist()
    assert last.tolist() == (right - 1).tolist()
    assert count.tolist() == (right - left).tolist()


TERMS = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(-1e9, 1e9, allow_nan=False),
    st.sampled_from([1e15, -1e15, 0.1]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(TERMS, min_size=1, max_size=9), min_size=1, max_size=6))
def test_sums_of_groups_lose_no_digits_where_terms_cancel(groups: list[list[float]]) -> None:
    right = np.cumsum([len(group) for group in groups])
    left = right - [len(group) for group in groups]
    values = np.array([value for group in groups for value in group])[:, None]

    found = folds.group_sums(values, left, right)[:, 0]

    for group, value in zip(groups, found.tolist(), strict=True):
        size = math.fsum(map(abs, group))
        assert value == pytest.approx(math.fsum(group), rel=1e-9, abs=size * 1e-28)
