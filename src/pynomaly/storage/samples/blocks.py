"""Samples of many series in memory, in chains of small blocks: 12.5 bytes a sample.

A series writes into its newest block, and links a new one before it when that is full. Blocks are
rows of a few large arrays, so that a commit is written, and a selection read, for all of its series
at once. A sample stays where it was written: a late one lies behind a newer one, and whoever reads
puts them in order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.storage.samples.types import SlotArray

BLOCK = 16
"""Samples of a block. Five minutes at 15 s are two or three blocks, an hour is fifteen."""

Ticks = NDArray[np.int32]
"""Milliseconds since a moment that whoever holds the blocks chooses."""

LAST_TICK = 2**31 - 2
_NO_SAMPLE = 2**31 - 1
_FIRST_TICK = -(2**31)
_NONE = np.int32(-1)

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a selection found: the samples of its series one after the other, in the order
    written, ``counts`` (int64) of each series."""

    counts: Positions
    ticks: Ticks
    values: ValueArray


class Blocks:
    """``capacity`` blocks, whose memory is taken when they are first written.

    Not thread-safe. Ticks are greater than -2**31 and at most ``LAST_TICK``.
    """

    def __init__(self, capacity: int) -> None:
        self._ticks = np.empty((capacity, BLOCK), dtype=np.int32)
        self._values = np.empty((capacity, BLOCK), dtype=np.float64)
        # Of a block: the least tick in it, the greatest in it and all before it, the one before.
        self._low = np.empty(capacity, dtype=np.int32)
        self._top = np.empty(capacity, dtype=np.int32)
        self._before = np.full(capacity, _NONE)
        self._used = np.zeros(capacity, dtype=np.bool_)
        self._free = np.arange(capacity, dtype=np.int32)[::-1].copy()
        self._free_count = capacity
        # Of a series, by its slot: its newest block, and how many samples are in that.
        self._newest = np.empty(0, dtype=np.int32)
        self._filled = np.empty(0, dtype=np.int32)

    @property
    def capacity(self) -> int:
        """How many blocks there are."""
        return len(self._used)

    @property
    def used(self) -> int:
        """How many of them hold samples."""
        return len(self._used) - self._free_count

    @property
    def mean(self) -> float:
        """About how many samples a series has; at least 1."""
        series = int(np.count_nonzero(self._newest >= 0))
        return max(1.0, self.used * BLOCK / max(1, series))

    def write(self, slots: SlotArray, ticks: Ticks, values: ValueArray) -> int:
        """Write samples, of a series in the order given.

        Returns how many blocks are missing: if any is, nothing was written.
        """
        slots, ticks, values = _by_slot(slots, ticks, values)
        starts = np.flatnonzero(np.diff(slots, prepend=_NONE))
        distinct, counts = slots[starts], np.diff(starts, append=len(slots))
        self._grow(int(distinct[-1]) + 1)
        needed = self._needed(distinct, counts)
        if (missing := int(needed.sum()) - self._free_count) > 0:
            return missing
        new, first_new = self._link(distinct, needed)
        newest, filled = self._newest[distinct], self._filled[distinct]
        # The place of each sample, counted from the beginning of the block that is newest now.
        place = np.arange(len(slots)) + np.repeat(filled - starts, counts)
        block = np.repeat(newest, counts)
        beyond = np.flatnonzero(place >= BLOCK)
        if len(beyond):
            jump = np.repeat(first_new - 1, counts)[beyond]
            block[beyond] = new[jump + place[beyond] // BLOCK]
        cell = place % BLOCK
        self._ticks[block, cell] = ticks
        self._values[block, cell] = values
        self._bound(block, ticks, np.repeat(newest, counts))
        last = starts + counts - 1
        self._newest[distinct] = block[last]
        self._filled[distinct] = cell[last] + 1
        return 0

    def read(self, slots: SlotArray, first: int, last: int) -> Found:
        """The samples of series (each once) with ``first <= tick <= last``."""
        depth, blocks = self._chains(slots, first)
        wanted = self._low[blocks] <= last
        if not wanted.all():
            depth = _sums(wanted, depth)
            blocks = blocks[wanted]
        ticks = self._ticks[blocks]
        inside = (ticks >= first) & (ticks <= last)
        counts = _sums(np.count_nonzero(inside, axis=1), depth)
        return Found(counts, ticks[inside], self._values[blocks][inside])

    def occurring(self, slots: SlotArray, first: int, last: int) -> BoolArray:
        """Which series (each once) have a sample with ``first <= tick <= last``."""
        found = np.zeros(len(slots), dtype=np.bool_)
        rows = np.flatnonzero(slots < len(self._newest))
        blocks = self._newest[slots[rows]]
        while len(rows):  # once, mostly: one asks of the time until now
            rows, blocks = rows[blocks >= 0], blocks[blocks >= 0]
            keep = self._top[blocks] >= first
            rows, blocks = rows[keep], blocks[keep]
            ticks = self._ticks[blocks]
            inside = ((ticks >= first) & (ticks <= last)).any(axis=1)
            found[rows[inside]] = True
            rows, blocks = rows[~inside], self._before[blocks[~inside]]
        return found

    def erase(self, slots: SlotArray | None, first: int, last: int) -> None:
        """Leave out the samples of series (None: all) with ``first <= tick <= last``."""
        blocks = np.flatnonzero(self._used) if slots is None else self._chains(slots, first)[1]
        ticks = self._ticks[blocks]
        ticks[(ticks >= first) & (ticks <= last)] = _NO_SAMPLE
        self._ticks[blocks] = ticks

    def free_before(self, first: int) -> None:
        """Free the blocks that have nothing from ``first`` on, in themselves or before them."""
        gone = self._used & (self._top < first)
        freed = np.flatnonzero(gone).astype(np.int32)
        if not len(freed):
            return
        self._before[gone[self._before] & (self._before >= 0)] = _NONE
        self._newest[gone[self._newest] & (self._newest >= 0)] = _NONE
        self._used[freed] = False
        # Taken from the end: those with the smallest numbers first, so that memory is used again.
        self._free[self._free_count : self._free_count + len(freed)] = freed[::-1]
        self._free_count += len(freed)

    def tick_to_free(self, blocks: int) -> int:
        """A tick before which at least so many of the blocks used (at most all) would be free."""
        tops = self._top[self._used]
        place = min(blocks, len(tops)) - 1
        return int(np.partition(tops, place)[place]) + 1

    def shift(self, by: int) -> None:
        """Make every tick less by as much; the moment they count from is later by it."""
        for bounds in (self._low, self._top):
            bounds[self._used] = _earlier(bounds[self._used], by)
        held = self._ticks[self._used]
        self._ticks[self._used] = np.where(held == _NO_SAMPLE, held, _earlier(held, by))

    def _grow(self, slots: int) -> None:
        if slots > len(self._newest):
            more = slots * 9 // 8 + 64 - len(self._newest)
            self._newest = np.concatenate([self._newest, np.full(more, _NONE)])
            self._filled = np.concatenate([self._filled, np.zeros(more, dtype=np.int32)])

    def _needed(self, slots: SlotArray, counts: Positions) -> Positions:
        """How many new blocks so many samples of each series take."""
        room = np.where(self._newest[slots] >= 0, BLOCK - self._filled[slots], 0)
        needed: Positions = np.maximum(counts - room + BLOCK - 1, 0) // BLOCK
        return needed

    def _link(self, slots: SlotArray, needed: Positions) -> tuple[SlotArray, Positions]:
        """Take new blocks for each series; where each series' first is among them."""
        first = np.cumsum(needed) - needed
        count = int(needed.sum())
        self._free_count -= count
        new = self._free[self._free_count : self._free_count + count][::-1].copy()
        self._used[new] = True
        self._ticks[new] = _NO_SAMPLE
        self._low[new] = _NO_SAMPLE
        self._top[new] = _FIRST_TICK
        self._before[new[1:]] = new[:-1]
        some = np.flatnonzero(needed)
        self._before[new[first[some]]] = self._newest[slots[some]]
        # A series without a block writes as if it had a full one.
        self._filled[slots[self._newest[slots] < 0]] = BLOCK
        return new, first

    def _bound(self, block: SlotArray, ticks: Ticks, newest: SlotArray) -> None:
        """Widen the bounds of the blocks written; ``newest`` is where each series was before."""
        starts = np.flatnonzero(np.diff(block, prepend=_NONE))
        written = block[starts]
        low = np.minimum.reduceat(ticks, starts)
        self._low[written] = np.minimum(self._low[written], low)
        # By series, since a block's ``top`` holds for what is before it as well.
        top = np.maximum.reduceat(ticks, starts)
        before = newest[starts]
        known = np.where(before >= 0, self._top[before], np.int32(_FIRST_TICK))
        top = np.maximum(top, known)
        self._top[written] = top
        linked = self._before[written]
        while (risen := (linked >= 0) & (self._top[linked] > self._top[written])).any():
            self._top[written[risen]] = self._top[linked[risen]]

    def _chains(self, slots: SlotArray, first: int) -> tuple[Positions, SlotArray]:
        """The blocks of each series that may have something from ``first`` on, oldest first, and
        how many of each series."""
        depth = np.zeros(len(slots), dtype=np.int64)
        rows = np.flatnonzero(slots < len(self._newest))
        blocks = self._newest[slots[rows]]
        levels: list[tuple[Positions, SlotArray]] = []
        while True:
            # One after the other: without any block there is no top of it.
            rows, blocks = rows[blocks >= 0], blocks[blocks >= 0]
            keep = self._top[blocks] >= first
            rows, blocks = rows[keep], blocks[keep]
            if not len(rows):
                break
            levels.append((rows, blocks))
            depth[rows] += 1
            blocks = self._before[blocks]
        ends = np.cumsum(depth)
        chains = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.int32)
        for level, (rows, blocks) in enumerate(levels):
            chains[ends[rows] - 1 - level] = blocks
        return depth, chains


