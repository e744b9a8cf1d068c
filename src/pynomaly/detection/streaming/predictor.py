"""What a series is expected to be next: its profiles of the day and week, and what came before.

One ridge regression for each series mixes seven predictors: the last two values, a short and a
long mean, the usual of this time of day and of this hour of the week. It learns with exponential
forgetting, so it follows what serves best: a random walk, a season, or both.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import AnyArray, Column, Columns, FloatArray

DAY_SLOTS = 48
WEEK_SLOTS = 168
YOUNG = 20
"""Points after which the usual size of a residual is known."""

_SLOTS = DAY_SLOTS + WEEK_SLOTS
_SLOT_DAYS = np.array([1.0 / DAY_SLOTS, 7.0 / WEEK_SLOTS], dtype=np.float32)
_INPUTS = 7
_FORGETTING = np.float32(1.0 - 1.0 / 2000.0)
_REFIT = 16
"""Points between two solutions of the regression."""
_FIRST_FIT = 32
_PRIOR = np.array([0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0], dtype=np.float64)
"""Before there is evidence: half the last value, half the short mean."""
_RIDGE = 1e-3
_PRIOR_POINTS = 10.0
_SCALE_POINTS = 500
_OUTLIER = np.float32(6.0)
"""Residuals beyond so many times their usual size teach no more than this one would."""
_SLOT_WEIGHT = np.float32(0.2)
"""What one more day (or week) weighs in the mean of its slot."""
_MEAN_POINTS = np.array([8, 64, 1000], dtype=np.int32)
_SHORT, _MIDDLE, _LONG = range(3)

# The epoch began on a Thursday; weeks here begin on Monday.
_MONDAY_HOURS = 72


@dataclass(slots=True)
class Predictor(Columns):
    """State of the regression and its inputs, in normalised values (see ``scorer.Normaliser``).

    ``profile`` and ``seen``: the usual of each slot of the day, then of the week, and how often it
    was seen. ``last``: the last two values, newest first, and the usual of the last time of day.
    ``means``: short, middle, long. ``spread``: mean square distance from the long mean. ``scale``:
    the usual size of a residual, its mean absolute value with outliers cut.
    """

    count: NDArray[np.int32]
    profile: FloatArray
    seen: NDArray[np.uint16]
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
        "last": Column((3,)),
        "means": Column((3,)),
        "spread": Column(),
        "scale": Column(),
        "products": Column((_INPUTS, _INPUTS)),
        "moments": Column((_INPUTS,)),
        "weights": Column((_INPUTS,)),
    }

    @property
    def long(self) -> FloatArray:
        """The mean of about a thousand points."""
        return self.means[:, _LONG]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was expected of one point of each series, float32 ``[series]``.

    ``inputs``: ``[series, 7]``, relative to ``centre``. ``usual``: ``[series, 2]``, the usual of
    this time of day and of this hour of the week; ``known``: which of them there is. ``slots``:
    their places in the profile.
    """

    value: FloatArray
    centre: FloatArray
    inputs: FloatArray
    usual: FloatArray
    known: NDArray[np.bool_]
    slots: NDArray[np.int64]


def begin(state: Predictor, values: FloatArray, new: NDArray[np.bool_]) -> None:
    """Let series start where they are."""
    state.means[new] = values[new, np.newaxis]
    state.last[new] = values[new, np.newaxis]
    state.weights[new] = _PRIOR.astype(np.float32)


def predict(state: Predictor, seconds: NDArray[np.int64]) -> Forecast:
    """What each series is expected to be at these epoch seconds (local time), before it is seen."""
    rows = np.arange(len(seconds))[:, np.newaxis]
    slots = np.empty((len(seconds), 2), dtype=np.int64)
    slots[:, 0] = seconds % 86_400 * DAY_SLOTS // 86_400
    slots[:, 1] = DAY_SLOTS + (seconds // 3600 + _MONDAY_HOURS) % WEEK_SLOTS
    usual = state.profile[rows, slots]
    known = state.seen[rows, slots] > 0
    centre = state.means[:, _MIDDLE].copy()
    np.copyto(usual[:, 0], centre, where=~known[:, 0])
    np.copyto(usual[:, 1], usual[:, 0], where=~known[:, 1])
    inputs = np.empty((len(seconds), _INPUTS), dtype=np.float32)
    inputs[:, :2] = state.last[:, :2]
    inputs[:, 2] = state.means[:, _SHORT]
    inputs[:, 3] = usual[:, 0]
    inputs[:, 4] = state.last[:, 2]
    inputs[:, 5] = usual[:, 1]
    inputs[:, 6] = state.means[:, _LONG]
    inputs -= centre[:, np.newaxis]
    value = np.einsum("ij,ij->i", state.weights, inputs)
    value += centre
    return Forecast(value, centre, inputs, usual, known, slots)


def learn(state: Predictor, forecast: Forecast, values: FloatArray, per_day: FloatArray) -> None:
    """Take in what came: ``values`` float32 ``[series]``; ``state.count`` counts them already.

    ``per_day``: points that a series has in a day.
    """
    count = state.count
    limit = state.scale * _OUTLIER
    limit[count <= YOUNG] = np.inf
    cut = np.clip(values - forecast.value, -limit, limit)
    state.scale += (np.abs(cut) - state.scale) / np.minimum(count, _SCALE_POINTS)
    _regress(state, forecast, cut + forecast.value - forecast.centre)
    state.last[:, 1] = state.last[:, 0]
    state.last[:, 0] = values
    state.last[:, 2] = forecast.usual[:, 0]
    pace = np.minimum(count[:, np.newaxis], _MEAN_POINTS)
    state.means += (values[:, np.newaxis] - state.means) / pace
    state.spread += (np.square(values - state.long) - state.spread) / pace[:, _LONG]
    _remember(state, forecast, values, per_day)


def _remember(
    state: Predictor, forecast: Forecast, values: FloatArray, per_day: FloatArray
) -> None:
    """Take the values into the profiles."""
    rows = np.arange(len(values))[:, np.newaxis]
    times = state.seen[rows, forecast.slots]
    times += times < 65_535
    state.seen[rows, forecast.slots] = times
    each = np.maximum(per_day[:, np.newaxis] * _SLOT_DAYS, np.float32(1.0))
    pace = np.maximum(np.float32(1.0) / times, _SLOT_WEIGHT / each)
    usual = state.profile[rows, forecast.slots]
    state.profile[rows, forecast.slots] = usual + (values[:, np.newaxis] - usual) * pace


def _regress(state: Predictor, forecast: Forecast, target: AnyArray) -> None:
    inputs = forecast.inputs
    state.products *= _FORGETTING
    state.products += inputs[:, :, np.newaxis] * inputs[:, np.newaxis, :]
    state.moments *= _FORGETTING
    state.moments += inputs * target[:, np.newaxis]
    due = np.flatnonzero((state.count % _REFIT == 0) & (state.count >= _FIRST_FIT))
    if len(due):
        state.weights[due] = _solved(state, due)


def _solved(state: Predictor, due: NDArray[np.int64]) -> FloatArray:
    """The ridge regression towards the prior weights of these rows."""
    products = state.products[due].astype(np.float64)
    size = np.einsum("ijj->i", products) / _INPUTS
    ridge = size * (_RIDGE + _PRIOR_POINTS / state.count[due]) + 1e-12
    products += ridge[:, np.newaxis, np.newaxis] * np.eye(_INPUTS)
    moments = state.moments[due] + ridge[:, np.newaxis] * _PRIOR
    solved: FloatArray = np.linalg.solve(products, moments[..., np.newaxis])[..., 0]
    return solved.astype(np.float32)
