"""How regularly each series has samples, and which are overdue by their own measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, Columns, FloatArray, Rows
from pynomaly.model.samples import SeriesSamples, is_stale

LEAST_SAMPLES = 100
LEAST_AGE_MS = 3 * 3_600_000
"""A series is regular, or not, only after so many samples and so long a life."""
LEAST_WAIT = 240.0
"""Seconds without a sample that are nobody's trouble; half of it after a staleness marker."""
_INTERVALS = 4.0
"""Missed samples that are nobody's trouble."""
_LONGER = 2.0
"""A gap is unusual when it is so many times as long as the longest before."""
_PATIENCE = 4.0
"""A false alarm makes a series wait so many times as long."""
_RECORD_SECONDS = 21 * 86_400.0
"""The longest gap is half forgotten after so long."""
_LOSS_SAMPLES = 60.0
_HOUR_MS = 3_600_000
LOSSY = 0.3
"""The least share of samples that must be missing to be worth a word."""
COMPLETE = 0.1
"""The share of missing samples below which a series has them again."""

STOPPED, SCATTERED, COUNTED = 1, 2, 4
"""What a series is in: it stopped, its samples get lost, it counts as one of a kind that left."""


class Arrivals(NamedTuple):
    """What came of each series in one step: all of one length, ``rows`` rising.

    ``first`` and ``ms``: its first and newest sample; ``samples``: how many; ``longest``: the
    longest distance between two of them, in milliseconds. ``ended``: rows with a staleness marker
    at their end.
    """

    rows: Rows
    first: NDArray[np.int64]
    ms: NDArray[np.int64]
    samples: NDArray[np.int64]
    longest: NDArray[np.int64]
    ended: Rows

    def only(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> "Arrivals":
        """What came of these of the rows, in this order."""
        rows, first, ms, samples, longest, ended = self
        return Arrivals(rows[kept], first[kept], ms[kept], samples[kept], longest[kept], ended)


def arrivals(samples: SeriesSamples, found: NDArray[np.int64], rows: NDArray[np.int64]) -> Arrivals:
    """What came, for the series ``found`` of ``samples``, none empty, which are these ``rows``."""
    first, at = samples.offsets[found], samples.offsets[found + 1] - 1
    apart = np.diff(samples.ts, prepend=samples.ts[:1])
    apart[first] = 0
    longest = np.maximum.reduceat(apart, first) if len(found) else at
    ended = is_stale(samples.values[at])
    count = at - first + 1 - ended
    there = (count > 0) & (rows >= 0)
    order = np.argsort(rows[there])
    newest = samples.ts[np.maximum(at - ended, first)]
    came = Arrivals(rows, samples.ts[first], newest, count, longest, rows[ended & (rows >= 0)])
    return came.only(np.flatnonzero(there)[order])


@dataclass(slots=True)
class Regularity(Columns):
    """What is known of each series' samples.

    ``interval``: seconds between them, ``step`` the newest; ``count``: how many; ``born`` and
    ``newest``: the first and the newest in milliseconds; ``at``: the watch's clock then.
    ``longest``: the longest gap, in seconds; ``ended``: a staleness marker came since. ``lost``:
    the share of late that is missing, ``lost_most`` the most of it before, ``lost_hour`` of this
    hour, ``lost_last`` of the last. ``out``: in which findings.
    """

    interval: FloatArray
    step: FloatArray
    count: NDArray[np.int32]
    born: NDArray[np.int64]
    newest: NDArray[np.int64]
    at: NDArray[np.int64]
    longest: FloatArray
    ended: NDArray[np.bool_]
    lost: FloatArray
    lost_most: FloatArray
    lost_hour: FloatArray
    lost_last: FloatArray
    out: NDArray[np.uint8]

    SPEC: ClassVar = {
        "interval": Column(),
        "step": Column(),
        "count": Column(dtype=np.int32),
        "born": Column(dtype=np.int64),
        "newest": Column(dtype=np.int64),
        "at": Column(dtype=np.int64),
        "longest": Column(),
        "ended": Column(dtype=np.bool_),
        "lost": Column(),
        "lost_most": Column(),
        "lost_hour": Column(),
        "lost_last": Column(),
        "out": Column(dtype=np.uint8),
    }


class Watch:
    """Follows the samples of all series, and says which are overdue.

    Its clock stands still while nothing at all comes and nobody looks, so that what was missed
    while the judge itself was away is no series' gap.
    """

    def __init__(self) -> None:
        self.state = Regularity.blank(0)
        self.clock = 0

    def follow(self, came: Arrivals, since_ms: int, until_ms: int, *, live: bool) -> Rows:
        """Take in what came between; returns the rows that came back after having stopped.

        ``live``: somebody looks at this moment, so that no samples at all are a gap, too.
        """
        passed = until_ms - since_ms
        if live or len(came.rows):
            self.clock += passed
        state, rows = self.state, came.rows
        state.ended[rows] = False
        state.ended[came.ended] = True
        new = state.count[rows] == 0
        state.born[rows[new]] = came.ms[new]
        if len(rows):
            self._measure(came, new)
        state.newest[rows] = came.ms
        state.at[rows] = self.clock
        back: Rows = rows[(state.out[rows] & STOPPED) > 0]
        state.out[back] &= np.uint8(0xFF ^ STOPPED)
        self._forget_records(passed, until_ms)
        return back

    def _measure(self, came: Arrivals, new: NDArray[np.bool_]) -> None:
        state, rows = self.state, came.rows
        apart = (came.ms - state.newest[rows]) / 1000.0
        waited = np.minimum(
            (came.first - state.newest[rows]) / 1000.0,
            (self.clock - state.at[rows]) / 1000.0,
        )
        whole = ~new & (apart <= (self.clock - state.at[rows]) / 1000.0 * 1.5 + 60.0)
        each = apart / came.samples
        usual = state.interval[rows].astype(np.float64)
        first = ~new & (usual == 0)
        usual[first] = each[first]
        near = whole & ~first & (each < 1.5 * usual)
        usual[near] += (each[near] - usual[near]) * 0.1
        # Longer ones are lost samples, unless they are as long again and again.
        slower = whole & ~first & ~near
        alike = np.abs(each - state.step[rows]) < 0.1 * each
        usual[slower] *= np.where(alike, 1.05, 1.002)[slower]
        state.step[rows] = each
        state.interval[rows] = usual
        longest = np.maximum(waited, came.longest / 1000.0)
        longest[new | (longest < 1.5 * usual)] = 0.0
        state.longest[rows] = np.maximum(state.longest[rows], longest)
        state.count[rows] += came.samples.astype(np.int32)
        expected = np.where(whole & (usual > 0), apart / np.maximum(usual, 1e-3), 0.0)
        share = np.clip(1.0 - came.samples / np.maximum(expected, 1e-9), 0.0, 1.0)
        pace = np.minimum(expected / _LOSS_SAMPLES, 1.0)
        # A long gap is a stop, told as such; it says little of how many samples get lost.
        pace = np.minimum(pace, 0.05 * came.samples)
        state.lost[rows] += ((share - state.lost[rows]) * pace).astype(np.float32)
        state.lost_hour[rows] = np.maximum(state.lost_hour[rows], state.lost[rows])

    def _forget_records(self, passed: int, until_ms: int) -> None:
        if until_ms // _HOUR_MS == (until_ms - passed) // _HOUR_MS:
            return
        state = self.state
        kept = np.float32(0.5 ** (max(passed, _HOUR_MS) / 1000.0 / _RECORD_SECONDS))
        state.longest *= kept
        state.lost_most *= kept
        # The last hour may be the beginning of what is told now.
        np.maximum(state.lost_most, state.lost_last, out=state.lost_most)
        state.lost_last[:] = state.lost_hour
        state.lost_hour[:] = state.lost

    def regular(self, size: int) -> NDArray[np.bool_]:
        """Which of the first ``size`` rows are known well enough to miss their samples."""
        state = self.state
        old = state.newest[:size] - state.born[:size] >= LEAST_AGE_MS
        found: NDArray[np.bool_] = old & (state.count[:size] >= LEAST_SAMPLES)
        return found

    def limit(self, size: int) -> NDArray[np.float64]:
        """Seconds without a sample from which each of the first ``size`` rows is overdue."""
        state = self.state
        usual = state.interval[:size].astype(np.float64)
        least = np.where(state.ended[:size], LEAST_WAIT / 2, LEAST_WAIT)
        found: NDArray[np.float64] = np.maximum(
            np.maximum(least, _INTERVALS * usual), _LONGER * state.longest[:size]
        )
        return found

    def silent(self, size: int) -> NDArray[np.float64]:
        """Seconds for which each of the first ``size`` rows has had no sample."""
        found: NDArray[np.float64] = (self.clock - self.state.at[:size]) / 1000.0
        return found

    def overdue(self, size: int, false_alarms: NDArray[np.float64]) -> Rows:
        """The rows that stopped now: they will not be named again before they come back.

        ``false_alarms``: for each row how many there were; each makes it wait four times as long.
        """
        state = self.state
        limit = self.limit(size) * _PATIENCE**false_alarms
        late = self.regular(size) & (self.silent(size) > limit)
        late &= (state.out[:size] & STOPPED) == 0
        rows: Rows = np.flatnonzero(late)
        state.out[rows] |= STOPPED
        return rows

    def lossy(self, size: int, false_alarms: NDArray[np.float64]) -> tuple[Rows, Rows]:
        """The rows that now miss many samples more than ever, and those that have them again."""
        state = self.state
        lost, out = state.lost[:size], (state.out[:size] & SCATTERED) > 0
        bar = np.maximum(LOSSY, 2.0 * state.lost_most[:size] + 0.05)
        bar = 1.0 - (1.0 - bar) * 0.5**false_alarms
        begun = self.regular(size) & ~out & (lost > bar)
        over = out & (lost < COMPLETE)
        state.out[:size][begun] |= SCATTERED
        state.out[:size][over] &= np.uint8(0xFF ^ SCATTERED)
        return np.flatnonzero(begun), np.flatnonzero(over)

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        self.state = self.state.resized(rows, size)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """The state for a file."""
        return {**self.state.arrays("gaps"), "gaps_clock": np.array(self.clock)}

    def take_up(self, arrays: Mapping[str, NDArray[np.int64]]) -> None:
        """Go on from what ``arrays`` gave.

        Raises:
            KeyError, ValueError: it was written by a version with another state.
        """
        self.state = Regularity.of_arrays("gaps", arrays)
        self.clock = int(arrays["gaps_clock"])
