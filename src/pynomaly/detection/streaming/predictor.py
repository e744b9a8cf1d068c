"""What a series is expected to be next: its profiles of the day and week, and what came before.

One ridge regression for each series mixes seven predictors: the last two values, a short and a
long mean, the usual of this time of day and of this hour of the week. It learns with exponential
forgetting, so it follows what serves best: a random walk, a season, or both. How far off it
usually is has a profile of its own, over the hours of the day.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import AnyArray, Column, FloatArray, Lanes

DAY_SLOTS = 48
WEEK_SLOTS = 168
YOUNG = 20
"""Points after which the usual size of a residual is known."""

_SLOTS = DAY_SLOTS + WEEK_SLOTS
_SLOT_SECONDS = 86_400.0 / DAY_SLOTS
_SLOT_DAYS = (1.0 / DAY_SLOTS, 7.0 / WEEK_SLOTS)
_INPUTS = 7
_PAIRS = _INPUTS * (_INPUTS + 1) // 2
_SQUARE = np.zeros((_INPUTS, _INPUTS), dtype=np.int64)
_SQUARE[np.triu_indices(_INPUTS)] = np.arange(_PAIRS)
_SQUARE |= np.triu(_SQUARE, 1).T
"""Where in the upper triangle each product is."""
_FORGETTING = np.float32(1.0 - 1.0 / 2000.0)
_REFIT = 16
"""Points between two solutions of the regression."""
_FIRST_FIT = 32
_PRIOR = np.array([0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0], dtype=np.float64)
"""Before there is evidence: half the last value, half the short mean."""
_RIDGE = 1e-3
_PRIOR_POINTS = 10.0
_SCALE_POINTS = np.float32(500.0)
_OUTLIER = np.float32(6.0)
"""Residuals beyond so many times their usual size teach no more than this one would."""
_SLOT_WEIGHT = np.float32(0.2)
"""What one more day (or week) weighs in the mean of its slot."""
_HOURS = 24
_HOUR_DAYS = np.float32(10.0)
"""Days of which an hour's usual residual is the mean."""
_HOUR_DOUBT = np.float32(50.0)
"""Points after which an hour's own residual weighs as much as that of all hours."""
_LEAST_UNREST, _MOST_UNREST = np.float32(0.25), np.float32(4.0)
_SHORT, _MIDDLE, _LONG = range(3)
_MEAN_POINTS = np.array([[8], [64], [1000]], dtype=np.float32)

# The epoch began on a Thursday; weeks here begin on Monday.
_MONDAY_HOURS = 72

Place = int | tuple[NDArray[np.int64], NDArray[np.int64]]
"""Where in ``[slots, series]`` the present slots are: one row, or one place in each lane."""


@dataclass(slots=True)
class Predictor(Lanes):
    """State of the regression and its inputs, in normalised values (see ``scorer.Normaliser``).

    ``profile`` and ``seen``: the usual of each slot of the day, then of the week, and how often it
    was seen. ``hourly``: the usual size of a residual in each hour of the day. ``last``: the last
    two values, newest first, and the usual of the last time of day. ``means``: short, middle,
    long. ``spread``: mean square distance from the long mean. ``scale``: the usual size of a
    residual, its mean absolute value with outliers cut. ``products``: the upper triangle of the
    inputs' products.
    """

    count: NDArray[np.int32]
    profile: FloatArray
    seen: NDArray[np.uint16]
    hourly: FloatArray
    last: FloatArray
    means: FloatArray
    spread: FloatArray
    scale: FloatArray
    products: FloatArray
    moments: FloatArray
    weights: FloatArray

    SPEC: ClassVar = {
        "count": Column(dtype=np.int32),
        "profile": Column((_SLOTS,)),
        "seen": Column((_SLOTS,), np.uint16),
        "hourly": Column((_HOURS,)),
        "last": Column((3,)),
        "means": Column((3,)),
        "spread": Column(),
        "scale": Column(),
        "products": Column((_PAIRS,)),
        "moments": Column((_INPUTS,)),
        "weights": Column((_INPUTS,)),
    }

    @property
    def long(self) -> FloatArray:
        """The long mean of each series."""
        found: FloatArray = self.means[_LONG]
        return found


