"""Episodes: one event for each trouble."""

import numpy as np
import pytest

from pynomaly.detection.streaming.episodes import EpisodeMachine, confidence

ROW = np.array([0])


def run(rarities: list[float], budget: float = 0.1, interval: float = 300.0) -> list[str]:
    """What is said at each point: o(pened), e(scalated), c(losed) or a dot."""
    machine = EpisodeMachine(1, budget)
    said = []
    for rarity in rarities:
        changes = machine.step(ROW, np.array([rarity]), np.array([interval]))
        words = (changes.opened, changes.escalated, changes.closed)
        said.append(next((w for w, yes in zip("oec", words, strict=True) if yes[0]), "."))
    return said


def test_what_is_rare_enough_opens_an_episode_once() -> None:
    assert run([0, 3, 3, 3, 0]) == [".", "o", ".", ".", "."]


def test_a_hundred_times_rarer_than_the_peak_escalates() -> None:
    assert run([3, 4, 5.1, 6, 7.2]) == ["o", ".", "e", ".", "e"]


def test_it_closes_after_a_quiet_day_and_opens_anew() -> None:
    hourly = run([3] + [0] * 24 + [3], interval=3600)
    assert hourly == ["o", *["."] * 23, "c", "o"]


def test_a_new_normal_is_accepted_at_last() -> None:
    said = run([3] * 400, interval=3600)
    assert said.count("o") <= 3
    assert "c" in said


def test_a_greater_budget_opens_for_less() -> None:
    assert run([0.0], budget=0.1) == ["."]
    assert run([0.0], budget=1.0) == ["o"]


def test_what_is_not_known_yet_opens_nothing() -> None:
    assert run([-9.0] * 3) == ["."] * 3


def test_a_handicap_asks_for_so_many_decades_more_of_its_series_only() -> None:
    machine = EpisodeMachine(2)
    rows, interval = np.arange(2), np.full(2, 300.0)

    def opened(rarity: float) -> list[bool]:
        changes = machine.step(rows, np.full(2, rarity), interval, np.array([0.0, 2.0]))
        return changes.opened.tolist()

    assert opened(2.0) == [True, False]
    assert opened(3.0) == [False, True]


def test_a_handicap_does_not_end_what_is_open() -> None:
    machine = EpisodeMachine(1)
    interval = np.array([3600.0])
    machine.step(ROW, np.array([3.0]), interval)
    lasting = [
        machine.step(ROW, np.array([3.0]), interval, np.array([3.0])).closed[0] for _ in range(48)
    ]
    assert not any(lasting)


def test_a_budget_must_be_positive() -> None:
    with pytest.raises(ValueError, match="not positive"):
        EpisodeMachine(1, 0.0)


def test_confidence_rises_with_rarity_from_nought_to_one() -> None:
    found = confidence(np.array([-9.0, 0.0, 1.0, 2.0, 99.0]))
    assert (np.diff(found) > 0).all()
    assert found[0] == 0
    assert found[-1] == pytest.approx(1)
