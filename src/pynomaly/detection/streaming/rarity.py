"""How rare a value is for this series: from the largest that it has shown so far.

For each statistic the largest values of blocks of points are kept. A new value is compared with
the k-th largest of them; beyond it the tail is taken to fall as a power of the value, with an
index that is the statistic's own. The answer is a rate: how often a week such a value is to be
expected of this series.

That the index is not fitted to the series is on purpose. Estimates from its block maxima (Hill's,
and the spread of their logarithms) tell apart what is heavy-tailed from what is not, but the
anomalies that people mark are found in the heavy-tailed series, whose bars they raise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, FloatArray, Lanes

BLOCK = 24
"""Points whose largest value counts once, so that one long excursion does not fill the table."""
MIN_POINTS = 100
"""Points before anything is judged."""
_YOUTH = np.float32(2.0)
"""A tail that is known from n blocks is taken to be (1 + 2/n) times as heavy."""
_MEMORY = 4000.0
"""Blocks after which a record has lost 63 % of its height: a year at one point in five minutes."""
MOST_BASE = 1.0
"""However long the history: a value must be well beyond what was seen to be rare."""
_YOUNG_DAYS = np.float32(3.4)
_YOUNG_SLOPE = np.float32(1.5)
_MOST_DOUBT = np.float32(2.0)
"""Decades taken off in the first days, none after ``_YOUNG_DAYS``: first meet what is usual."""
_REACHED = np.float32(-0.3)
"""The most that can be said of a value within the records of its series."""
_LEAST = np.float32(1e-12)
_LN10 = np.float32(np.log(10.0))
NEVER = np.float32(-9.0)
"""The rarity of what cannot be judged yet."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How a statistic is judged: against its ``rank``-th largest block, with this prior index.

    ``handicap``: decades of rarity that are taken off, since not every statistic finds what
    matters to people.
    """

    name: str
    rank: int
    index: float
    handicap: float


@dataclass(slots=True)
class Records(Lanes):
    """The largest block values of each series and statistic, falling; the block that is open."""

    top: FloatArray
    open: FloatArray
    blocks: FloatArray

    SPEC: ClassVar = {}


def records_of(tails: Sequence[Tail]) -> type[Records]:
    """The state for these statistics."""
    width, kept = len(tails), max(tail.rank for tail in tails)

    @dataclass(slots=True)
    class Sized(Records):
        SPEC: ClassVar = {
            "top": Column((width, kept)),
            "open": Column((width,)),
            "blocks": Column(),
        }

    return Sized


class RarityJudge:
    """Judges statistics ``[statistics, series]`` by the records of each series.

    ``min_points``: before so many there is no verdict. ``most_base``: the most decades that a long
    history gives. ``doubts``: whether a series of a few days, which has not seen its weekend and
    its jobs, is believed less.
    """

    def __init__(
        self,
        tails: Sequence[Tail],
        min_points: int = MIN_POINTS,
        most_base: float = MOST_BASE,
        *,
        doubts: bool = True,
    ) -> None:
        self._doubts = doubts
        self._min_points = min_points
        self._most_base = np.float32(most_base)
        self.tails = tuple(tails)
        self._rank = _upright([tail.rank for tail in tails])
        self._index = _upright([tail.index * float(_LN10) for tail in tails])
        self._handicap = _upright([tail.handicap for tail in tails])
        self._log_rank = np.log10(self._rank)
        self._records = (np.arange(len(tails)), np.array([tail.rank - 1 for tail in tails]))

    def judge(
        self,
        state: Records,
        statistics: FloatArray,
        quanta: FloatArray | np.float32,
        count: NDArray[np.int32],
        per_week: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Rarity of each statistic, and what the first of them passes about once a week.

        The former is ``[statistics, series]``, decades below once a week: 1 is once in ten weeks;
        ``NEVER`` while it is not known. The latter is ``[series]``. Takes the statistics in.

        ``quanta``: what one step of the value's own granularity does to each statistic, so that
        one request more than ever is no record of an idle series. ``count``: points so far;
        ``per_week``: points that the series has in a week.
        """
        base = np.log10((state.blocks + np.float32(1.0)) * BLOCK / per_week) - self._log_rank
        np.minimum(base, self._most_base, out=base)
        if self._doubts:
            base -= _doubt(count, per_week)
        base -= self._handicap
        against = state.top[self._records]
        against += quanta
        np.maximum(against, _LEAST, out=against)
        steep = (1 + _YOUTH / np.maximum(state.blocks, np.float32(1.0))) * self._index
        found = np.maximum(statistics, _LEAST)
        found /= against
        within = found < 1
        np.log(found, out=found)
        found /= steep
        found += base
        # What has been reached before is not rare, however long ago it was.
        np.copyto(found, np.minimum(found, _REACHED), where=within)
        np.maximum(found, NEVER, out=found)
        np.copyto(found, NEVER, where=(state.blocks < self._rank) | (count <= self._min_points))
        limit = against[0] * np.exp(np.clip(-base[0] * steep[0], -20.0, 20.0))
        np.maximum(state.open, statistics, out=state.open)
        full = np.flatnonzero(count % BLOCK == 0)
        if len(full):
            _close_block(state, full)
        return found, limit


def _upright(numbers: Sequence[float]) -> FloatArray:
    return np.array(numbers, dtype=np.float32)[:, np.newaxis]


def _doubt(count: NDArray[np.int32], per_week: FloatArray) -> FloatArray:
    """Decades by which nothing is as rare as it seems in the first days of a series."""
    days = count.astype(np.float32) * np.float32(7.0) / per_week
    found: FloatArray = np.log10(_YOUNG_DAYS / days) * _YOUNG_SLOPE
    return np.clip(found, 0, _MOST_DOUBT, out=found)


def _close_block(state: Records, rows: NDArray[np.int64]) -> None:
    top = state.top.take(rows, axis=-1) * np.float32(1.0 - 1.0 / _MEMORY)
    smaller = state.open.take(rows, axis=-1)
    for place in range(top.shape[1]):
        held = top[:, place].copy()
        np.maximum(held, smaller, out=top[:, place])
        smaller = np.minimum(held, smaller)
    state.top[..., rows] = top
    state.open[:, rows] = 0.0
    state.blocks[rows] += 1.0
