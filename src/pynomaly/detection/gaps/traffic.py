"""Counters whose rate goes to zero at an hour at which it never did for so long.

What should have been counted in a run of zeros is summed up by the usual rate of each hour, or
that of the last hour if it is lower. A run is a finding when that is far from chance (Poisson:
nothing where 20 are due happens once in five hundred million times) and the run is twice as long
as any before at this hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import AnyArray, Column, Columns, FloatArray, Rows

LEAST_MISSED = 20.0
LEAST_RUN = 300.0
"""Seconds."""
_LEAST_AGE = 86_400
"""Seconds in which every hour was seen once."""
_LONGER = 2.0
_HOURS = 24
_SLOTS = 2 * _HOURS
_PACE = 1.0 / 120.0
_MOST_RATE = 60_000.0
_UNIT = 15.0
"""Seconds; runs are kept as powers of two of it, in eighths, so that a byte is enough."""
_EIGHTHS = 8.0
_DAYS_PER_EIGHTH = 2
_DAY = 86_400
_MONDAY_DAYS = 3  # the epoch began on a Thursday


@dataclass(slots=True)
class Traffic(Columns):
    """What is usual of each counter.

    ``usual``: its rate by hour of the day, of working days and of weekends, NaN where not seen.
    ``runs``: the longest run of zeros at each, as a code. ``recent``: its rate of about the last
    hour. ``since``: the local second at which the present run began, 0 without one; ``missed``:
    what should have been counted in it. ``born``: the first second that was seen. ``newest``: the
    last. ``out``: whether it is a finding.
    """

    usual: NDArray[np.float16]
    runs: NDArray[np.uint8]
    recent: FloatArray
    since: NDArray[np.int64]
    missed: FloatArray
    born: NDArray[np.int64]
    newest: NDArray[np.int64]
    out: NDArray[np.bool_]

    SPEC: ClassVar = {
        "usual": Column((_SLOTS,), np.float16, np.nan),
        "runs": Column((_SLOTS,), np.uint8),
        "recent": Column(),
        "since": Column(dtype=np.int64),
        "missed": Column(),
        "born": Column(dtype=np.int64),
        "newest": Column(dtype=np.int64),
        "out": Column(dtype=np.bool_),
    }


class Silent(NamedTuple):
    """Counters of which nothing is counted any more, and those that count again."""

    begun: Rows
    over: Rows


class TrafficWatch:
    """Follows the rates of counters."""

    def __init__(self) -> None:
        self.state = Traffic.blank(0)
        self._day = 0

    def follow(
        self,
        rows: Rows,
        seconds: NDArray[np.int64],
        rates: NDArray[np.float64],
        false_alarms: NDArray[np.float64] | float = 0.0,
        season: NDArray[np.int64] | None = None,
    ) -> Silent:
        """Take in the rate of each of these counters at these local seconds.

        ``false_alarms``: for each how many there were; each makes it wait four times as long.
        ``season``: the local seconds whose usual rate is expected, where these are others.
        """
        if not len(rows):
            return Silent(rows, rows)
        block = self.state.take(rows)
        slots = _slots(seconds if season is None else season)
        at = np.arange(len(rows))
        new = block.newest == 0
        block.born[new] = seconds[new]
        passed = np.where(new, 0, np.clip(seconds - block.newest, 0, _DAY))
        usual = block.usual[at, slots].astype(np.float64)
        zero = rates == 0
        missed = block.missed + np.minimum(np.nan_to_num(usual), block.recent) * passed
        begins = zero & (block.since == 0)
        block.since[begins] = np.where(new, seconds, block.newest)[begins]
        ended = ~zero & (block.since > 0)
        if ended.any():
            _keep_runs(block, np.flatnonzero(ended))
        block.since[~zero] = 0
        block.missed[:] = np.where(zero, missed, 0.0)
        run = np.where(zero, seconds - block.since, 0)
        bar = _LONGER * _longest(block, slots, seconds, at) * 4.0**false_alarms
        found = (run >= LEAST_RUN) & (block.missed >= LEAST_MISSED) & (run > bar)
        found &= (seconds - block.born >= _LEAST_AGE) & ~block.out
        over = block.out & ~zero
        block.out[found] = True
        block.out[over] = False
        near = np.minimum(rates, _MOST_RATE)
        first = np.isnan(usual)
        usual = np.where(first, near, usual + (near - usual) * _PACE)
        # While traffic is missing, that is not learnt as usual.
        kept = ~(zero & (block.missed >= LEAST_MISSED))
        block.usual[at[kept], slots[kept]] = usual[kept].astype(np.float16)
        recent = np.where(new, near, block.recent + (near - block.recent) * _PACE)
        block.recent[kept] = recent[kept]
        block.newest[:] = np.maximum(seconds, block.newest)
        self.state.put(rows, block)
        self._forget(int(seconds[0]) // _DAY)
        return Silent(rows[found], rows[over])

    def excuse(self, rows: Rows, seconds: NDArray[np.int64]) -> None:
        """Nothing is missed of these counters up to these local seconds."""
        state = self.state
        state.since[rows] = 0
        state.missed[rows] = 0.0
        known = state.newest[rows] > 0
        state.newest[rows[known]] = np.maximum(state.newest[rows], seconds)[known]

    def missed(self, row: int) -> tuple[float, float]:
        """What should have been counted in the present run of zeros, and its length in seconds."""
        state = self.state
        return float(state.missed[row]), float(state.newest[row] - state.since[row])

    def _forget(self, day: int) -> None:
        """Runs are half forgotten after 16 days."""
        if day // _DAYS_PER_EIGHTH != self._day // _DAYS_PER_EIGHTH:
            if self._day:
                self.state.runs -= self.state.runs > 0
            self._day = day

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        self.state = self.state.resized(rows, size)

    def arrays(self) -> dict[str, AnyArray]:
        """The state for a file."""
        return {**self.state.arrays("traffic"), "traffic_day": np.array(self._day)}

    def take_up(self, arrays: Mapping[str, AnyArray]) -> None:
        """Go on from what ``arrays`` gave.

        Raises:
            KeyError, ValueError: it was written by a version with another state.
        """
        self.state = Traffic.of_arrays("traffic", arrays)
        self._day = int(arrays["traffic_day"])


def _slots(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The hour of the day, of weekends after those of working days."""
    weekend = (seconds // _DAY + _MONDAY_DAYS) % 7 >= 5
    found: NDArray[np.int64] = seconds // 3600 % _HOURS + _HOURS * weekend
    return found


def _longest(
    block: Traffic,
    slots: NDArray[np.int64],
    seconds: NDArray[np.int64],
    at: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Seconds of the longest run of zeros at this hour, the one before, and the one after.

    In its first eight days a series is compared with all days alike.
    """
    hour, kind = slots % _HOURS, slots // _HOURS
    young = seconds - block.born < 8 * _DAY
    code = np.zeros(len(at), dtype=np.uint8)
    for apart in (-1, 0, 1):
        near = (hour + apart) % _HOURS
        np.maximum(code, block.runs[at, near + _HOURS * kind], out=code)
        other = block.runs[at, near + _HOURS * (1 - kind)]
        np.maximum(code, np.where(young, other, 0), out=code, casting="unsafe")
    found: NDArray[np.float64] = np.where(code > 0, _UNIT * 2.0 ** (code / _EIGHTHS), 0.0)
    return found


def _keep_runs(block: Traffic, which: NDArray[np.int64]) -> None:
    """Write the runs that ended into the hours that they lasted over, as far as they had come."""
    since, until = block.since[which], block.newest[which]
    hour = since
    while len(which):
        # As long as the run was by the end of this hour, or of the run.
        length = np.minimum((hour // 3600 + 1) * 3600, until) - since
        code = np.ceil(_EIGHTHS * np.log2(np.maximum(length / _UNIT, 1.0)))
        slots = _slots(hour)
        code = np.clip(code, 1, 255).astype(np.uint8)
        block.runs[which, slots] = np.maximum(block.runs[which, slots], code)
        hour = (hour // 3600 + 1) * 3600
        more = (hour <= until) & (hour - since < 7 * _DAY)
        which, since, until, hour = which[more], since[more], until[more], hour[more]
