"""How far each member of a peer group is from its siblings, by what that distance usually is.

Each value is put in units of its own mean and spread; the median of these over the group is what
all siblings do at the moment (the load, the hour, a deployment). What a member does of it is
learnt by a regression of its own, so that a pod with half the weight, or a node that always
differs, is as expected. What is left, over its usual size, less what is left of its siblings at
this moment, is the distance. Groups are worked on together: sorted once, reduced by segments.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, Columns, FloatArray
from pynomaly.detection.streaming.rarity import Tail

PEER_TAILS = (
    Tail("peers", rank=2, index=0.28, handicap=0.8),
    Tail("peers_6", rank=3, index=0.28, handicap=0.5),
    Tail("peers_30", rank=4, index=0.25, handicap=0.6),
)
"""Chosen on generated groups without anomalies (``benchmarks peers``)."""

YOUNG = 20
"""Points after which a member's mean and spread are known, and count for its group."""
_POINTS = np.array([6, 30], dtype=np.float32)
_MEMORY = 2000
_SCALE_POINTS = 500
_PRIOR_POINTS = 10.0
_OUTLIER = np.float32(6.0)
_MOST = np.float32(1e4)
_MOST_IN_MEANS = np.float32(30.0)
_USUAL_MAD = 0.85
"""The median size of what is usually left, in units of its mean size; of a normal distribution."""
_LEAST_SPREAD = 1e-9


@dataclass(slots=True)
class Members(Columns):
    """What is known of each member: ``mean`` and ``var`` of its value; in units of these,
    ``common`` and ``common_var`` of what its group does, ``cov`` of both, the usual ``scale`` of
    what is left, and the running ``means`` of the distance."""

    mean: NDArray[np.float64]
    var: NDArray[np.float64]
    common: FloatArray
    common_var: FloatArray
    cov: FloatArray
    scale: FloatArray
    means: FloatArray
    count: NDArray[np.int32]

    SPEC: ClassVar = {
        "mean": Column(dtype=np.float64),
        "var": Column(dtype=np.float64),
        "common": Column(),
        "common_var": Column(),
        "cov": Column(),
        "scale": Column(first=1.0),
        "means": Column((len(_POINTS),)),
        "count": Column(dtype=np.int32),
    }


class Segments:
    """Members in the order of their groups: ``groups`` rising, with reductions over each."""

    def __init__(self, groups: NDArray[np.int64]) -> None:
        self.starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
        self.sizes = np.diff(self.starts, append=len(groups))
        self.of = np.repeat(np.arange(len(self.starts)), self.sizes)
        """The segment of each member."""

    def medians(
        self, values: NDArray[np.floating], there: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The median of each segment over the members that are ``there``, and how many those are.

        NaN where there is none.
        """
        count = np.add.reduceat(there.astype(np.int64), self.starts)
        # Those that are not there come last in their segment, and are not counted.
        ordered = np.where(there, values, np.inf)
        ordered = ordered[np.lexsort((ordered, self.of))]
        low = self.starts + np.maximum(count - 1, 0) // 2
        high = self.starts + np.maximum(count // 2, 0)
        with np.errstate(invalid="ignore"):
            middle = (ordered[low] + ordered[np.minimum(high, len(values) - 1)]) / 2
        return np.where(count > 0, middle, np.nan), count


class Distances(NamedTuple):
    """The distance of each member from its siblings, all ``[members]``.

    ``statistics``: float32 ``[len(PEER_TAILS), members]``. ``expected``: what the siblings let
    expect, in the unit of the value; ``unit``: what a distance of 1 is in that unit. ``median``: of
    the values of the siblings; ``siblings``: how many others there are; ``judged``: where there
    are enough that are known well enough.
    """

    statistics: FloatArray
    expected: NDArray[np.float64]
    unit: NDArray[np.float64]
    median: NDArray[np.float64]
    siblings: NDArray[np.int64]
    judged: NDArray[np.bool_]


def measure(
    state: Members, segments: Segments, values: NDArray[np.float64], least: int
) -> Distances:
    """Take in ``values``, in the order of the segments, and say how far each is from its siblings.

    ``least``: how many members a group must have.
    """
    spread = np.sqrt(state.var)
    known = (state.count >= YOUNG) & (spread > _LEAST_SPREAD * (np.abs(state.mean) + _LEAST_SPREAD))
    unit = np.where(known, spread, 1.0)
    own = np.where(known, (values - state.mean) / unit, 0.0)
    common, count = segments.medians(own, known)
    median, members = segments.medians(values, np.ones(len(values), dtype=np.bool_))
    enough = (count >= least)[segments.of]
    judged = known & enough
    shared = np.where(enough, common[segments.of], 0.0)
    foreseen = _slope(state) * (shared - state.common)
    scale = state.scale + np.float32(1e-6)
    left = np.where(judged, (own - foreseen) / scale, 0.0)
    middle, _ = segments.medians(left, judged)
    middle = np.where(np.isnan(middle), 0.0, middle)[segments.of]
    away = left - middle
    unrest, _ = segments.medians(np.abs(away), judged)
    unrest = np.where(np.isnan(unrest), 1.0, np.maximum(unrest / _USUAL_MAD, 1.0))[segments.of]
    distance = np.clip(np.where(judged, away / unrest, 0.0), -_MOST, _MOST).astype(np.float32)
    cut = np.clip(distance, -_MOST_IN_MEANS, _MOST_IN_MEANS)
    state.means += (cut[:, np.newaxis] - state.means) / _POINTS
    statistics = np.abs(np.vstack((distance, state.means.T))).astype(np.float32)
    _learn(state, values, own, foreseen, shared, judged)
    return Distances(
        statistics,
        state.mean + unit * (foreseen + middle * scale),
        unit * scale * unrest,
        median[segments.of],
        members[segments.of] - 1,
        judged,
    )


def _slope(state: Members) -> NDArray[np.float64]:
    """How much a member does of what its group does: 1 before it is known."""
    prior = (state.common_var + 0.01) * (_PRIOR_POINTS / np.maximum(state.count, 1))
    found: NDArray[np.float64] = (state.cov + prior) / (state.common_var + prior)
    return found


def _learn(
    state: Members,
    values: NDArray[np.float64],
    own: NDArray[np.float64],
    foreseen: NDArray[np.float64],
    shared: NDArray[np.float64],
    judged: NDArray[np.bool_],
) -> None:
    limit = state.scale * _OUTLIER
    left = np.clip(own - foreseen, -limit, limit)
    state.count += 1
    pace = 1.0 / np.minimum(state.count, _MEMORY)
    size = (np.abs(left) - state.scale) / np.minimum(state.count, _SCALE_POINTS)
    state.scale += np.where(judged, size, 0.0)
    off = shared - state.common
    state.cov += np.where(judged, ((foreseen + left) * off - state.cov) * pace, 0.0)
    state.common_var += np.where(judged, (off * off - state.common_var) * pace, 0.0)
    state.common += np.where(judged, off * pace, 0.0)
    away = values - state.mean
    first = state.count == 1
    state.mean += away * pace
    state.var += np.where(first, 0.0, (away * away * (1 - pace) - state.var) * pace)
