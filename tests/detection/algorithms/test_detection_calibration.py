"""From measures to scores with one meaning."""

import numpy as np
import pytest

from pynomaly.detection.algorithms.calibration import Calibration

MINUTE = 60.0
PER_WEEK = 10_080


def test_half_is_what_comes_once_a_week_and_a_tenth_more_ten_times_rarer() -> None:
    random = np.random.default_rng(1)
    calibration = Calibration.fit(random.pareto(3.0, (20, 4 * PER_WEEK)), MINUTE)
    once_a_week = PER_WEEK ** (1 / 3) - 1  # the survival of this distribution is (1 + x) ** -3
    ten_times_rarer = (10 * PER_WEEK) ** (1 / 3) - 1
    scores = calibration.score(np.tile([once_a_week, ten_times_rarer], (20, 1)))
    assert np.median(scores, axis=0) == pytest.approx([0.5, 0.6], abs=0.04)


def test_scores_rise_with_the_measure() -> None:
    random = np.random.default_rng(2)
    calibration = Calibration.fit(np.abs(random.normal(0, 1, (1, 5000))), MINUTE)
    scores = calibration.score(np.linspace(0, 20, 500)[np.newaxis])
    assert (np.diff(scores) >= 0).all()
    assert scores[0, 0] < 0.05
    assert scores[0, -1] > 0.7


def test_one_excursion_of_many_steps_counts_once() -> None:
    measured = np.abs(np.random.default_rng(3).normal(0, 1, (1, PER_WEEK)))
    measured[0, 4800:4824] = 50.0
    assert Calibration.fit(measured, MINUTE).score(np.array([[50.0]]))[0, 0] >= 0.5


def test_of_equal_measures_none_is_rare() -> None:
    measured = np.zeros((1, 2000))
    measured[0, ::3] = 1.0
    scores = Calibration.fit(measured, MINUTE).score(np.array([[0.0, 1.0, 2.0]]))[0]
    assert scores[0] < 0.1
    assert scores[1] < 0.5 < scores[2]


def test_too_few_measures_give_no_score() -> None:
    measured = np.full((2, 200), 1.0)
    measured[1, 50:] = np.nan
    scores = Calibration.fit(measured, MINUTE).score(np.ones((2, 1)))
    assert not np.isnan(scores[0, 0])
    assert np.isnan(scores[1, 0])
