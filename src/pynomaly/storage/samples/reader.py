"""Reading samples: which series, in which pieces, by which SQL."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa

from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import BoolArray, IdArray, SeriesSamples, TimeArray, ValueArray
from pynomaly.storage.engine.arrow import numbers
from pynomaly.storage.engine.contract import SignalEngine
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.days import SeriesDays
from pynomaly.storage.samples.head import Head
from pynomaly.storage.samples.index import SeriesIndex
from pynomaly.storage.samples.merge import Grouped, grouped, laid_over
from pynomaly.storage.samples.newest import Newest
from pynomaly.storage.samples.schema import KEY
from pynomaly.storage.samples.types import SlotArray

Columns = tuple[IdArray, TimeArray, ValueArray]

_MOST_SERIES = 4_096
"""Series read from memory at once: an hour of them at 15 s is a million samples. Nobody can write
meanwhile."""

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_GROWTH = 4
"""How many times larger than the one before a piece may be."""
_DENSE_MS = 1_000
"""A series is taken to have at most a sample a second when a selection is small anyway."""


class Reader:
    """Answers selections from the index and from memory, or else the engine. Thread-safe."""

    def __init__(
        self,
        engine: SignalEngine,
        index: SeriesIndex,
        days: SeriesDays,
        head: Head,
        newest: Newest,
    ) -> None:
        self._engine = engine
        self._index = index
        self._days = days
        self._head = head
        self._newest = newest

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int,
        query_id: str,
    ) -> Iterator[SeriesSamples]:
        """See ``SampleReader.select``."""
        slots = self._index.select(matchers)
        slots = slots[np.argsort(self._index.ids(slots))]
        slots = yield from self._from_memory(slots, start_ms, end_ms, chunk_samples)
        live = self._days.live(start_ms, end_ms)
        slots = slots[slots < len(live)]
        ids = self._index.ids(slots[live[slots]])
        if len(ids):
            yield from self._from_engine(ids, start_ms, end_ms, chunk_samples, query_id)

    def _from_memory(
        self, slots: SlotArray, start_ms: int, end_ms: int, chunk_samples: int
    ) -> Generator[SeriesSamples, None, SlotArray]:
        """Yields what memory has all of; returns the series that the engine must be asked for."""
        if start_ms < self._newest.from_ms:
            return slots
        metrics.FROM_MEMORY.inc()
        a_piece = min(max(1, round(chunk_samples / self._newest.mean_samples)), _MOST_SERIES)
        for first in range(0, len(slots), a_piece):
            piece = slots[first : first + a_piece]
            found = self._newest.within(piece, start_ms, end_ms)
            if found is None:
                return slots[first:]
            counts, ts, values = found
            some = counts > 0
            if some.any():
                offsets = np.append(0, np.cumsum(counts[some]))
                yield SeriesSamples(self._index.labels(piece[some]), offsets, ts, values)
        return slots[:0]

    def _from_engine(
        self, ids: IdArray, start_ms: int, end_ms: int, chunk_samples: int, query_id: str
    ) -> Iterator[SeriesSamples]:
        metrics.FROM_ENGINE.inc()
        pieces = self._pieces(ids, start_ms, end_ms, chunk_samples)

        def read(piece: IdArray) -> SeriesSamples:
            # Before the engine is asked: what leaves the head meanwhile is found in both.
            recent = self._head.within(piece, start_ms, end_ms)
            condition, params = id_condition(self._index, piece)
            columns = self._read(condition, params, start_ms, end_ms, query_id)
            pieces.learn(len(piece), len(columns[0]))
            return self._grouped(columns, recent, piece)

        results = _ahead(read, pieces) if pieces.several else map(read, pieces)
        yield from (samples for samples in results if len(samples))

    def _pieces(self, ids: IdArray, start_ms: int, end_ms: int, chunk_samples: int) -> "_Pieces":
        most = (end_ms - start_ms) // _DENSE_MS + 1
        if len(ids) * most <= chunk_samples:
            return _Pieces(ids, chunk_samples, most)
        # As if the samples of every day that is touched lay in the range.
        days = self._rows_by_day(start_ms, end_ms)
        a_series = sum(rows / max(1, self._days.count(day)) for day, rows in days)
        return _Pieces(ids, chunk_samples, a_series)

    def _rows_by_day(self, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        found = self._engine.query(
            "SELECT toInt32(partition_id) AS day, sum(rows) AS rows FROM system.parts"
            " WHERE database = currentDatabase() AND table = 'samples' AND active GROUP BY day"
        )
        days = set(self._days.within(start_ms, end_ms))
        pairs = zip(found["day"].to_pylist(), found["rows"].to_pylist(), strict=True)
        return [(day, rows) for day, rows in pairs if day in days]

    def _read(
        self, condition: str, params: dict[str, object], start_ms: int, end_ms: int, query_id: str
    ) -> Columns:
        params = {**params, "start": start_ms, "end": end_ms}
        columns = _columns(self._query("samples", condition, params, query_id))
        if _has_duplicates(columns):
            metrics.DUPLICATE_READS.inc()
            columns = _columns(self._query("samples FINAL", condition, params, query_id))
        return columns

    def _query(
        self, table: str, condition: str, params: dict[str, object], query_id: str
    ) -> pa.Table:
        return self._engine.query(
            f"SELECT id, ts, value FROM {table}"
            f" WHERE {condition} AND ts BETWEEN {{start:Int64}} AND {{end:Int64}} ORDER BY {KEY}",
            params,
            # Reading in the key's order gains nothing by more threads; chunks run in parallel.
            settings={"max_threads": 1},
            query_id=query_id,
        )

    def _grouped(self, stored: Columns, recent: Columns | None, wanted: IdArray) -> SeriesSamples:
        ids, offsets, ts, values = found = _by_series(*stored)
        if recent is not None:
            ids, offsets, ts, values = laid_over(found, grouped(*recent))
        slots = self._index.find(ids)
        # Others come with an id range; a series without a slot was removed meanwhile.
        known = np.isin(ids, wanted, assume_unique=True) & (slots >= 0)
        if not known.all():
            keep = np.repeat(known, np.diff(offsets))
            slots, ts, values = slots[known], ts[keep], values[keep]
            offsets = np.append(0, np.cumsum(np.diff(offsets)[known]))
        return SeriesSamples(self._index.labels(slots), offsets, ts, values)


def id_condition(index: SeriesIndex, ids: IdArray) -> tuple[str, dict[str, object]]:
    """SQL that is true of ids (ascending, at least one), maybe of others, and its parameters.

    By the range of ids when they are most of it, as those of a metric are; else one by one, so
    that few of many are read.
    """
    first, last = int(ids[0]), int(ids[-1])
    if 2 * len(ids) >= index.count_between(first, last):
        return "id BETWEEN {first:UInt64} AND {last:UInt64}", {"first": first, "last": last}
    return "id IN {ids:Array(UInt64)}", {"ids": ids}


class _Pieces:
    """Series divided so that a piece has about ``chunk_samples`` rows.

    How many rows a series has is a guess, ``a_series``, for the first piece; then it is learnt.
    """

    def __init__(self, ids: IdArray, chunk_samples: int, a_series: float) -> None:
        self._left = ids
        self._chunk_samples = chunk_samples
        self._size = max(1, round(chunk_samples / max(a_series, 1)))
        self.several = self._size < len(ids)

    def learn(self, series: int, rows: int) -> None:
        """A piece of so many series had so many rows."""
        fitting = self._chunk_samples * series / max(rows, 1)
        # Others may have more.
        self._size = max(1, round(min(fitting, _GROWTH * series)))

    def __iter__(self) -> Iterator[IdArray]:
        while len(self._left):
            # No small rest, which would cost as much as a whole piece.
            size = len(self._left) if len(self._left) < 1.25 * self._size else self._size
            piece, self._left = self._left[:size], self._left[size:]
            yield piece


def _ahead(read: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """Read one piece ahead of the one that the caller works on."""
    with ThreadPoolExecutor(1, thread_name_prefix="select") as thread:
        coming: Future[Result] | None = None
        for piece in pieces:
            ready, coming = coming, thread.submit(read, piece)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()


def _columns(table: pa.Table) -> Columns:
    return (numbers(table["id"]), numbers(table["ts"]), numbers(table["value"]))


def _has_duplicates(columns: Columns) -> bool:
    ids, ts, _ = columns
    same: BoolArray = ts[1:] == ts[:-1]
    return bool(same.any()) and bool((same & (ids[1:] == ids[:-1])).any())


def _by_series(ids: IdArray, ts: TimeArray, values: ValueArray) -> Grouped:
    """Distinct ids, their offsets, and the columns series by series.

    The rows come ordered by (bucket of time, id, ts): a series is one run of rows in a bucket.
    Ordering the runs costs much less than ordering the rows.
    """
    starts = np.flatnonzero(np.diff(ids, prepend=~ids[:1]))
    runs = ids[starts]
    if (runs[1:] > runs[:-1]).all():
        return runs, np.append(starts, len(ids)), ts, values
    lengths = np.diff(np.append(starts, len(ids)))
    order = np.argsort(runs, kind="stable")
    runs, lengths = runs[order], lengths[order]
    ends = np.cumsum(lengths)
    rows = np.repeat(starts[order] - (ends - lengths), lengths) + np.arange(len(ids))
    firsts = np.flatnonzero(np.diff(runs, prepend=~runs[:1]))
    offsets = np.append((ends - lengths)[firsts], len(ids))
    return runs[firsts], offsets, ts[rows], values[rows]
