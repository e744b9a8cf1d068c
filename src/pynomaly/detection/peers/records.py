"""How rare a distance is for its member: from the largest that it has shown so far.

As the rarity of a series by itself (``streaming.rarity``), for few statistics and in rows, so that
members are taken and put group by group: the largest values of blocks of points are kept, and
beyond the k-th of them the tail is taken to fall as a power of the value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, Columns, FloatArray
from pynomaly.detection.streaming.rarity import NEVER, Tail

BLOCK = 24
KEPT = 8
_YOUTH = 2.0
"""A tail that is known from n blocks is taken to be (1 + 2/n) times as heavy."""
_MEMORY = 4000.0
"""Blocks after which a record has lost 63 % of its height."""
_MOST_BASE = np.float32(0.2)
"""However long the history: a value must be well beyond what was seen to be rare."""
_REACHED = np.float32(-0.3)
"""The most that can be said of a value within the records."""
_LEAST = np.float32(1e-12)
_LN10 = np.float32(np.log(10.0))


@dataclass(slots=True)
class Records(Columns):
    """The largest block values of each row and statistic, falling; the block that is open."""

    top: FloatArray
    open: FloatArray
    blocks: FloatArray

    SPEC: ClassVar = {}


def records_of(statistics: int) -> type[Records]:
    """The state for so many statistics."""

    @dataclass(slots=True)
    class Sized(Records):
        SPEC: ClassVar = {
            "top": Column((statistics, KEPT)),
            "open": Column((statistics,)),
            "blocks": Column(),
        }

    return Sized


@dataclass(frozen=True, slots=True)
class Points:
    """``count``: points of each row so far, this one included; ``per_week``: in a week of it."""

    count: NDArray[np.int32]
    per_week: FloatArray


class RecordJudge:
    """Judges statistics ``[rows, statistics]`` by the records of each row.

    ``least``: what is added to every record, so that next to nothing is none. ``min_points``:
    before so many there is no verdict.
    """

    def __init__(self, tails: Sequence[Tail], min_points: int, least: float = 0.0) -> None:
        self._rank = np.array([tail.rank for tail in tails])
        self._columns = np.arange(len(tails))
        self._steep = np.array([tail.index for tail in tails], dtype=np.float32) * _LN10
        self._handicap = np.array([tail.handicap for tail in tails], dtype=np.float32)
        self._log_rank = np.log10(self._rank).astype(np.float32)
        self._min_points = min_points
        self._least = np.float32(least)

    def judge(
        self, state: Records, statistics: FloatArray, points: Points
    ) -> tuple[FloatArray, FloatArray]:
        """Rarity of each statistic, and what the first of them passes about once a week.

        The former is ``[rows, statistics]``, decades below once a week, ``NEVER`` while it is not
        known; the latter ``[rows]``. Takes the statistics in.
        """
        blocks = state.blocks[:, np.newaxis]
        base = np.log10((blocks + 1.0) * BLOCK / points.per_week[:, np.newaxis]) - self._log_rank
        base = np.minimum(base, _MOST_BASE) - self._handicap
        against = np.maximum(state.top[:, self._columns, self._rank - 1] + self._least, _LEAST)
        steep = self._steep * (1.0 + _YOUTH / np.maximum(blocks, 1.0))
        beyond = np.log(np.maximum(statistics, _LEAST) / against) / steep
        # What has been reached before is not rare, however long ago it was.
        found = np.where(beyond < 0, np.minimum(base + beyond, _REACHED), base + beyond)
        young = (blocks < self._rank) | (points.count <= self._min_points)[:, np.newaxis]
        found = np.where(young, NEVER, np.maximum(found, NEVER)).astype(np.float32)
        limit = against[:, 0] * np.exp(np.clip(-base[:, 0] * steep[:, 0], -20.0, 20.0))
        np.maximum(state.open, statistics, out=state.open)
        full = np.flatnonzero(points.count % BLOCK == 0)
        if len(full):
            _close_block(state, full)
        return found, limit


def _close_block(state: Records, rows: NDArray[np.int64]) -> None:
    top = state.top[rows] * np.float32(1.0 - 1.0 / _MEMORY)
    together = np.concatenate((top, state.open[rows][..., np.newaxis]), axis=2)
    state.top[rows] = -np.sort(-together, axis=2)[..., :KEPT]
    state.open[rows] = 0.0
    state.blocks[rows] += 1.0
