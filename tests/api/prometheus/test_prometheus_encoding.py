"""Values, timestamps and whole answers as Prometheus writes them."""

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pynomaly.api.encoding import (
    encode_result,
    format_timestamp,
    format_value,
    format_values,
)
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.contract import Matrix, QueryResult, Scalar


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e6, "1000000"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (1.5e20, "150000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e300, "-1.25e+300"),
        (1e-5, "0.00001"),
        (1e-6, "0.000001"),
        (9.99e-7, "9.99e-07"),
        (5e-324, "5e-324"),
        (1 / 3, "0.3333333333333333"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (np.float64(1e-9), "1e-09"),
    ],
)
def test_a_value_is_written_as_prometheus_writes_it(value: float, text: str) -> None:
    assert format_value(value) == text
    assert format_values(np.array([1.0, value, 2.0])) == [b"1", text.encode(), b"2"]


@given(arrays.arrays(np.float64, st.integers(0, 30), elements=st.floats(width=64)))
def test_columns_are_written_as_single_values_are(values) -> None:
    assert format_values(values) == [format_value(v).encode() for v in values.tolist()]


@given(st.floats(allow_nan=False))
def test_what_is_written_reads_as_the_same_number(value: float) -> None:
    assert float(format_value(value)) == value


@given(st.integers(-(2**52), 2**52))
def test_a_timestamp_has_no_more_decimals_than_it_needs(ms: int) -> None:
    text = format_timestamp(ms)
    assert round(float(text) * 1000) == ms
    assert ("." in text) == (ms % 1000 != 0)


def matrix(values: list[list[float | None]]) -> Matrix:
    present = np.array([[v is not None for v in row] for row in values])
    numbers = np.array([[v or 0.0 for v in row] for row in values])
    labels = [Labels({"i": str(i)}) for i in range(len(values))]
    times = np.arange(present.shape[1], dtype=np.int64) * 500
    return Matrix(labels, times, numbers, present)


def decoded(result: QueryResult, *, instant: bool, limit: int = 0) -> list[object]:
    data = orjson.loads(encode_result(result, instant=instant, limit=limit))["data"]
    return [[s["metric"]["i"], s.get("values") or s["value"]] for s in data["result"]]


def test_absent_points_and_series_without_points_are_left_out() -> None:
    values = [[1.0, None, 3.0], [None, None, None], [None, 2.0, None], [4.0, 5.0, 6.0]]
    assert decoded(QueryResult(matrix(values)), instant=False) == [
        ["0", [[0, "1"], [1, "3"]]],
        ["2", [[0.5, "2"]]],
        ["3", [[0, "4"], [0.5, "5"], [1, "6"]]],
    ]
    assert decoded(QueryResult(matrix(values)), instant=False, limit=2)[-1][0] == "2"


def test_a_vector_leaves_out_absent_series() -> None:
    result = QueryResult(matrix([[1.0], [None], [math.nan]]))
    assert decoded(result, instant=True) == [["0", [0, "1"]], ["2", [0, "NaN"]]]


def test_no_series_are_an_empty_list() -> None:
    result = QueryResult(Matrix.empty(np.array([0], dtype=np.int64)))
    for instant in (True, False):
        assert decoded(result, instant=instant) == []


def test_many_blocks_of_series_are_one_answer() -> None:
    rows = np.random.default_rng(3).random((700, 1000))
    present = np.random.default_rng(4).random(rows.shape) > 0.01
    many = Matrix([Labels({"i": str(i)}) for i in range(700)], np.arange(1000), rows, present)
    for series in decoded(QueryResult(many), instant=False):
        row = int(series[0])
        assert [float(v) for _, v in series[1]] == rows[row][present[row]].tolist()


def test_raw_samples_keep_their_own_times() -> None:
    samples = SeriesSamples(
        [Labels({"i": "a"}), Labels({"i": "b"})],
        np.array([0, 2, 3]),
        np.array([1001, 2002, 3003]),
        np.array([1.0, 2.0, np.inf]),
    )
    assert decoded(QueryResult(samples), instant=True) == [
        ["a", [[1.001, "1"], [2.002, "2"]]],
        ["b", [[3.003, "+Inf"]]],
    ]


def test_a_scalar_over_a_range_is_one_series_without_labels() -> None:
    scalar = Scalar(np.array([1000, 2000]), np.array([1.0, 2.0]))
    body = orjson.loads(encode_result(QueryResult(scalar), instant=False))
    assert body["data"] == {
        "resultType": "matrix",
        "result": [{"metric": {}, "values": [[1, "1"], [2, "2"]]}],
    }


def test_label_values_of_any_kind_survive() -> None:
    labels = Labels({"__name__": "x", "v": 'Zürich 🚉 "q" \\ \n \x00 </script>'})
    vector = Matrix([labels], np.array([0]), np.array([[1.0]]), np.array([[True]]))
    body = orjson.loads(encode_result(QueryResult(vector), instant=True))
    assert body["data"]["result"][0]["metric"] == dict(labels.pairs)
