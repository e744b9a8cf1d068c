"""The newest samples of every series in memory: what rules and instant queries read.

Asking the engine takes some milliseconds, however little it gives. So what was stored in the last
hour or so is kept in memory as well, as much of it as the settings allow. From some moment on
everything stored is here, and a selection that begins no earlier needs no engine.
"""

import threading
from collections.abc import Callable

import numpy as np

from pynomaly.model.samples import BoolArray, TimeArray, ValueArray
from pynomaly.storage.samples import metrics
from pynomaly.storage.samples.blocks import BLOCK, LAST_TICK, Blocks, Positions
from pynomaly.storage.samples.types import SlotArray

_SWEEPS = 32
"""How many times blocks are freed while what is kept is replaced once."""
_SHIFT_MS = 2**30
"""When the moment that ticks count from is renewed: after twelve days."""

_NEVER = 2**62

Read = tuple[Positions, TimeArray, ValueArray]
"""How many samples each series has, then times and values series by series, in time order."""


class Newest:
    """Samples of the last ``keep_ms``, at most ``size`` of them. One thread writes, any reads."""

    def __init__(self, size: int, keep_ms: int, now_ms: Callable[[], int]) -> None:
        self._blocks = Blocks(size // BLOCK)
        self._keep_ms = keep_ms
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._origin = now_ms()
        self._from = self._swept = _NEVER

    @property
    def from_ms(self) -> int:
        """Everything stored from then on is here."""
        return self._from

    @property
    def mean_samples(self) -> float:
        """About how many samples a series has here; at least 1."""
        return self._blocks.mean

    def begin(self, newest_ms: int) -> None:
        """Nothing is stored yet that is newer: be complete from there on."""
        with self._lock:
            self._from = self._swept = newest_ms + 1

    def add(self, slots: SlotArray, ts: TimeArray, values: ValueArray) -> None:
        """Take what was stored, in the order received."""
        with self._lock:
            self._forget_old()
            if int(ts.min()) < self._from:
                kept = ts >= self._from
                slots, ts, values = slots[kept], ts[kept], values[kept]
            if len(ts) and not self._write(slots, ts, values):
                self._begin_after(int(ts.max()))
            metrics.MEMORY_SECONDS.set(max(0, self._now_ms() - self._from) / 1000)

    def doubt(self, ts: TimeArray) -> None:
        """Samples of these times may be stored or not: be complete only after them."""
        with self._lock:
            self._begin_after(int(ts.max()))

    def within(self, slots: SlotArray, start_ms: int, end_ms: int) -> Read | None:
        """The samples of series (each once) in a closed range, without duplicates.

        None: not everything is here.
        """
        with self._lock:
            if start_ms < self._from:
                return None
            origin = self._origin
            found = self._blocks.read(slots, self._tick(start_ms), self._tick(end_ms))
        return _in_order(found.counts, found.ticks + np.int64(origin), found.values)

    def occurring(self, slots: SlotArray, start_ms: int, end_ms: int) -> BoolArray:
        """Which series (each once) have samples here in a closed range."""
        with self._lock:
            return self._blocks.occurring(slots, self._tick(start_ms), self._tick(end_ms))

    def forget(self, start_ms: int, end_ms: int, slots: SlotArray | None = None) -> None:
        """Leave out what was removed from the store: of some series, or all, a closed range."""
        with self._lock:
            self._blocks.erase(slots, self._tick(start_ms), self._tick(end_ms))

    def _tick(self, at_ms: int) -> int:
        return min(max(at_ms - self._origin, -LAST_TICK), LAST_TICK)

    def _forget_old(self) -> None:
        now = self._now_ms()
        self._from = max(self._from, now - self._keep_ms)
        if self._from - self._swept >= self._keep_ms // _SWEEPS:
            self._sweep()
        if now - self._origin >= _SHIFT_MS:
            self._sweep()
            self._blocks.shift(now - self._origin)
            self._origin = now

    def _sweep(self) -> None:
        self._blocks.free_before(self._tick(self._from))
        self._swept = self._from

    def _write(self, slots: SlotArray, ts: TimeArray, values: ValueArray) -> bool:
        """Write, and forget what is oldest if there is no room; whether that worked."""
        if int(ts.max()) - self._origin > LAST_TICK:
            return False
        ticks = (ts - self._origin).astype(np.int32)
        missing = self._blocks.write(slots, ticks, values)
        if not missing:
            return True
        more = missing + self._blocks.capacity // _SWEEPS
        if missing > self._blocks.used:
            return False
        self._from = max(self._from, self._origin + self._blocks.tick_to_free(more))
        self._sweep()
        return not self._blocks.write(slots, ticks, values)

    def _begin_after(self, at_ms: int) -> None:
        self._from = max(self._from, at_ms + 1)
        self._sweep()


def _in_order(counts: Positions, ts: TimeArray, values: ValueArray) -> Read:
    """Series by series in time order; of samples with the same time the last one written."""
    later = np.diff(ts, prepend=0) > 0
    ends = np.cumsum(counts)
    later[(ends - counts)[counts > 0]] = True
    if later.all():
        return counts, ts, values
    series = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((ts, series))
    series, ts, values = series[order], ts[order], values[order]
    last = np.ones(len(ts), dtype=np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (ts[1:] != ts[:-1])
    return np.bincount(series[last], minlength=len(counts)), ts[last], values[last]
