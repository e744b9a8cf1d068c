"""Double exponential smoothing (Holt's linear method) over windows."""

import numpy as np

from pynomaly.model.samples import ValueArray
from pynomaly.promql.contract import QueryError
from pynomaly.promql.rates import Folded
from pynomaly.promql.windows import Windows


def double_exponential_smoothing(w: Windows, level: ValueArray, trend: ValueArray) -> Folded:
    """The last smoothed value of each window of two samples or more.

    ``level`` and ``trend`` are the factors at each step (``[steps]``), between 0 and 1, both
    exclusive. All windows take their n-th sample together.

    Raises:
        QueryError: a factor is out of range.
    """
    present = w.counts >= 2
    if not present.any():
        return np.zeros(present.shape), present
    _check("smoothing", level)
    _check("trend", trend)
    shape = w.left.shape
    sf, tf = (np.broadcast_to(each, shape)[present] for each in (level, trend))
    left, lengths = w.left[present], w.counts[present]
    before, smoothed = np.zeros(len(left)), w.values[left].copy()
    slope = w.values[left + 1] - w.values[left]
    for nth in range(1, int(lengths.max())):
        going = lengths > nth
        value = w.values[np.where(going, left + nth, 0)]
        if nth > 1:
            slope = np.where(going, tf * (smoothed - before) + (1 - tf) * slope, slope)
        following = sf * value + (1 - sf) * (smoothed + slope)
        before = np.where(going, smoothed, before)
        smoothed = np.where(going, following, smoothed)
    values = np.zeros(shape)
    values[present] = smoothed
    return values, present


def _check(name: str, factor: ValueArray) -> None:
    wrong = factor[(factor <= 0) | (factor >= 1)]
    if len(wrong):
        short = name[0] + "f"
        raise QueryError(f"invalid {name} factor. Expected: 0 < {short} < 1, got: {wrong[0]:f}")
