"""Gaps in the timestamps of files."""

import numpy as np
import pytest

from pynomaly.detection.files import score_series
from pynomaly.detection.replay import PastSeries

STEP = 300


def daily(days: int) -> tuple[np.ndarray, np.ndarray]:
    seconds = 1_700_006_400 + np.arange(days * 86_400 // STEP, dtype=np.int64) * STEP
    wave = 100 + 60 * np.sin(2 * np.pi * (seconds % 86_400) / 86_400)
    return seconds, wave + np.random.default_rng(1).normal(size=len(seconds)) * 4


def with_gaps(seconds: np.ndarray, values: np.ndarray, rows: int, every: int) -> PastSeries:
    kept = np.ones(len(values), dtype=bool)
    for start in range(7 * 288, len(values), every):
        kept[start : start + rows] = False
    return PastSeries(seconds[kept], values[kept])


@pytest.mark.parametrize("rows", [5, 40, 100, 150])
def test_that_the_day_went_on_during_a_gap_is_no_anomaly(rows: int) -> None:
    seconds, values = daily(28)
    (found,) = score_series([with_gaps(seconds, values, rows, every=500)])
    assert np.count_nonzero(found[7 * 288 :, 4]) == 0


def test_what_is_odd_after_a_gap_is_told_soon() -> None:
    seconds, values = daily(14)
    values[3500:] += 2000
    kept = np.ones(len(values), dtype=bool)
    kept[3400:3500] = False
    (found,) = score_series([PastSeries(seconds[kept], values[kept])])
    assert np.flatnonzero(np.nan_to_num(found[:, 4]) > 0)[-1] - 3400 < 30


@pytest.mark.parametrize(
    "seconds",
    [
        [0] * 300,
        list(range(300))[::-1],
        [5, 5, 4] * 100,
        [0, 10**9] + [10**9 + n for n in range(298)],
    ],
)
def test_times_that_jump_stand_still_or_fall_do_not_break_anything(seconds: list[int]) -> None:
    values = np.random.default_rng(1).normal(size=300)
    (found,) = score_series([PastSeries(np.array(seconds, dtype=np.int64), values)])
    assert np.isfinite(found[-1]).all()
