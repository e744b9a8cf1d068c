"""What was as rare yesterday at the same time is less rare today."""

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.recurrence import Yesterday, relief

DAY = 86_400
SIX = 6 * 3600
HALF_HOUR = 1800


def told(rarities: dict[int, float], at: int, step: int = HALF_HOUR) -> float:
    """The relief of a rare point at ``at``, after days with these rarities and nothing else."""
    state = Yesterday.blank(1)
    found = np.zeros(1, dtype=np.float32)
    for second in range(0, at + 1, step):
        rarity = np.array([rarities.get(second, -2.0)], dtype=np.float32)
        found = relief(state, rarity, np.array([second]))
    return float(found[0])


def test_a_job_that_ran_yesterday_is_less_rare_by_as_much() -> None:
    assert told({SIX: 2.5}, SIX + DAY) == 2.5


def test_half_an_hour_earlier_or_later_is_the_same_job() -> None:
    assert told({SIX: 2.5}, SIX + DAY + HALF_HOUR) == 2.5
    assert told({SIX: 2.5}, SIX + DAY - HALF_HOUR) == 2.5
    assert told({SIX: 2.5}, SIX + DAY + 3 * HALF_HOUR) == 0


def test_what_was_usual_yesterday_takes_nothing_off() -> None:
    assert told({}, SIX + DAY) == 0


def test_trouble_that_lasted_for_hours_was_no_job() -> None:
    lasting = {SIX + i * HALF_HOUR: 2.5 for i in range(-6, 7)}
    assert told(lasting, SIX + DAY) == 0


def test_two_days_ago_is_not_yesterday() -> None:
    assert told({SIX: 2.5}, SIX + 2 * DAY) == 0


def test_series_at_different_times_are_told_like_series_at_one_time() -> None:
    def at(*seconds: int) -> NDArray[np.int64]:
        return np.array(seconds)

    rare = np.full(2, 2.0, dtype=np.float32)
    apart = Yesterday.blank(2)
    relief(apart, rare, at(SIX, SIX + HALF_HOUR))
    found = relief(apart, rare, at(SIX + DAY, SIX + DAY + 6 * HALF_HOUR))
    np.testing.assert_array_equal(found, [2.0, 0.0])
