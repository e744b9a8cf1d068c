"""One unlike its siblings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pynomaly.detection.peers.distance import Segments
from pynomaly.detection.peers.judge import Compared, PeerJudge
from pynomaly.detection.peers.siblings import kin, which
from pynomaly.detection.streaming.rarity import NEVER
from pynomaly.model.labels import Labels

BAR = 0.5
"""Decades below once a week at which an anomaly begins."""


def pods(count: int, **labels: str) -> list[Labels]:
    return [Labels({"__name__": "rps", "pod": f"shop-{n:03d}", **labels}) for n in range(count)]


def load(ticks: int, width: int, seed: int = 0) -> NDArray[np.float64]:
    """Pods that share a load which comes and goes, by weights of their own, with noise."""
    rng = np.random.default_rng(seed)
    shared = 100 + 40 * np.sin(np.arange(ticks) / 40) + np.cumsum(rng.normal(size=ticks))
    weights = rng.uniform(0.7, 1.3, width)
    return shared[:, np.newaxis] * weights * (1 + 0.02 * rng.normal(size=(ticks, width)))


def judged(
    values: NDArray[np.float64], labels: list[Labels], judge: PeerJudge | None = None
) -> list[Compared]:
    judge = judge or PeerJudge(min_points=100)
    width = len(labels)
    judge.resize(np.arange(0), width)
    found = []
    for row in values:
        rows = np.flatnonzero(~np.isnan(row))
        found.append(judge.update(rows, labels, row[rows], np.full(len(rows), 30.0)))
    return found


def rarest(found: list[Compared]) -> NDArray[np.float64]:
    return np.array([each.rarity for each in found]).max(axis=0)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"pod": "shop-1"}, {"pod": "shop-2"}, True),
        ({"instance": "a:80", "job": "x"}, {"instance": "b:80", "job": "x"}, True),
        ({"instance": "a:80", "job": "x"}, {"instance": "b:80", "job": "y"}, False),
        ({"pod": "shop-1", "name": "k8s_shop-1"}, {"pod": "shop-2", "name": "k8s_shop-2"}, True),
        ({"pod": "shop-1", "code": "200"}, {"pod": "shop-2", "code": "500"}, False),
    ],
)
def test_siblings_differ_in_which_they_are_and_no_more(
    one: dict[str, str], other: dict[str, str], alike: bool
) -> None:
    first, second = (kin(Labels({"__name__": "m", **each})) for each in (one, other))
    assert first is not None
    assert (first == second) is alike


def test_a_series_without_such_a_label_has_no_siblings() -> None:
    assert kin(Labels({"__name__": "m", "job": "a"})) is None
    assert which(Labels({"__name__": "m", "job": "a"})) == ""
    assert which(Labels({"__name__": "m", "pod": "a", "instance": "b"})) == "pod=a"
    assert kin(Labels({"__name__": "m", "shard": "a"}), ("shard",)) == Labels({"__name__": "m"})


def test_one_that_leaves_its_siblings_is_found_and_the_others_are_not() -> None:
    values = load(700, 8)
    values[650:, 3] *= 0.5
    found = judged(values, pods(8))
    before, after = rarest(found[:650]), rarest(found[650:])
    assert before.max() < BAR
    assert after[3] > BAR + 1
    assert np.delete(after, 3).max() < BAR
    now = found[-40]
    assert now.siblings.tolist() == [7] * 8
    assert now.upper[3] > now.expected[3] > now.lower[3]
    assert now.expected[3] > values[-40, 3]
    assert now.median[3] == pytest.approx(np.median(values[-40]))


def test_what_all_do_is_no_news_among_them() -> None:
    values = load(700, 8)
    values[650:] *= 3
    assert rarest(judged(values, pods(8))[650:]).max() < BAR


def test_one_that_always_differs_is_as_expected() -> None:
    values = load(900, 8)
    values[:, 2] = 7 * values[:, 2] + 1000
    values[:, 5] = 3.0  # a standby, which does nothing
    assert rarest(judged(values, pods(8))).max() < BAR


def test_those_that_join_leave_and_restart_make_no_news() -> None:
    values = load(1200, 10)
    values[:400, 0] = np.nan
    values[800:, 1:3] = np.nan
    values[900:902, 4] = np.nan
    assert rarest_there(judged(values, pods(10))) < BAR


def rarest_there(found: list[Compared]) -> float:
    return max(float(each.rarity.max()) for each in found)


def test_too_few_are_not_compared() -> None:
    values = load(400, 4)
    values[350:, 0] = 0
    found = judged(values, pods(4))
    assert rarest(found).max() == NEVER
    assert found[-1].siblings.tolist() == [0] * 4


def test_groups_do_not_influence_each_other() -> None:
    one, other = load(400, 6, seed=1), load(400, 7, seed=2)
    one[380:, 0] = 0
    labels = pods(6, job="a"), pods(7, job="b")
    alone = judged(one, labels[0])
    both = judged(np.hstack((one, other)), [*labels[0], *labels[1]])
    for each, together in zip(alone, both, strict=True):
        assert np.array_equal(each.rarity, together.rarity[:6])


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(8)))
def test_the_order_of_the_members_does_not_matter(order: list[int]) -> None:
    values, labels = load(260, 8), pods(8)
    values[240:, 3] = 0
    found = judged(values, labels)
    shuffled = judged(values[:, order], [labels[i] for i in order])
    for each, other in zip(found[200:], shuffled[200:], strict=True):
        assert np.allclose(each.rarity[order], other.rarity, atol=1e-4)


def test_what_was_learnt_outlives_the_process_and_a_series_that_is_gone() -> None:
    values, labels = load(400, 8), pods(8)
    values[300:, 3] = 0
    one, other = PeerJudge(min_points=100), PeerJudge(min_points=100)
    judged(values[:300, :], labels, one)
    other.restore(one.arrays(), 8)
    kept = np.array([0, 1, 3, 4, 5, 6])
    other.resize(kept, 6)
    rows, interval = np.arange(6), np.full(6, 30.0)
    fewer = [labels[i] for i in kept]
    found = [other.update(rows, fewer, row[kept], interval) for row in values[300:310]]
    assert rarest(found)[2] > BAR
    assert np.delete(rarest(found), 2).max() < BAR


def test_a_state_of_another_version_is_learnt_anew() -> None:
    judge = PeerJudge()
    judge.restore({}, 8)
    found = judge.update(np.arange(8), pods(8), np.ones(8), np.full(8, 30.0))
    assert found.rarity.tolist() == [NEVER] * 8


def test_state_is_small() -> None:
    assert PeerJudge().bytes_per_series < 200


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.floats(-100, 100), st.booleans()), min_size=1, max_size=40
    )
)
def test_medians_of_segments_are_those_of_each_group(
    rows: list[tuple[int, float, bool]],
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    groups = np.array([group for group, _, _ in rows])
    values = np.array([value for _, value, _ in rows])
    there = np.array([known for _, _, known in rows])
    medians, counts = Segments(groups).medians(values, there)
    for place, group in enumerate(np.unique(groups)):
        mine = values[(groups == group) & there]
        assert counts[place] == len(mine)
        if len(mine):
            assert medians[place] == pytest.approx(np.median(mine))
        else:
            assert np.isnan(medians[place])
