"""The forest as arrays is scikit-learn's."""

import numpy as np
import pytest

from pynomaly.detection.algorithms.isolation_forest import SAMPLE, TREES, _arrays

ensemble = pytest.importorskip("sklearn.ensemble")


def test_walking_the_arrays_gives_the_scores_of_scikit_learn() -> None:
    rows = np.random.default_rng(1).normal(0, 1, (600, 5)).astype(np.float32)
    grown = ensemble.IsolationForest(n_estimators=TREES, max_samples=SAMPLE, random_state=0).fit(
        rows
    )
    scores = _arrays(grown, SAMPLE).score(rows)
    # Kept cuts are single precision: a value within their rounding may fall to the other side.
    assert scores == pytest.approx(-grown.score_samples(rows), abs=2e-3)
    assert np.corrcoef(scores, -grown.score_samples(rows))[0, 1] > 0.9999
