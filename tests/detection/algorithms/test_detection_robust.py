"""Level, spread and trailing means."""

import numpy as np
import pytest

from pynomaly.detection.algorithms.robust import (
    median_of,
    sigma_of,
    trailing_deviation,
    trailing_mean,
)

RNG = np.random.default_rng(7)


def test_the_median_is_that_of_numpy() -> None:
    values = RNG.normal(0, 1, (50, 31))
    values[RNG.random(values.shape) < 0.3] = np.nan
    assert median_of(values) == pytest.approx(np.nanmedian(values, axis=1))


def test_rows_without_values_have_no_median() -> None:
    assert np.isnan(median_of(np.full((2, 3), np.nan))).all()
    assert np.isnan(median_of(np.empty((2, 0)))).all()


def test_sigma_is_the_standard_deviation_of_normal_data_whatever_outliers_there_are() -> None:
    deviations = RNG.normal(0, 2, (1, 10_000))
    deviations[0, :3000] = 1e6
    assert sigma_of(deviations) == pytest.approx([2.0], rel=0.7)
    assert sigma_of(deviations[:, 3000:]) == pytest.approx([2.0], rel=0.05)


def test_where_most_deviations_are_nothing_the_rest_gives_the_spread() -> None:
    assert sigma_of(np.array([[0.0] * 15 + [1.0] * 5])) == pytest.approx([1.253314 * 0.25])


def test_a_constant_series_varies_by_a_hundredth_of_its_size() -> None:
    assert sigma_of(np.zeros((2, 9)), np.array([5.0, 0.0])) == pytest.approx([0.05, 1.0])


def test_trailing_windows_are_those_of_a_loop() -> None:
    values = RNG.normal(0, 1, (2, 40))
    values[0, 5:20] = np.nan
    values[1, ::3] = np.nan
    for window in (1, 4, 7):
        means, deviations = trailing_mean(values, window), trailing_deviation(values, window)
        for row in range(2):
            for at in range(40):
                seen = values[row, max(0, at - window + 1) : at + 1]
                seen = seen[~np.isnan(seen)]
                expected = (seen.mean(), seen.std()) if len(seen) else (np.nan, np.nan)
                found = (means[row, at], deviations[row, at])
                assert found == pytest.approx(expected, abs=1e-7, nan_ok=True)