def _earlier(ticks: Ticks, by: int) -> Ticks:
    """Less by as much, as far as there are such ticks."""
    earlier: Ticks = np.maximum(ticks.astype(np.int64) - by, _FIRST_TICK + 1).astype(np.int32)
    return earlier


def _by_slot(
    slots: SlotArray, ticks: Ticks, values: ValueArray
) -> tuple[SlotArray, Ticks, ValueArray]:
    """Rows by slot, of one slot in the order given; runs of a slot are moved as one."""
    starts = np.flatnonzero(np.diff(slots, prepend=_NONE))
    runs = slots[starts]
    if (runs[1:] > runs[:-1]).all():
        return slots, ticks, values
    lengths = np.diff(starts, append=len(slots))
    order = np.argsort(runs, kind="stable")
    lengths = lengths[order]
    moved = np.repeat(starts[order] - (np.cumsum(lengths) - lengths), lengths)
    rows = moved + np.arange(len(slots))
    return slots[rows], ticks[rows], values[rows]


def _sums(values: NDArray[np.generic], lengths: Positions) -> Positions:
    """The sum of the next ``lengths[i]`` values, for each ``i``."""
    until = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    ends = np.cumsum(lengths)
    sums: Positions = until[ends] - until[ends - lengths]
    return sums
