"""Data as people have it - lists, arrays, pandas, polars - as a matrix on even steps.

Neither pandas nor polars is imported: what they hand over is asked for by their own methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import MINUTE
from pynomaly.detection.contract import FloatMatrix, Times

_LARGEST_SHARE_OF_GAPS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of one or more columns of numbers, and perhaps when each was.

    ``values``: float64 ``[columns, rows]``, NaN where nothing is. ``times``: int64 ``[rows]``
    epoch seconds, rising, or None. ``shift``: seconds by which local time is ahead at each row.
    """

    values: FloatMatrix
    times: Times | None
    shift: Times


@dataclass(frozen=True, slots=True, eq=False)
class Even:
    """A table on even steps: ``matrix[:, at]`` are its rows; the rest are gaps (NaN).

    ``times``: epoch seconds of the steps; ``local``: the same in local time.
    """

    matrix: FloatMatrix
    times: Times
    local: Times
    at: NDArray[np.int64]


def table_of(data: Any) -> Table:
    """A list or array ``[rows]`` or ``[rows, columns]``, or a Series or DataFrame.

    Of a DataFrame every column of numbers counts; times are a column of dates, or pandas' index
    of dates.

    Raises:
        ValueError: there are no numbers in it, or the times do not rise.
    """
    if hasattr(data, "columns"):
        columns = [(str(name), data[name]) for name in data.columns]
        return _of_columns(columns, getattr(data, "index", None))
    if hasattr(data, "to_numpy"):
        return _of_columns([("", data)], getattr(data, "index", None))
    array = np.asarray(data)
    if array.dtype == object:
        array = _numbers_of_objects(array)
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2):
        raise ValueError(
            f"numbers [rows] or [rows, columns] are expected, not {array.dtype} "
            f"with {array.ndim} dimensions"
        )
    rows = array.astype(np.float64)
    values = rows.T.copy() if rows.ndim == 2 else rows[np.newaxis].copy()
    return Table(values, None, np.zeros(values.shape[1], dtype=np.int64))


def _of_columns(columns: Sequence[tuple[str, Any]], index: Any) -> Table:
    numbers, dates = [], index if index is not None and _seconds(index) is not None else None
    for _, column in columns:
        if _seconds(column) is not None:
            dates = column
            continue
        values = _numbers(column)
        if values is not None:
            numbers.append(values)
    if not numbers:
        names = ", ".join(name for name, _ in columns)
        raise ValueError(f"there is no column of numbers (columns: {names})")
    if dates is None:
        return Table(np.array(numbers), None, np.zeros(len(numbers[0]), dtype=np.int64))
    times, local = _seconds(dates), _seconds(_local(dates))
    if times is None or local is None or (np.diff(times) <= 0).any():
        raise ValueError("the times do not rise: sort the rows by time and drop repeated times")
    return Table(np.array(numbers), times, local - times)


def _numbers(column: Any) -> NDArray[np.float64] | None:
    """A column as float64, missing values as NaN; None if it does not hold numbers."""
    array = np.asarray(column.to_numpy())
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype != object:
        return None
    found = _numbers_of_objects(array)
    return found if found.dtype != object else None


def _numbers_of_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Numbers among which None or pandas' NA stands for nothing; else the array as it was."""
    flat = array.ravel().tolist()
    if not all(_is_missing(each) or isinstance(each, (int, float)) for each in flat):
        return array
    numbers = [np.nan if _is_missing(each) else float(each) for each in flat]
    return np.array(numbers, dtype=np.float64).reshape(array.shape)


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _seconds(column: Any) -> Times | None:
    """Epoch seconds of a column or index of dates, UTC where it has a zone; None if it is none."""
    array = np.asarray(_universal(column).to_numpy())
    if array.dtype.kind != "M":
        return None
    if np.isnat(array).any():
        raise ValueError("some times are missing: drop those rows")
    seconds: Times = array.astype("datetime64[s]").astype(np.int64)
    return seconds


def _universal(column: Any) -> Any:
    """Dates with a zone as those of UTC: pandas' index, pandas' column, polars' column."""
    if getattr(column, "tz", None) is not None:
        return column.tz_convert(None)
    if getattr(column.dtype, "tz", None) is not None:
        return column.dt.tz_convert(None)
    if getattr(column.dtype, "time_zone", None):
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column


def _local(column: Any) -> Any:
    """Dates with a zone as its clocks show them."""
    if getattr(column, "tz", None) is not None:
        return column.tz_localize(None)
    if getattr(column.dtype, "tz", None) is not None:
        return column.dt.tz_localize(None)
    if getattr(column.dtype, "time_zone", None):
        return column.dt.replace_time_zone(None)
    return column


def even(table: Table, *, interval: int = 0, origin: int = 0) -> Even:
    """Put the rows on even steps, in the places that their times say.

    Args:
        table: A row without a neighbour leaves a gap.
        interval: Seconds between steps; 0 takes the usual gap, or a minute where there is no time.
        origin: A time of the grid.

    Raises:
        ValueError: two rows fall on one step, or there are mostly gaps.
    """
    rows = table.values.shape[1]
    if table.times is None:
        step = interval or MINUTE
        times = origin + np.arange(rows, dtype=np.int64) * step
        return Even(table.values, times, times, np.arange(rows))
    if not rows:
        return Even(table.values, table.times, table.times, np.arange(0))
    step = interval or usual_interval(table.times)
    places = np.round((table.times - origin) / step).astype(np.int64)
    at = places - places[0]
    if (np.diff(at) <= 0).any():
        raise ValueError(f"rows are closer than the interval of {step} s: aggregate them first")
    if at[-1] >= _LARGEST_SHARE_OF_GAPS * (rows + 1):
        raise ValueError(f"most steps of {step} s have no row: the times are too uneven")
    matrix = np.full((len(table.values), int(at[-1]) + 1), np.nan)
    matrix[:, at] = table.values
    steps = np.arange(matrix.shape[1], dtype=np.int64)
    times = origin + (places[0] + steps) * step
    last_row = np.searchsorted(at, steps, side="right") - 1
    return Even(matrix, times, times + table.shift[last_row], at)


def usual_interval(times: Times) -> int:
    """The median gap in seconds, at least 1; a minute for fewer than two times."""
    return max(1, int(np.median(np.diff(times)))) if len(times) > 1 else MINUTE
