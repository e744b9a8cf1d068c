"""Scores for files: series of a CSV or a folder of them, without a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.episodes import DEFAULT_BUDGET, EpisodeMachine
from pynomaly.detection.streaming.scorer import StreamScorer

COLUMNS = (
    "anomaly_score",
    "anomaly_expected",
    "anomaly_lower",
    "anomaly_upper",
    "anomaly_event",
)
_TELL_EVERY = 200


@dataclass(frozen=True, slots=True, eq=False)
class FileSeries:
    """One series: ``seconds`` int64 (local time, in the order of the rows), ``values`` float64.

    A NaN is a row without a value: it is not scored.
    """

    seconds: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)


def score_series(
    series: Sequence[FileSeries],
    *,
    budget: float = DEFAULT_BUDGET,
    progress: Callable[[int], None] = lambda rows: None,
) -> list[NDArray[np.float64]]:
    """Score each series by itself, row by row; a row is judged by the rows up to it alone.

    Args:
        series: They are worked on side by side, which does not change what is found.
        budget: Events a week that a series without anomalies may have.
        progress: Is told how many more rows are done.

    Returns:
        For each series float64 ``[rows, 5]`` in the order of ``COLUMNS``; NaN while the series is
        not known well enough, and where it has no value. The last column is 0 but where an
        episode opens or escalates: there it is the confidence.
    """
    longest = max(map(len, series), default=0)
    seconds = np.zeros((longest, len(series)), dtype=np.int64)
    values = np.full((longest, len(series)), np.nan)
    for i, each in enumerate(series):
        seconds[: len(each), i] = each.seconds
        values[: len(each), i] = each.values
    found = np.full((longest, len(series), len(COLUMNS)), np.nan)
    scorer, episodes = StreamScorer(len(series)), EpisodeMachine(len(series), budget)
    done = 0
    for row in range(longest):
        present = np.flatnonzero(~np.isnan(values[row]))
        if len(present):
            points = (present, seconds[row, present], values[row, present])
            found[row, present] = _score_points(scorer, episodes, *points)
        done += len(present)
        if row % _TELL_EVERY == 0 or row == longest - 1:
            progress(done)
            done = 0
    return [found[: len(each), i] for i, each in enumerate(series)]


def _score_points(
    scorer: StreamScorer,
    episodes: EpisodeMachine,
    rows: Rows,
    seconds: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    scored = scorer.update(rows, seconds, values)
    changes = episodes.step(rows, scored.rarity, scorer.interval(rows))
    event = np.where(np.isnan(scored.score), np.nan, changes.confidence)
    return np.stack((scored.score, scored.expected, scored.lower, scored.upper, event), axis=1)
