"""What every series is told, checked in the way river checks its estimators."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pynomaly.detection.files import score_series
from pynomaly.detection.replay import PastSeries
from pynomaly.detection.streaming.scorer import Scored, StreamScorer

STEP = 300
DAY = 86_400 // STEP
START = 1_700_006_400


def seconds(points: int) -> NDArray[np.int64]:
    return START + np.arange(points, dtype=np.int64) * STEP


def daily(points: int, seed: int = 1) -> NDArray[np.float64]:
    """A metric with a daily season and noise."""
    noise = np.random.default_rng(seed).normal(size=points)
    return 100 + 30 * np.sin(2 * np.pi * np.arange(points) / DAY) + 2 * noise


def scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return score_series([PastSeries(seconds(len(values)), values)])[0]


def feed(scorer: StreamScorer, matrix: NDArray[np.float64], first: int = 0) -> list[Scored]:
    """Give the scorer a ``[series, points]`` matrix, point by point."""
    rows = np.arange(len(matrix))
    at = seconds(first + matrix.shape[1])
    return [
        scorer.update(rows, np.full(len(matrix), at[first + i]), matrix[:, i])
        for i in range(matrix.shape[1])
    ]


def test_nothing_is_said_before_a_hundred_points() -> None:
    found = scores(daily(200))
    assert np.isnan(found[:100]).all()
    assert not np.isnan(found[150:]).any()


@pytest.mark.parametrize("value", [0.0, 5.0, -1e9, 1e300, 1e-300])
def test_a_constant_series_has_no_anomaly(value: float) -> None:
    found = scores(np.full(1000, value))
    assert np.nanmax(found[:, 0]) < 0.5
    assert np.nansum(found[:, 4]) == 0


def test_the_band_holds_what_was_expected_and_nearly_all_values() -> None:
    values = daily(8 * DAY)
    found = scores(values)[2 * DAY :]
    _, expected, lower, upper = found[:, :4].T
    assert (lower <= expected).all()
    assert (expected <= upper).all()
    inside = (values[2 * DAY :] >= lower) & (values[2 * DAY :] <= upper)
    assert inside.mean() > 0.99


def test_the_expected_follows_the_season() -> None:
    values = daily(8 * DAY)
    off = np.abs(scores(values)[4 * DAY :, 1] - values[4 * DAY :])
    assert off.mean() < 4  # the noise alone has 1.6, the season 19


@pytest.mark.parametrize("change", ["spike", "drop to zero", "shift"])
def test_a_change_is_found_within_ten_points_as_one_event(change: str) -> None:
    values = daily(10 * DAY)
    at = 8 * DAY + 37
    if change == "spike":
        values[at : at + 3] += 150
    elif change == "drop to zero":
        values[at : at + 40] = 0
    else:
        values[at:] += 120
    found = scores(values)
    events = np.flatnonzero(found[:, 4] > 0)
    events = events[events >= 7 * DAY]
    assert at <= events[0] <= at + 10
    assert found[events[0], 4] > 0.5
    assert len(events) <= 3  # it may escalate
    assert found[at : at + 10, 0].max() > 0.6


def test_a_job_at_six_in_the_morning_is_no_news_in_the_second_week() -> None:
    values = 30 + np.random.default_rng(3).normal(size=21 * DAY)
    for day in range(21):
        values[day * DAY + 72 : day * DAY + 75] += 40
    events = np.flatnonzero(scores(values)[:, 4] > 0)
    assert (events < 8 * DAY).all()


def test_a_new_job_at_six_in_the_morning_is_no_news_on_its_third_day() -> None:
    values = 30 + np.random.default_rng(5).normal(size=6 * DAY)
    for day in range(2, 6):
        values[day * DAY + 72 : day * DAY + 75] += 40
    events = np.flatnonzero(scores(values)[:, 4] > 0)
    assert 2 * DAY <= events.min() <= events.max() < 4 * DAY


def test_series_of_different_times_are_judged_like_series_of_one_time() -> None:
    matrix = np.stack([daily(400, seed) for seed in range(2)])
    together, shifted = StreamScorer(2), StreamScorer(2)
    rows, at = np.arange(2), seconds(400)
    for i in range(400):
        ours = together.update(rows, np.full(2, at[i]), matrix[:, i])
        theirs = shifted.update(rows, at[i] + np.array([0, 7 * 86_400]), matrix[:, i])
        np.testing.assert_allclose(ours.rarity, theirs.rarity, rtol=1e-4, atol=1e-4)


def test_one_request_more_than_ever_is_no_anomaly_of_an_idle_series() -> None:
    values = np.random.default_rng(4).poisson(0.03, size=20 * DAY).astype(float)
    assert np.nansum(scores(values)[:, 4] > 0) <= 1


def test_rows_without_a_value_are_left_empty_and_change_nothing() -> None:
    values = daily(1000)
    gaps = np.insert(values, [300, 300, 700], np.nan)
    at = np.insert(seconds(1000), [300, 300, 700], START)
    with_gaps = score_series([PastSeries(at, gaps)])[0]
    assert np.isnan(with_gaps[np.isnan(gaps)]).all()
    np.testing.assert_array_equal(with_gaps[~np.isnan(gaps)], scores(values))


def test_infinite_and_huge_values_leave_the_series_usable() -> None:
    values = daily(6 * DAY)
    values[2 * DAY] = np.inf
    values[2 * DAY + 1] = -1e308
    found = scores(values)
    assert np.isfinite(found[2 * DAY + 2 :, 0]).all()
    assert np.isfinite(found[-DAY:, 1]).all()


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(5)), extra=st.integers(0, 3))
def test_series_do_not_influence_each_other(order: list[int], extra: int) -> None:
    matrix = np.stack([daily(300, seed) * (seed + 1) for seed in range(5)])
    alone = np.stack([s.rarity for s in feed(StreamScorer(5), matrix)], axis=1)
    scorer = StreamScorer(5 + extra)
    together = np.stack([s.rarity for s in feed(scorer, matrix[order])], axis=1)
    np.testing.assert_array_equal(together, alone[order])


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, 599))
def test_a_point_is_judged_by_what_came_before_it_alone(cut: int) -> None:
    values = daily(600)
    np.testing.assert_array_equal(scores(values[:cut]), scores(values)[:cut])


def test_a_scorer_that_was_saved_goes_on_as_if_it_had_not_stopped() -> None:
    matrix = np.stack([daily(500, seed) for seed in range(3)])
    whole = StreamScorer(3)
    feed(whole, matrix[:, :400])
    copy = StreamScorer.of_arrays(whole.arrays())
    for ours, theirs in zip(
        feed(whole, matrix[:, 400:], 400), feed(copy, matrix[:, 400:], 400), strict=True
    ):
        np.testing.assert_array_equal(ours.score, theirs.score)


def test_rows_that_lie_apart_are_judged_like_rows_that_lie_together() -> None:
    matrix = np.stack([daily(300, seed) for seed in range(4)])
    together = feed(StreamScorer(4), matrix)
    apart = StreamScorer(9)
    rows = np.array([1, 4, 5, 8])
    for i, expected in enumerate(together):
        found = apart.update(rows, np.full(4, seconds(300)[i]), matrix[:, i])
        np.testing.assert_array_equal(found.rarity, expected.rarity)


def test_series_are_kept_when_others_are_dropped() -> None:
    matrix = np.stack([daily(300, seed) for seed in range(3)])
    all_three = StreamScorer(3)
    feed(all_three, matrix[:, :200])
    all_three.resize(np.array([2]), 4)
    alone = StreamScorer(1)
    feed(alone, matrix[2:, :200])
    for i in range(200, 300):
        at = np.full(1, seconds(300)[i])
        ours = all_three.update(np.array([0]), at, matrix[2:, i])
        theirs = alone.update(np.array([0]), at, matrix[2:, i])
        np.testing.assert_array_equal(ours.rarity, theirs.rarity)


def test_a_series_takes_less_than_four_kilobytes() -> None:
    assert StreamScorer(1).bytes_per_series < 4096
