"""What is looked at in each series: ten numbers that grow when something is unusual.

Each catches another kind of trouble: what is far from expected, now or for a while
(``residual…``), becomes erratic (``error_…``), leaves its range (``level…``), is not what it is at
this time of day (``season…``), or takes a course not seen before (``novelty``).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming import novelty
from pynomaly.detection.streaming.columns import Column, FloatArray, Lanes
from pynomaly.detection.streaming.novelty import Novelty
from pynomaly.detection.streaming.predictor import YOUNG, Forecast, Predictor, unrest
from pynomaly.detection.streaming.rarity import Tail

TAILS = (
    Tail("residual", rank=2, index=0.25, handicap=0.4),
    Tail("residual_4", rank=3, index=0.15, handicap=0.4),
    Tail("residual_10", rank=5, index=0.16, handicap=0.2),
    Tail("error_10", rank=4, index=0.13, handicap=0.2),
    Tail("error_30", rank=4, index=0.27, handicap=-0.2),
    Tail("level", rank=1, index=0.12, handicap=0.3),
    Tail("level_6", rank=5, index=0.16, handicap=-0.2),
    Tail("level_24", rank=3, index=0.17, handicap=0.0),
    Tail("season_24", rank=6, index=0.4, handicap=0.0),
    Tail("novelty", rank=4, index=0.18, handicap=-0.4),
)
"""Ranks, indices and handicaps were chosen together on public labelled sets and on generated
series without anomalies; see docs/concepts/anomaly-score.md."""

RESIDUAL = 0
"""The statistic that bounds the band around what is expected."""

_POINTS = np.array([[4], [10], [10], [30], [6], [24], [24]], dtype=np.float32)
"""What the running means look back on: residual (2), its size (2), level (2), season."""
_LEVELS = slice(4, 6)
_SEASON = 6
_OF_RESIDUAL, _OF_LEVEL = slice(0, 5), slice(5, 8)
_STEP_SHARE = np.array(
    [1, 1 / 4, 1 / 10, 1 / 10, 1 / 30, 1, 1 / 6, 1 / 24, 1 / 24, novelty.WINDOW**-0.5],
    dtype=np.float32,
)[:, np.newaxis]
"""How much of one step of the value shows in each statistic."""
_MOST = np.float32(1e4)
_LEAST_STEP = np.float32(0.05)
"""A series is taken to vary by at least this share of its smallest step."""


@dataclass(slots=True)
class Averages(Lanes):
    """Running means of what the statistics are made of.

    ``step``: the smallest change that was seen, 0 before the first: the value's granularity.
    """

    means: FloatArray
    step: FloatArray

    SPEC: ClassVar = {"means": Column((len(_POINTS),)), "step": Column()}


@dataclass(frozen=True, slots=True)
class Measured:
    """The statistics of one point of each series.

    ``statistics`` and ``quanta`` (what one step of the value does to each): float32
    ``[len(TAILS), series]``; ``scale``: the usual size of a residual at this hour, ``[series]``.
    """

    statistics: FloatArray
    quanta: FloatArray
    scale: FloatArray


def begin(state: Averages, values: FloatArray, new: NDArray[np.bool_]) -> None:
    """Let the means of the level start where the series is."""
    state.means[_LEVELS, new] = values[new]


def measure(
    state: Averages,
    windows: Novelty,
    predictor: Predictor,
    forecast: Forecast,
    values: FloatArray,
) -> Measured:
    """Take in ``values``, float32 ``[series]``, and say how unusual they are."""
    _follow_step(state, np.abs(values - predictor.last[0]))
    long, step = predictor.long, state.step
    floor = step * _LEAST_STEP
    least = np.abs(long) * np.float32(1e-9) + np.float32(1e-12)
    scale = np.maximum(predictor.scale, floor) + least
    here = scale * unrest(predictor, forecast, floor, scale)
    residual = np.clip((values - forecast.value) / here, -_MOST, _MOST)
    young = predictor.count <= YOUNG
    residual[young] = 0.0
    spread = np.sqrt(predictor.spread) + floor + least

    now = np.empty_like(state.means)
    now[:2] = residual
    now[2:4] = np.abs(residual)
    now[_LEVELS] = values
    now[_SEASON] = (values - forecast.usual) * forecast.day.known
    now -= state.means
    now /= _POINTS
    state.means += now

    found = np.empty((len(TAILS), len(values)), dtype=np.float32)
    found[0] = residual
    found[1:5] = state.means[:4]
    found[5] = values
    found[6:8] = state.means[_LEVELS]
    found[_OF_LEVEL] -= long
    found[_OF_LEVEL] /= spread
    found[_OF_LEVEL, young] = 0.0
    found[8] = state.means[_SEASON]
    np.abs(found, out=found)
    found[9] = novelty.distance(windows, values, predictor.count)

    quanta = np.empty_like(found)
    quanta[_OF_RESIDUAL] = step / scale
    quanta[_OF_LEVEL] = step / spread
    quanta[8:] = step
    quanta *= _STEP_SHARE
    return Measured(found, quanta, here)


def _follow_step(state: Averages, change: FloatArray) -> None:
    smaller = (change > 0) & ((state.step == 0) | (change < state.step))
    np.copyto(state.step, change, where=smaller)
