"""Between Python, NumPy and Arrow, straight through the buffers.

``pa.array``, ``to_numpy`` and their like import pandas when it is installed, as it is beside the
engine: 60 MB and half a second that storing and reading does not need. A test guards it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def column(values: NDArray[Any] | Sequence[str]) -> pa.Array:
    """Numbers (without a copy, if they lie together) or texts as an Arrow array."""
    if isinstance(values, np.ndarray):
        buffer = pa.py_buffer(np.ascontiguousarray(values))
        kind = pa.from_numpy_dtype(values.dtype)
        return pa.Array.from_buffers(kind, len(values), [None, buffer])
    encoded = [text.encode() for text in values]
    body = pa.py_buffer(b"".join(encoded))
    if body.size < 2**31:
        offsets = pa.py_buffer(_offsets(encoded).astype(np.int32))
        return pa.StringArray.from_buffers(len(encoded), offsets, body)
    return pa.LargeStringArray.from_buffers(len(encoded), pa.py_buffer(_offsets(encoded)), body)


def map_column(maps: Sequence[Sequence[tuple[str, str]]]) -> pa.MapArray:
    """Maps of text to text, each given as its pairs."""
    keys = column([key for pairs in maps for key, _ in pairs])
    items = column([item for pairs in maps for _, item in pairs])
    return pa.MapArray.from_arrays(column(_offsets(maps).astype(np.int32)), keys, items)


def table(columns: Mapping[str, NDArray[Any] | Sequence[str] | pa.Array]) -> pa.Table:
    """Columns of one length as a table."""
    arrays = [c if isinstance(c, pa.Array) else column(c) for c in columns.values()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def numbers(values: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """Numbers (of any width, times, or truth values) without nulls as a NumPy array; a single
    chunk of numbers is not copied."""
    if isinstance(values, pa.ChunkedArray):
        chunks = [numbers(chunk) for chunk in values.chunks]
        if len(chunks) == 1:
            return chunks[0]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=_dtype(values.type))
    if pa.types.is_boolean(values.type):
        result: NDArray[Any] = numbers(pc.cast(values, pa.uint8())).view(np.bool_)
        return result
    dtype = np.dtype(_dtype(values.type))
    body = values.buffers()[1]
    if body is None:
        return np.empty(0, dtype=dtype)
    return np.frombuffer(body, dtype, len(values), values.offset * dtype.itemsize)


def _dtype(kind: pa.DataType) -> Any:
    if pa.types.is_temporal(kind):
        return np.int64 if kind.bit_width == 64 else np.int32
    return np.bool_ if pa.types.is_boolean(kind) else kind.to_pandas_dtype()


def _offsets(parts: Sequence[Any]) -> NDArray[np.int64]:
    lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