@dataclass(frozen=True, slots=True)
class Slot:
    """One kind of present slot: its place, the usual there, and which series have one."""

    place: Place
    usual: FloatArray
    times: NDArray[np.uint16]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which series have been seen in their slot."""
        found: NDArray[np.bool_] = self.times > 0
        return found


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of one point of each series, ``[series]``.

    ``inputs``: ``[7, series]``, relative to ``centre``. ``day`` and ``week``: the slots of this
    time of day and of this hour of the week. ``hour``: the place of the hour of the day;
    ``hour_points``: how many points it had. ``usual``: of this time of day, or else the middle
    mean.
    """

    value: FloatArray
    centre: FloatArray
    inputs: FloatArray
    usual: FloatArray
    day: Slot
    week: Slot
    hour: Place
    hour_points: FloatArray


def begin(state: Predictor, values: FloatArray, new: NDArray[np.bool_]) -> None:
    """Let series start where they are."""
    state.means[:, new] = values[new]
    state.last[:, new] = values[new]
    state.weights[:, new] = _PRIOR.astype(np.float32)[:, np.newaxis]


def resume(
    state: Predictor,
    rows: NDArray[np.int64],
    values: FloatArray,
    seconds: NDArray[np.int64],
    missed: NDArray[np.float64],
    interval: NDArray[np.float64],
) -> None:
    """Let some series go on after a gap as if what is usual had come meanwhile.

    ``rows``: which; all others are of these: the values to go on from, float32; the local time of
    each; how many seconds were missed; and the usual seconds between points.
    """
    slot = day_slot(seconds)
    share = -np.expm1(-_SLOT_SECONDS / interval / _MEAN_POINTS).astype(np.float32)
    for back in range(DAY_SLOTS, 0, -1):
        place = (slot - back) % DAY_SLOTS, rows
        there = (back * _SLOT_SECONDS <= missed) & (state.seen[place] > 0)
        state.means[:, rows] += (state.profile[place] - state.means[:, rows]) * share * there
    state.last[:2, rows] = values
    state.last[2, rows] = np.where(state.seen[slot, rows] > 0, state.profile[slot, rows], values)


def place_of(slots: NDArray[np.int64]) -> Place:
    """The place of one slot for each series, or of the one that is common to all."""
    if len(slots) == 1:
        return int(slots[0])
    return slots, np.arange(len(slots))


