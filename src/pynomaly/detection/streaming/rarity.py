"""How rare a value is for this series: from the largest that it has shown so far.

For each statistic the largest values of blocks of points are kept. A new value is compared with
the k-th largest of them; beyond it the tail is taken to fall as a power of the value, with an
index that starts from a prior and is drawn towards the series' own (Hill's estimator: B. M. Hill,
"A Simple General Approach to Inference About the Tail of a Distribution", 1975). The answer is a
rate: how often a week such a value is to be expected of this series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, Columns, FloatArray

BLOCK = 24
"""Points whose largest value counts once, so that one long excursion does not fill the table."""
KEPT = 8
MIN_POINTS = 100
"""Points before anything is judged."""
_PRIOR_WEIGHT = 100.0
_YOUTH = 2.0
"""A tail that is known from n blocks is taken to be (1 + 2/n) times as heavy."""
_MEMORY = 4000.0
"""Blocks after which a record has lost 63 % of its height: a year at one point in five minutes."""
_MOST_BASE = np.float32(0.2)
"""However long the history: a value must be well beyond what was seen to be rare."""
_REACHED = np.float32(-0.3)
"""The most that can be said of a value within the records of its series."""
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
class Records(Columns):
    """The largest block values of each series and statistic, falling; the block that is open."""

    top: FloatArray
    index: FloatArray
    open: FloatArray
    blocks: FloatArray

    SPEC: ClassVar = {}


def records_of(tails: Sequence[Tail]) -> type[Records]:
    """The state for these statistics."""
    width = len(tails)

    @dataclass(slots=True)
    class Sized(Records):
        SPEC: ClassVar = {
            "top": Column((width, KEPT)),
            "index": Column((width,)),
            "open": Column((width,)),
            "blocks": Column(),
        }

    return Sized


class RarityJudge:
    """Judges statistics ``[series, statistics]`` by the records of each series."""

    def __init__(self, tails: Sequence[Tail], min_points: int = MIN_POINTS) -> None:
        self._min_points = min_points
        self.tails = tuple(tails)
        self._rank = np.array([tail.rank for tail in tails])
        self._prior = np.array([tail.index for tail in tails], dtype=np.float32)
        self._handicap = np.array([tail.handicap for tail in tails], dtype=np.float32)
        self._log_rank = np.log10(self._rank).astype(np.float32)
        self._columns = np.arange(len(tails))

    def begin(self, state: Records, new: NDArray[np.bool_]) -> None:
        """New series have the prior's tails."""
        state.index[new] = self._prior

    def judge(
        self,
        state: Records,
        statistics: FloatArray,
        quanta: FloatArray,
        count: NDArray[np.int32],
        per_week: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Rarity of each statistic, and what the first of them passes about once a week.

        The former is ``[series, statistics]``, decades below once a week: 1 is once in ten weeks;
        ``NEVER`` while it is not known. The latter is ``[series]``. Takes the statistics in.

        ``quanta``: what one step of the value's own granularity does to each statistic, so that
        one request more than ever is no record of an idle series. ``count``: points so far;
        ``per_week``: points that the series has in a week.
        """
        base = np.log10((state.blocks + 1.0) * BLOCK / per_week)[:, np.newaxis] - self._log_rank
        np.minimum(base, _MOST_BASE, out=base)
        against = state.top[:, self._columns, self._rank - 1] + quanta
        np.maximum(against, np.float32(1e-12), out=against)
        steep = state.index * _LN10
        beyond = np.log(np.maximum(statistics, np.float32(1e-12)) / against) / steep
        found = base + beyond
        found -= self._handicap
        # What has been reached before is not rare, however long ago it was.
        np.copyto(found, np.minimum(found, _REACHED), where=beyond < 0)
        np.maximum(found, NEVER, out=found)
        found[
            (state.blocks[:, np.newaxis] < self._rank) | (count <= self._min_points)[:, np.newaxis]
        ] = NEVER
        weekly = np.clip((self._handicap[0] - base[:, 0]) * steep[:, 0], -20.0, 20.0)
        limit = against[:, 0] * np.exp(weekly)
        np.maximum(state.open, statistics, out=state.open)
        full = np.flatnonzero(count % BLOCK == 0)
        if len(full):
            self._close_block(state, full, quanta[full])
        return found, limit

    def _close_block(self, state: Records, rows: NDArray[np.int64], quanta: FloatArray) -> None:
        top = state.top[rows] * np.float32(1.0 - 1.0 / _MEMORY)
        together = np.concatenate((top, state.open[rows][..., np.newaxis]), axis=2)
        together = -np.sort(-together, axis=2)[..., :KEPT]
        state.top[rows] = together
        state.open[rows] = 0.0
        state.blocks[rows] += 1.0
        state.index[rows] = self._indices(together + quanta[..., np.newaxis], state.blocks[rows])

    def _indices(self, top: FloatArray, blocks: FloatArray) -> FloatArray:
        """Hill's index of each tail, with the prior weighing as much as 100 records."""
        known = np.minimum(blocks, KEPT).astype(np.int64)
        last = np.take_along_axis(top, (known - 1)[:, np.newaxis, np.newaxis], axis=2)
        lowest = np.maximum(last, 1e-12)
        hill = np.log(np.maximum(top, lowest) / lowest).sum(axis=2)
        weight = (known - 1 + _PRIOR_WEIGHT)[:, np.newaxis]
        index = np.clip((hill + _PRIOR_WEIGHT * self._prior) / weight, 0.03, 1.5)
        found: FloatArray = (index * (1.0 + _YOUTH / blocks[:, np.newaxis])).astype(np.float32)
        return found
