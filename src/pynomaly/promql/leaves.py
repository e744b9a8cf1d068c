"""Where stored samples become matrices: selectors, and functions over windows."""

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, SeriesSamples, ValueArray, is_stale
from pynomaly.promql import over_time, rates
from pynomaly.promql.contract import Matrix
from pynomaly.promql.matrices import repeated, stacked
from pynomaly.promql.nodes import At, MatrixSelector, VectorSelector
from pynomaly.promql.rates import Folded
from pynomaly.promql.state import Grid, QueryState
from pynomaly.promql.windows import Windows, blocks, rows_until, windows, without_stale

RANGE_FUNCTIONS: dict[str, Callable[[Windows], Folded]] = {
    "avg_over_time": over_time.avg_over_time,
    "changes": rates.changes,
    "count_over_time": over_time.count_over_time,
    "delta": rates.delta,
    "deriv": rates.deriv,
    "first_over_time": over_time.first_over_time,
    "idelta": rates.idelta,
    "increase": rates.increase,
    "irate": rates.irate,
    "last_over_time": over_time.last_over_time,
    "mad_over_time": over_time.mad_over_time,
    "max_over_time": over_time.max_over_time,
    "min_over_time": over_time.min_over_time,
    "present_over_time": over_time.present_over_time,
    "rate": rates.rate,
    "resets": rates.resets,
    "stddev_over_time": over_time.stddev_over_time,
    "stdvar_over_time": over_time.stdvar_over_time,
    "sum_over_time": over_time.sum_over_time,
    "ts_of_first_over_time": over_time.ts_of_first_over_time,
    "ts_of_last_over_time": over_time.ts_of_last_over_time,
    "ts_of_max_over_time": over_time.ts_of_max_over_time,
    "ts_of_min_over_time": over_time.ts_of_min_over_time,
}
"""Functions of a range vector alone."""

COUNTER_FUNCTIONS = frozenset({"increase", "rate"})
"""Functions that are meant for counters only."""

_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")

Part = tuple[list[Labels], ValueArray, BoolArray]
"""Labels, values and presence of some series."""

KEEPS_NAME = frozenset({"first_over_time", "last_over_time"})


def reference(state: QueryState, grid: Grid, offset_ms: int, at: At | None) -> Grid:
    """The times that a selector looks at: the steps, or the one time of ``@``; offset."""
    if at == "start":
        at = state.grid.start
    elif at == "end":
        at = state.end
    fixed = grid if at is None else Grid(at, 1, 1)
    return fixed.shifted(-offset_ms)


def instant(
    state: QueryState, selector: VectorSelector, grid: Grid, *, timestamps: bool = False
) -> Matrix:
    """The latest sample of each series at each step, no older than the lookback.

    A staleness marker ends a series. ``timestamps`` gives the samples' times (seconds) instead
    of their values.
    """
    ends = reference(state, grid, selector.offset_ms, selector.at)
    matrix = stacked(list(_latest_parts(state, selector, ends, timestamps=timestamps)), ends.times)
    return repeated(matrix, grid.times) if ends.count < grid.count else _on(matrix, grid)


def instant_parts(
    state: QueryState, selector: VectorSelector, grid: Grid
) -> Generator[Part, None, None]:
    """The same in pieces of some series each, for a selector that is not tied to one time."""
    ends = reference(state, grid, selector.offset_ms, selector.at)
    return _latest_parts(state, selector, ends, timestamps=False)


def _latest_parts(
    state: QueryState, selector: VectorSelector, ends: Grid, *, timestamps: bool
) -> Generator[Part, None, None]:
    lookback = round(state.settings.lookback * 1000)
    start = ends.start - lookback + 1
    with closing(state.select(selector.matchers, start, ends.end)) as chunks:
        for block in (block for chunk in chunks for block in blocks(chunk, ends.count)):
            state.check()
            state.charge(len(block) * ends.count)
            yield _compact(block.labels, *_latest(block, ends, lookback, timestamps))


def _on(matrix: Matrix, grid: Grid) -> Matrix:
    return Matrix(matrix.labels, grid.times, matrix.values, matrix.present)


