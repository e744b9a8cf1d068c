"""What every detector must do; ``check_*`` functions take a maker of new detectors."""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pynomaly.detection.algorithms.base import TrainedDetector
from pynomaly.detection.contract import Detector, FloatMatrix, Times

Make = Callable[[], Detector]

STEP = 600
DAYS = 4
TRAINED = DAYS * 86_400 // STEP
_TOLERANCE = 1e-3  # a hundredth of a decade; single precision is enough for distances


def series(seed: int = 3, count: int = 3, days: int = DAYS) -> tuple[FloatMatrix, Times]:
    """Daily seasonal series with noise, ``[count, steps]``, and local epoch seconds."""
    random = np.random.default_rng(seed)
    times = 1_700_006_400 + np.arange(days * 86_400 // STEP, dtype=np.int64) * STEP
    daily = 10 * np.sin(2 * np.pi * times / 86_400)
    sizes = np.array([[1.0], [100.0], [1e-6], [1e9]])[np.arange(count) % 4]
    return sizes * (50 + daily + random.normal(0, 1, (count, len(times)))), times


@functools.cache
def _trained(make: Make) -> Detector:
    values, times = series(days=DAYS + 2)
    detector = make()
    detector.fit(values[:, :TRAINED], times[:TRAINED])
    return detector


def trained(make: Make) -> tuple[Detector, FloatMatrix, Times]:
    """A trained detector, not to be trained again, and the two days that follow on its training."""
    values, times = series(days=DAYS + 2)
    return _trained(make), values[:, TRAINED:], times[TRAINED:]


def check_scores_lie_between_0_and_1(make: Make) -> None:
    detector, values, times = trained(make)
    values[0, 200:220] *= 100
    scores = detector.score(values, times)
    assert scores.shape == values.shape
    assert scores.dtype == np.float64
    known = scores[~np.isnan(scores)]
    assert len(known) > scores.size / 2
    assert known.min() >= 0
    assert known.max() <= 1


def check_what_is_usual_scores_low_and_a_leap_scores_high(make: Make) -> None:
    detector, values, times = trained(make)
    usual = detector.score(values, times)[:, 100:]
    assert np.nanmean(usual > 0.5) < 0.01
    values[:, 250] *= 3
    leapt = detector.score(values, times)
    assert (np.nanmax(leapt[:, 250:255], axis=1) > 0.5).all()


def check_a_constant_series_is_as_ever_until_it_moves(make: Make) -> None:
    times = np.arange(TRAINED, dtype=np.int64) * STEP
    detector = make()
    detector.fit(np.full((2, TRAINED), [[5.0], [0.0]]), times)
    later = np.full((2, 200), [[5.0], [0.0]])
    assert np.nanmax(detector.score(later, times[:200])) < 0.5
    later[:, 150:] += 10
    assert (np.nanmax(detector.score(later, times[:200])[:, 150:], axis=1) > 0.5).all()


def check_where_there_is_no_value_there_is_no_score(make: Make) -> None:
    detector, values, times = trained(make)
    values[1, 100:110] = np.nan
    scores = detector.score(values, times)
    assert np.isnan(scores[1, 100:110]).all()
    assert not np.isnan(scores[0, 100:110]).any()


def check_gaps_in_the_training_do_no_harm(make: Make) -> None:
    values, times = series(days=DAYS + 2)
    values[0, 50:120] = np.nan
    values[1, 2::7] = np.nan
    detector = make()
    detector.fit(values[:, :TRAINED], times[:TRAINED])
    later = detector.score(values[:, TRAINED:], times[TRAINED:])
    # A gap in every window is a series that some detectors cannot say anything of.
    assert np.isfinite(later[[0, 2], 150:]).all()
    assert np.nanmean(later[:, 150:] > 0.5) < 0.02


def check_infinities_are_very_large_values(make: Make) -> None:
    detector, values, times = trained(make)
    values[0, 200], values[1, 200] = np.inf, -np.inf
    scores = detector.score(values, times)
    assert (np.nanmax(scores[:2, 200:204], axis=1) > 0.5).all()
    poisoned, then = series(count=1)
    poisoned[:, 7] = np.inf
    detector = make()
    detector.fit(poisoned, then)
    assert np.isfinite(detector.score(values[2:], times)[:, 150:]).any()


def check_too_little_training_gives_no_scores(make: Make) -> None:
    values, times = series()
    for points in (1, 20):
        detector = make()
        detector.fit(values[:, :points], times[:points])
        assert np.isnan(detector.score(values[:, points : points + 50], times[:50])).all()
    detector = make()
    detector.fit(np.full((1, TRAINED), np.nan), times)
    assert np.isnan(detector.score(values[:1], times)).all()


def check_one_point_can_be_scored(make: Make) -> None:
    detector, values, times = trained(make)
    scores = detector.score(values[:, :1], times[:1])
    assert scores.shape == (len(values), 1)
    assert detector.score(values[:, :0], times[:0]).shape == (len(values), 0)


def check_no_series_at_all_is_in_order(make: Make) -> None:
    times = np.arange(TRAINED, dtype=np.int64) * STEP
    detector = make()
    detector.fit(np.empty((0, TRAINED)), times)
    assert detector.score(np.empty((0, 5)), times[:5]).shape == (0, 5)


def check_the_order_of_series_does_not_matter(make: Make) -> None:
    one, later, at = trained(make)
    values, times = series(days=DAYS + 2)
    order = np.array([2, 0, 1])
    other = make()
    other.fit(values[order, :TRAINED], times[:TRAINED])
    assert one.score(later, at)[order] == pytest.approx(
        other.score(later[order], at), abs=_TOLERANCE, nan_ok=True
    )


def check_it_never_looks_ahead(make: Make) -> None:
    detector, values, times = trained(make)
    whole = detector.score(values, times)
    for steps in (1, 60, 171):
        part = detector.score(values[:, :steps], times[:steps])
        assert part == pytest.approx(whole[:, :steps], abs=_TOLERANCE, nan_ok=True)
    values[:, 171:] = 1e6
    assert detector.score(values, times)[:, :171] == pytest.approx(
        whole[:, :171], abs=_TOLERANCE, nan_ok=True
    )


def check_the_context_is_all_that_a_score_depends_on(make: Make) -> None:
    detector, values, times = trained(make)
    whole = detector.score(values, times)
    since = 250 - detector.context
    assert since > 0
    part = detector.score(values[:, since:251], times[since:251])
    assert part[:, -1] == pytest.approx(whole[:, 250], abs=_TOLERANCE)
    assert isinstance(detector, TrainedDetector)
    newest = detector.newest(values[:, :251], times[:251])
    assert newest == pytest.approx(whole[:, 250], abs=_TOLERANCE)


def check_what_is_saved_scores_the_same(make: Make) -> None:
    detector, values, times = trained(make)
    state = detector.state()
    assert all(array.dtype != np.object_ for array in state.values())
    again = type(detector).of_state(state)
    assert again.context == detector.context
    assert np.array_equal(again.score(values, times), detector.score(values, times), equal_nan=True)


def check_training_anew_forgets(make: Make) -> None:
    values, times = series(count=1)
    detector, other = make(), make()
    detector.fit(values, times)
    for each in (detector, other):
        each.fit(values + 1e9, times)
    assert detector.score(values, times) == pytest.approx(
        other.score(values, times), abs=_TOLERANCE, nan_ok=True
    )


def check_faults_of_the_caller_are_named(make: Make) -> None:
    values, times = series()
    detector = make()
    with pytest.raises(ValueError, match="not trained"):
        detector.score(values, times)
    with pytest.raises(ValueError, match="evenly"):
        detector.fit(values[:, :3], np.array([0, 60, 180]))
    detector.fit(values, times)
    with pytest.raises(ValueError, match="trained on 3"):
        detector.score(values[:1], times)


def check_what_was_expected_lies_within_its_band(make: Make) -> None:
    detector, values, times = trained(make)
    assert isinstance(detector, TrainedDetector)
    usual = detector.usual(values[:, :200], times[:200])
    assert (usual.lower <= usual.expected).all()
    assert (usual.expected <= usual.upper).all()
    sizes = np.abs(usual.expected)
    assert (np.abs(values[:, 199] - usual.expected) < 0.5 * sizes).all()
    assert (usual.upper - usual.lower < 2 * sizes).all()


def check_the_reason_of_a_leap_is_a_feature_of_values(make: Make) -> None:
    detector, values, times = trained(make)
    assert isinstance(detector, TrainedDetector)
    values[:, 250] *= 3
    found = detector.reasons(values[:, :251], times[:251])
    assert len(found) == len(values)
    assert not {"hour_sin", "hour_cos", "weekday_sin", "weekday_cos", ""} & set(found)
    again = type(detector).of_state(detector.state())
    assert again.reasons(values[:, :251], times[:251]) == found


def all_checks() -> Iterator[Callable[[Make], None]]:
    """Every check of this module."""
    return (check for name, check in globals().items() if name.startswith("check_"))