def day_slot(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which half hour of the day it is."""
    return seconds % 86_400 * DAY_SLOTS // 86_400


def predict(state: Predictor, seconds: NDArray[np.int64]) -> Forecast:
    """What each series is expected to be, before it is seen.

    ``seconds``: the local time of each, or the one that is common to all.
    """
    slots = day_slot(seconds)
    day = _slot(state, place_of(slots))
    week = _slot(state, place_of(DAY_SLOTS + (seconds // 3600 + _MONDAY_HOURS) % WEEK_SLOTS))
    centre = state.means[_MIDDLE].copy()
    usual = np.where(day.known, day.usual, centre)
    inputs = np.empty((_INPUTS, len(centre)), dtype=np.float32)
    inputs[:2] = state.last[:2]
    inputs[2] = state.means[_SHORT]
    inputs[3] = usual
    inputs[4] = state.last[2]
    inputs[5] = np.where(week.known, week.usual, usual)
    inputs[6] = state.means[_LONG]
    inputs -= centre
    value = (state.weights * inputs).sum(axis=0)
    value += centre
    points = day.times.astype(np.float32) + state.seen[place_of(slots ^ 1)]
    hour = place_of(slots // 2)
    return Forecast(value, centre, inputs, usual, day, week, hour, points.astype(np.float32))


def _slot(state: Predictor, place: Place) -> Slot:
    return Slot(place, state.profile[place].copy(), state.seen[place].copy())


def unrest(
    state: Predictor, forecast: Forecast, floor: FloatArray, scale: FloatArray
) -> FloatArray:
    """How many times larger residuals are at this hour than all day, ``[series]``.

    ``floor``: the least that a series varies by; ``scale``: its usual residual.
    """
    points = forecast.hour_points
    here = np.maximum(state.hourly[forecast.hour], floor) / scale
    found: FloatArray = (here * points + _HOUR_DOUBT) / (points + _HOUR_DOUBT)
    np.clip(found, _LEAST_UNREST, _MOST_UNREST, out=found)
    found[state.count <= YOUNG] = 1.0
    return found


def learn(state: Predictor, forecast: Forecast, values: FloatArray, per_day: FloatArray) -> None:
    """Take in what came: ``values`` float32 ``[series]``; ``state.count`` counts them already.

    ``per_day``: points that a series has in a day.
    """
    count: FloatArray = state.count.astype(np.float32)
    limit = state.scale * _OUTLIER
    limit[state.count <= YOUNG] = np.inf
    cut = np.clip(values - forecast.value, -limit, limit)
    size = np.abs(cut)
    state.scale += (size - state.scale) / np.minimum(count, _SCALE_POINTS)
    _learn_hour(state, forecast, size, per_day)
    _regress(state, forecast, cut + forecast.value - forecast.centre)
    state.last[1] = state.last[0]
    state.last[0] = values
    state.last[2] = forecast.usual
    pace = np.minimum(count, _MEAN_POINTS)
    state.means += (values - state.means) / pace
    state.spread += (np.square(values - state.long) - state.spread) / pace[_LONG]
    for slot, days in zip((forecast.day, forecast.week), _SLOT_DAYS, strict=True):
        _remember(state, slot, values, per_day * np.float32(days))


def _learn_hour(
    state: Predictor, forecast: Forecast, size: FloatArray, per_day: FloatArray
) -> None:
    usual = state.hourly[forecast.hour]
    most = np.maximum(per_day / np.float32(_HOURS), np.float32(1.0)) * _HOUR_DAYS
    pace = np.minimum(forecast.hour_points + np.float32(1.0), most)
    state.hourly[forecast.hour] = usual + (size - usual) / pace


def _remember(state: Predictor, slot: Slot, values: FloatArray, a_time: FloatArray) -> None:
    """Take the values into a profile; ``a_time``: points that come while it is that time."""
    times = slot.times + (slot.times < 65_535)
    state.seen[slot.place] = times
    each = np.maximum(a_time, np.float32(1.0))
    pace = np.maximum(np.float32(1.0) / times, _SLOT_WEIGHT / each)
    state.profile[slot.place] = slot.usual + (values - slot.usual) * pace


def _regress(state: Predictor, forecast: Forecast, target: AnyArray) -> None:
    inputs = forecast.inputs
    state.products *= _FORGETTING
    beyond = 0
    for i in range(_INPUTS):
        start, beyond = beyond, beyond + _INPUTS - i
        state.products[start:beyond] += inputs[i] * inputs[i:]
    state.moments *= _FORGETTING
    state.moments += inputs * target
    due = np.flatnonzero((state.count % _REFIT == 0) & (state.count >= _FIRST_FIT))
    if len(due):
        state.weights[:, due] = _solved(state, due).T


def _solved(state: Predictor, due: NDArray[np.int64]) -> FloatArray:
    """The ridge regression towards the prior weights of these rows, ``[rows, 7]``."""
    triangle = state.products.take(due, axis=1).astype(np.float64)
    products = np.ascontiguousarray(triangle[_SQUARE].transpose(2, 0, 1))
    size = np.einsum("ijj->i", products) / _INPUTS
    ridge = size * (_RIDGE + _PRIOR_POINTS / state.count[due]) + 1e-12
    products += ridge[:, np.newaxis, np.newaxis] * np.eye(_INPUTS)
    moments = state.moments[:, due].T + ridge[:, np.newaxis] * _PRIOR
    solved: FloatArray = np.linalg.solve(products, moments[..., np.newaxis])[..., 0]
    return solved.astype(np.float32)
