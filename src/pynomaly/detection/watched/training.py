"""Training some series of a watched query: what runs in a worker process."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import (
    Choices,
    TrainedDetector,
    interval_of,
    prefixed,
    under,
)
from pynomaly.detection.algorithms.calibration import HALF
from pynomaly.detection.algorithms.registry import detector, restored
from pynomaly.detection.contract import FloatMatrix, Times
from pynomaly.detection.watched.drift import Drift

MIN_POINTS = 100
MIN_SPAN = 86_400.0
"""Seconds between the first and the last value that a series must have."""

_WEEK = 604_800.0
_HELD_OUT = 0.25
_HELD_OUT_MOST = _WEEK


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some series to train on, and the file for what is learnt of them.

    ``matrix``: ``[series, steps]``; ``times``: local epoch seconds.
    """

    algorithm: str
    choices: Choices
    matrix: FloatMatrix
    times: Times
    target: Path


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a detector taught the first part of the data said of the last, which it had not seen.

    ``passes``: how often scores rose to 0.5 there; ``weeks``: of all series together. By the
    meaning of the score there is one pass a week, fewer if nothing happened in the training.
    """

    passes: int
    weeks: float

    def __add__(self, other: "Backtest") -> "Backtest":
        return Backtest(self.passes + other.passes, self.weeks + other.weeks)

    @property
    def passes_per_week(self) -> float:
        """The figure by which versions are compared."""
        return self.passes / self.weeks if self.weeks else float("nan")


@dataclass(slots=True)
class TrainedPart:
    """A trained detector and what its drift is measured by."""

    detector: TrainedDetector
    drift: Drift


def train_part(part: Part) -> Backtest:
    """Train, write what was learnt into the file, and say how it does on data it has not seen.

    Raises:
        NeedsScikitLearn: the algorithm needs it, and it is not installed.
        OSError: the file cannot be written.
    """
    backtest = _backtest(part)
    trained = detector(part.algorithm, part.choices)
    scores = trained.fit_score(part.matrix, part.times)
    drift = Drift.fit(scores, interval_of(part.times))
    arrays = {**prefixed("detector", trained.state()), **prefixed("drift", drift.state())}
    with part.target.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return backtest


def load_part(path: Path) -> TrainedPart:
    """What ``train_part`` wrote.

    Raises:
        OSError, KeyError, ValueError: it cannot be read, or another version wrote it.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return TrainedPart(restored(under("detector", arrays)), Drift.of_state(under("drift", arrays)))


def trainable(matrix: FloatMatrix, interval: float) -> NDArray[np.bool_]:
    """Which series have enough values, over a long enough time."""
    present = ~np.isnan(matrix)
    steps = matrix.shape[1]
    if not steps:
        return np.zeros(len(matrix), dtype=np.bool_)
    first = present.argmax(axis=1)
    last = steps - 1 - present[:, ::-1].argmax(axis=1)
    # A step itself counts: a day at one point a minute is 1,440 points.
    long_enough = (last - first + 1) * interval >= MIN_SPAN
    enough: NDArray[np.bool_] = long_enough & (present.sum(axis=1) >= MIN_POINTS)
    return enough


def _backtest(part: Part) -> Backtest:
    steps = part.matrix.shape[1]
    interval = interval_of(part.times)
    held_out = round(min(_HELD_OUT * steps * interval, _HELD_OUT_MOST) / interval)
    split = steps - held_out
    one = detector(part.algorithm, part.choices)
    one.fit(part.matrix[:, :split], part.times[:split])
    since = max(0, split - one.context)
    scores = one.score(part.matrix[:, since:], part.times[since:])[:, split - since :]
    high = scores >= HALF
    passes = np.count_nonzero(high[:, 1:] & ~high[:, :-1])
    known = np.count_nonzero(np.isfinite(scores))
    return Backtest(int(passes), known * interval / _WEEK)
