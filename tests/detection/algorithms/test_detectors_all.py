"""Every detector that the registry knows, by every check."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from detector_checks import Make, all_checks, series

from pynomaly.detection.algorithms.base import Choices
from pynomaly.detection.algorithms.registry import DETECTORS, detector, restored
from pynomaly.detection.algorithms.windows import NeedsScikitLearn
from pynomaly.model.errors import BadInput

_BY_SCIKIT_LEARN = ("isolation_forest", "dbscan", "ensemble")


@pytest.mark.parametrize("check", list(all_checks()), ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_passes(name: str, check: Callable[[Make], None]) -> None:
    if name in _BY_SCIKIT_LEARN:
        pytest.importorskip("sklearn")
    check(DETECTORS[name])


@pytest.mark.parametrize("name", _BY_SCIKIT_LEARN)
def test_without_scikit_learn_training_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(NeedsScikitLearn, match=r"needs scikit-learn.*\[ml\]"):
        detector(name).fit(*series())


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match=r"no algorithm 'lof'; there are isolation_forest, dbscan"):
        detector("lof")


def test_a_state_says_whose_it_is() -> None:
    one = detector("statistical", Choices(contamination=0.2, season="none", min_points=50))
    one.fit(*series())
    again = restored(one.state())
    assert again.name == "statistical"
    assert again.choices == one.choices
    with pytest.raises(ValueError, match="the state of statistical, not of seasonal"):
        DETECTORS["seasonal"].of_state(one.state())


def test_choices_without_a_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match=r"contamination is 0\.7"):
        Choices(contamination=0.7)
    with pytest.raises(ValueError, match="season is 'yearly'; one of auto, none, daily, weekly"):
        Choices(season="yearly")


@pytest.mark.parametrize("name", DETECTORS)
def test_half_is_passed_about_once_a_week_by_series_without_anomalies(name: str) -> None:
    if name in _BY_SCIKIT_LEARN:
        pytest.importorskip("sklearn")
    values, times = series(seed=5, count=6, days=42)
    half = len(times) // 2
    one = detector(name)
    one.fit(values[:, :half], times[:half])
    high = one.score(values[:, half:], times[half:]) >= 0.5
    passed = np.count_nonzero(high[:, 1:] & ~high[:, :-1])
    weeks = len(values) * 3
    assert passed / weeks < 2.0
