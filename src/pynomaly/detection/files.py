"""Scores for files: series of a CSV or a folder of them, without a server."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.replay import PastSeries, walk
from pynomaly.detection.streaming.episodes import DEFAULT_BUDGET, EpisodeMachine

COLUMNS = (
    "anomaly_score",
    "anomaly_expected",
    "anomaly_lower",
    "anomaly_upper",
    "anomaly_event",
)


def score_series(
    series: Sequence[PastSeries],
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
    found = np.full((longest, len(series), len(COLUMNS)), np.nan)
    episodes = EpisodeMachine(len(series), budget)
    for tick in walk(series, progress):
        scored = tick.scored
        event = np.where(np.isnan(scored.score), np.nan, tick.step(episodes).confidence)
        columns = (scored.score, scored.expected, scored.lower, scored.upper, event)
        found[tick.row, tick.present] = np.stack(columns, axis=1)
    return [found[: len(each), i] for i, each in enumerate(series)]
