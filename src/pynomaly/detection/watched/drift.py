"""How far the scores of late are from those of the training."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix, State

_BINS = 50
_DAY = 86_400.0
_LEAST = 0.05
_ENOUGH = 0.5
"""Of a day: with less than this nothing is said."""
_ONE_IN_TWENTY = 1.36
"""Of Kolmogorov's distribution."""


@dataclass(slots=True)
class Drift:
    """Compares the distribution of a day's scores with the training's (Kolmogorov and Smirnov).

    The distance is divided by that of an unlike day of the training itself, the one that 1 in 20
    passes: 1 is such a day, whatever the series. Scores count with a weight that falls to 1/e in a
    day.

    ``trained``: cumulative shares ``[series, bins]``. ``usual``: ``[series]``. ``recent``: weights
    ``[series, bins]``.
    """

    trained: FloatMatrix
    usual: NDArray[np.float64]
    recent: FloatMatrix

    @classmethod
    def fit(cls, scores: FloatMatrix, interval: float) -> Self:
        """Learn from training scores ``[series, steps]``, ``interval`` seconds apart."""
        per_day = max(1, round(_DAY / interval))
        trained, usual = [], []
        for row in scores:
            days = np.array([_counts(row[i : i + per_day]) for i in range(0, len(row), per_day)])
            whole = days.sum(axis=0) if len(days) else np.zeros(_BINS)
            known = days[days.sum(axis=1) >= _ENOUGH * per_day] if len(days) else days
            # Each day against the others: against a whole that it is part of it is too alike.
            others = _shares(whole - known) if len(known) > 1 else _shares(known)
            away = np.abs(_shares(known) - others).max(axis=1) if len(known) else []
            trained.append(_shares(whole))
            chance = _by_chance(_ENOUGH * per_day, float(whole.sum()))
            usual.append(max(float(np.quantile(away, 0.95)) if len(away) else 0.0, chance))
        shape = (len(scores), _BINS)
        return cls(np.array(trained).reshape(shape), np.array(usual), np.zeros(shape))

    def take(self, scores: NDArray[np.float64], interval: float) -> None:
        """Take in the newest score of each series, ``[series]``, NaN where there is none."""
        known = np.flatnonzero(np.isfinite(scores))
        self.recent[known] *= np.exp(-interval / _DAY)
        self.recent[known, _bins(scores[known])] += interval / _DAY

    def value(self) -> float:
        """The median over the series; NaN while less than half a day was seen."""
        seen = self.recent.sum(axis=1) >= 1 - np.exp(-_ENOUGH)
        if not seen.any():
            return float("nan")
        away = np.abs(_shares(self.recent[seen]) - self.trained[seen]).max(axis=1)
        return float(np.median(away / self.usual[seen]))

    def state(self) -> State:
        """What was learnt, by name."""
        return {"trained": self.trained, "usual": self.usual}

    @classmethod
    def of_state(cls, state: State) -> Self:
        """What ``state`` gave; nothing of late is known."""
        return cls(state["trained"], state["usual"], np.zeros(state["trained"].shape))


def _by_chance(few: float, many: float) -> float:
    """The distance that 1 in 20 such samples of one distribution passes (Smirnov), or a little."""
    return max(_ONE_IN_TWENTY * float(np.sqrt(1 / few + 1 / max(many, 1.0))), _LEAST)


def _bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    bins: NDArray[np.int64] = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    return bins


def _counts(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.bincount(_bins(scores[np.isfinite(scores)]), minlength=_BINS)
    return found.astype(np.float64)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.cumsum(counts, axis=-1)
    shares: NDArray[np.float64] = total / np.maximum(total[..., -1:], 1e-12)
    return shares
