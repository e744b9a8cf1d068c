"""From a score at every point to one event for each trouble: opened, escalated, closed."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, Columns, FloatArray, Rows

DEFAULT_BUDGET = 0.1
"""Events a week that a series without anomalies may have."""

_MERGED = -0.5
"""Decades by which episodes are rarer than the points that open them; measured on generated
series without anomalies (``make bench-detection``)."""
_HOLD_POINTS = 140
_HOLD_SECONDS = 86_400.0
_LEAST_HOLD = 8
_LONGEST_HOLDS = 6
_ESCALATION = np.float32(2.0)
_KEEP_BELOW = np.float32(0.4)


@dataclass(slots=True)
class Episodes(Columns):
    """What each series is in: ``hold`` is 0 while nothing is open."""

    hold: NDArray[np.int32]
    length: NDArray[np.int32]
    peak: FloatArray

    SPEC: ClassVar = {
        "hold": Column(dtype=np.int32),
        "length": Column(dtype=np.int32),
        "peak": Column(),
    }


class Changes(NamedTuple):
    """What became of the episodes at one point: masks ``[series]``, and the confidence.

    ``confidence`` is 0 but where an episode opened or escalated: there it is 0 to 1.
    """

    opened: NDArray[np.bool_]
    escalated: NDArray[np.bool_]
    closed: NDArray[np.bool_]
    confidence: NDArray[np.float64]


class EpisodeMachine:
    """Opens an episode where a point is rarer than the budget allows, and keeps it to one.

    An episode ends after 140 points (at most a day) without a point near the bar, and after six
    times as long at the latest, so that a new normal is accepted. While it lasts, only a point a
    hundred times rarer than its peak is worth another word: it escalates.
    """

    def __init__(self, size: int = 0, budget: float = DEFAULT_BUDGET) -> None:
        if not budget > 0:
            raise ValueError(f"a budget of {budget} events a week is not positive")
        self._bar = np.float32(_MERGED - math.log10(budget))
        self._state = Episodes.blank(size)

    def step(
        self,
        rows: Rows,
        rarity: NDArray[np.float64],
        interval: NDArray[np.float64],
        handicap: NDArray[np.float64] | float = 0.0,
    ) -> Changes:
        """Take in one point of each of these series: its rarity in decades below once a week.

        ``interval``: seconds between the points of each series. ``handicap``: decades by which a
        point must be rarer than the budget wants it, to open an episode.
        """
        state = self._state.take(rows)
        rare = rarity.astype(np.float32)
        most = np.clip(_HOLD_SECONDS / interval, _LEAST_HOLD, _HOLD_POINTS).astype(np.int32)
        was_open = state.hold > 0
        state.hold -= was_open
        state.length += was_open
        escalated = was_open & (rare >= state.peak + _ESCALATION)
        lasting = was_open & ~escalated & (rare >= self._bar - _KEEP_BELOW)
        lasting &= state.length < _LONGEST_HOLDS * most
        np.copyto(state.hold, np.maximum(state.hold, most // 2), where=lasting)
        opened = ~was_open & (rare >= self._bar + handicap)
        told = opened | escalated
        np.copyto(state.hold, most, where=told)
        np.copyto(state.peak, rare, where=told)
        state.length[told] = 0
        closed = was_open & (state.hold == 0)
        self._state.put(rows, state)
        return Changes(opened, escalated, closed, np.where(told, confidence(rarity), 0.0))

    def open(self, rows: Rows) -> NDArray[np.bool_]:
        """In which of these series an episode is open."""
        found: NDArray[np.bool_] = self._state.hold[rows] > 0
        return found

    @property
    def bar(self) -> float:
        """The rarity from which a point opens an episode, in decades below once a week."""
        return float(self._bar)

    @property
    def state(self) -> Episodes:
        """The state, to be saved."""
        return self._state

    def restore(self, state: Episodes) -> None:
        """Go on from a state that was saved."""
        self._state = state

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        self._state = self._state.resized(rows, size)


def confidence(rarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """How sure it is, 0 to 1: the chance that a week without anomalies has no such point."""
    found: NDArray[np.float64] = np.exp(-(10.0 ** -np.clip(rarity, -9.0, 15.0)))
    return found
