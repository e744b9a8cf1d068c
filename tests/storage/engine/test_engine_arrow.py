"""Arrays to Arrow and back."""

import numpy as np
import pyarrow as pa
import pytest

from pynomaly.storage.engine.arrow import column, map_column, numbers, table


@pytest.mark.parametrize("dtype", ["uint64", "int64", "float64", "int32", "uint8", "int8"])
def test_numbers_come_back(dtype: str) -> None:
    values = np.array([0, 1, 100, 7], dtype=dtype)
    assert column(values).to_pylist() == values.tolist()
    assert column(values[::2]).to_pylist() == values[::2].tolist()
    back = numbers(column(values))
    assert back.dtype == dtype
    assert back.tolist() == values.tolist()
    assert numbers(column(values).slice(1, 2)).tolist() == values[1:3].tolist()


def test_chunks_are_joined() -> None:
    chunks = pa.chunked_array([column(np.array([1, 2])), column(np.array([3]))])
    assert numbers(chunks).tolist() == [1, 2, 3]
    nothing = numbers(pa.chunked_array([], pa.uint64()))
    assert (nothing.dtype, len(nothing)) == (np.uint64, 0)


def test_truth_values_and_times_are_numbers() -> None:
    truth = pa.array([True, False, True, True])
    assert numbers(truth.slice(1)).tolist() == [False, True, True]
    assert numbers(pa.array([5, -1], pa.timestamp("ms", tz="UTC"))).tolist() == [5, -1]
    assert numbers(pa.array([9], pa.date32())).tolist() == [9]


def test_texts_and_maps_come_back() -> None:
    texts = ["", "ü", "a\nb", "x" * 1000]
    assert column(texts).to_pylist() == texts
    maps = [[("a", "ü"), ("b", "")], [], [("c", "x")]]
    assert map_column(maps).to_pylist() == maps
    assert map_column([]).to_pylist() == []
    made = table({"text": texts, "number": np.arange(4)})
    assert made.to_pydict() == {"text": texts, "number": [0, 1, 2, 3]}
