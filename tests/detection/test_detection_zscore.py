"""The robust z-score, by itself and as every detector must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pynomaly.detection.zscore import CUT, RobustZScore

RNG = np.random.default_rng(7)


def scored(history: list[float] | np.ndarray, *values: float, min_points: int = 3) -> list[float]:
    detector = RobustZScore(min_points)
    detector.fit(np.array([history], dtype=np.float64))
    return detector.score(np.array([values], dtype=np.float64))[0].tolist()


def test_the_score_follows_its_formula() -> None:
    history = [1.0, 2.0, 3.0, 4.0, 5.0]  # median 3, MAD 1
    sigma = 1.4826
    z = np.array([0.0, 1.0, CUT, 10.0])
    expected = z**2 / (z**2 + CUT**2)
    assert scored(history, *(3 + sigma * z)) == pytest.approx(expected.tolist())
    assert scored(history, 3 - sigma * CUT) == pytest.approx([0.5])


def test_normal_data_seldom_scores_half() -> None:
    detector = RobustZScore()
    history = RNG.normal(10, 2, (500, 120))
    detector.fit(history)
    scores = detector.score(RNG.normal(10, 2, (500, 100)))
    # 3.5 standard deviations are exceeded by 0.05 %; with 120 points to learn from, by 0.1 % or so.
    assert np.mean(scores > 0.5) < 0.003
    assert detector.score(np.full((500, 1), 30.0)).min() > 0.8


def test_outliers_in_the_history_do_not_hide_the_next_one() -> None:
    history = np.concatenate([RNG.normal(0, 1, 80), np.full(30, 1000.0)])
    assert scored(history, 100.0)[0] > 0.99


def test_where_most_of_the_history_is_one_value_the_rest_gives_the_scale() -> None:
    history = [0.0] * 15 + [1.0] * 5  # MAD 0, mean absolute deviation 0.25
    z = 1.0 / (1.253314 * 0.25)
    assert scored(history, 1.0) == pytest.approx([z**2 / (z**2 + CUT**2)])


def test_a_constant_series_stands_still_and_stands_out_when_it_moves() -> None:
    assert scored([5.0] * 20, 5.0, 5.01, 6.0) == pytest.approx([0.0, 0.0032, 0.970], abs=1e-3)


def test_a_series_of_zeros_stands_out_when_it_is_not_zero() -> None:
    assert scored([0.0] * 20, 0.0, 1e-9) == [0.0, 1.0]


def test_too_few_points_and_nan_are_not_judged() -> None:
    assert np.isnan(scored([1.0, 2.0, np.nan, np.nan], 1.0, min_points=3)).all()
    assert np.isnan(scored([], 1.0)).all()
    assert np.isnan(scored([1.0, 2.0, 3.0], np.nan)).all()


def test_gaps_in_the_history_are_as_if_they_were_not() -> None:
    nan = np.nan
    assert scored([1.0, nan, 2.0, 4.0, nan, 9.0], 7.0) == scored([1.0, 2.0, 4.0, 9.0], 7.0)


def test_infinity_scores_one_and_does_not_spoil_the_history() -> None:
    assert scored([1.0, 2.0, 3.0, np.inf], 2.0, np.inf, -np.inf) == [0.0, 1.0, 1.0]


finite = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(arrays(np.float64, (4, 12), elements=finite), arrays(np.float64, (4, 3), elements=finite))
def test_scores_lie_between_0_and_1_whatever_comes(history: np.ndarray, values: np.ndarray) -> None:
    detector = RobustZScore(3)
    detector.fit(history)
    scores = detector.score(values)
    assert scores.shape == values.shape
    known = scores[~np.isnan(scores)]
    assert ((known >= 0) & (known <= 1)).all()


def test_the_order_of_series_does_not_matter() -> None:
    history, values = RNG.normal(0, 1, (6, 40)), RNG.normal(0, 1, (6, 2))
    order = RNG.permutation(6)
    one, other = RobustZScore(), RobustZScore()
    one.fit(history)
    other.fit(history[order])
    assert np.array_equal(one.score(values)[order], other.score(values[order]))


def test_the_median_is_that_of_numpy() -> None:
    history = RNG.normal(0, 1, (50, 31))
    history[RNG.random(history.shape) < 0.3] = np.nan
    detector = RobustZScore(3)
    detector.fit(history)
    center = np.nanmedian(history, axis=1)
    sigma = 1.4826 * np.nanmedian(np.abs(history - center[:, None]), axis=1)
    z = (center + 2.0 - center) / sigma
    expected = z**2 / (z**2 + CUT**2)
    assert detector.score(center[:, None] + 2.0)[:, 0] == pytest.approx(expected)