def _latest(block: SeriesSamples, ends: Grid, lookback: int, timestamps: bool) -> Folded:
    rows = rows_until(block, ends)
    has = rows > block.offsets[:-1, None]
    rows = np.where(has, rows - 1, 0)
    ts = block.ts[rows]
    present = has & (ts > ends.times - lookback) & ~is_stale(block.values)[rows]
    return (ts / 1000 if timestamps else block.values[rows]), present


def _compact(labels: list[Labels], values: ValueArray, present: BoolArray) -> Part:
    some = present.any(axis=1)
    if some.all():
        return labels, values, present
    rows = np.flatnonzero(some)
    return [labels[i] for i in rows], values[rows], present[rows]


def over_windows(
    state: QueryState,
    chunks: Generator[SeriesSamples, None, None],
    ends: Grid,
    grid: Grid,
    range_ms: int,
    compute: Callable[[Windows], Folded],
) -> Matrix:
    """Fold the windows of every series onto the grid; the series keep their names."""
    return stacked(list(_window_parts(state, chunks, ends, grid, range_ms, compute)), grid.times)


def range_parts(
    state: QueryState, over: MatrixSelector, grid: Grid, compute: Callable[[Windows], Folded]
) -> Generator[Part, None, None]:
    """The same for the windows of a selector, in pieces of some series each."""
    chunks, ends = window_samples(state, over, grid)
    return _window_parts(state, chunks, ends, grid, over.range_ms, compute)


def window_samples(
    state: QueryState, over: MatrixSelector, grid: Grid
) -> tuple[Generator[SeriesSamples, None, None], Grid]:
    """The samples of all windows of a selector, and where the windows end."""
    vector = over.vector
    ends = reference(state, grid, vector.offset_ms, vector.at)
    start = ends.start - over.range_ms + 1
    return state.select(vector.matchers, start, ends.end), ends


def _window_parts(
    state: QueryState,
    chunks: Generator[SeriesSamples, None, None],
    ends: Grid,
    grid: Grid,
    range_ms: int,
    compute: Callable[[Windows], Folded],
) -> Generator[Part, None, None]:
    with closing(chunks):
        whole = (without_stale(chunk) for chunk in chunks)
        for block in (block for chunk in whole for block in blocks(chunk, grid.count)):
            state.check()
            state.charge(len(block) * grid.count)
            found = windows(block, ends, range_ms)
            found = found if ends.count == grid.count else found.repeated(grid.count)
            yield _compact(block.labels, *compute(found))


def doubt_counters(state: QueryState, names: set[str]) -> None:
    """Note which of the names of metrics are not those of counters."""
    for name in sorted(names):
        if name and not name.endswith(_COUNTER_SUFFIXES):
            state.inform(
                "metric might not be a counter, name does not end in "
                f'_total/_sum/_count/_bucket: "{name}"'
            )


def samples_of(state: QueryState, selector: MatrixSelector, grid: Grid) -> SeriesSamples:
    """The samples in the window of a range selector at the one step of an instant query."""
    vector = selector.vector
    ends = reference(state, grid, vector.offset_ms, vector.at)
    found = []
    start = ends.start - selector.range_ms + 1
    with closing(state.select(vector.matchers, start, ends.end)) as chunks:
        for chunk in chunks:
            found.append(without_stale(chunk))
            state.charge(len(found[-1].ts))
    return joined(found)


def joined(chunks: list[SeriesSamples]) -> SeriesSamples:
    """Chunks one after the other."""
    if len(chunks) == 1:
        return chunks[0]
    lengths = [np.diff(chunk.offsets) for chunk in chunks]
    offsets = np.concatenate(([0], np.cumsum(np.concatenate(lengths)))) if chunks else np.zeros(1)
    return SeriesSamples(
        [labels for chunk in chunks for labels in chunk.labels],
        offsets.astype(np.int64),
        np.concatenate([chunk.ts for chunk in chunks]) if chunks else np.empty(0, dtype=np.int64),
        np.concatenate([chunk.values for chunk in chunks]) if chunks else np.empty(0),
    )
