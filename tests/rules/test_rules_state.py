"""The life of an alert, told as stories: what was found at which second."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pynomaly.model.alert import AlertState
from pynomaly.model.labels import Labels
from pynomaly.rules.state import OUTAGE_GRACE, AlertSet, Finding, Seed, Timing

A = Labels({"alertname": "X", "instance": "a"})
FOUND = Finding(1.0, Labels())


@dataclass
class Story:
    """One alert of one rule, evaluated at the seconds that are told."""

    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        self.alerts = AlertSet(self.timing)

    def at(self, second: float, found: bool) -> str:
        self.alerts.evaluate({A: FOUND} if found else {}, second)
        alert = self.alerts.alerts.get(A)
        return alert.state.value if alert else "forgotten"

    def tell(self, *events: tuple[float, bool]) -> Sequence[str]:
        return [self.at(second, found) for second, found in events]


def test_without_for_it_fires_at_once_and_resolves_at_once() -> None:
    story = Story()
    assert story.tell((10, True), (20, False)) == ["firing", "inactive"]
    alert = story.alerts.alerts[A]
    assert (alert.active_at, alert.fired_at, alert.resolved_at) == (10, 10, 20)


def test_it_is_pending_until_it_was_found_for_long_enough() -> None:
    story = Story(Timing(hold=20))
    assert story.tell((10, True), (20, True), (30, True)) == ["pending", "pending", "firing"]
    assert story.alerts.alerts[A].fired_at == 30


def test_a_gap_while_pending_starts_the_waiting_anew() -> None:
    story = Story(Timing(hold=20))
    assert story.tell((10, True), (20, False), (30, True), (40, True), (50, True)) == [
        "pending",
        "forgotten",
        "pending",
        "pending",
        "firing",
    ]
    assert story.alerts.alerts[A].active_at == 30


def test_a_resolved_alert_is_kept_for_fifteen_minutes() -> None:
    story = Story()
    assert story.tell((0, True), (10, False), (910, False), (911, False)) == [
        "firing",
        "inactive",
        "inactive",
        "forgotten",
    ]


def test_a_resolved_alert_that_comes_back_begins_a_new_life() -> None:
    story = Story(Timing(hold=10))
    story.tell((0, True), (10, True), (20, False))
    assert story.tell((30, True), (40, True)) == ["pending", "firing"]
    alert = story.alerts.alerts[A]
    assert (alert.active_at, alert.fired_at, alert.resolved_at) == (30, 40, 0)


def test_keep_firing_for_bridges_a_gap() -> None:
    story = Story(Timing(keep_firing_for=30))
    assert story.tell((0, True), (10, False), (30, False)) == ["firing"] * 3
    assert story.alerts.alerts[A].keep_firing_since == 10
    assert story.at(35, True) == "firing"
    assert story.alerts.alerts[A].keep_firing_since == 0


def test_keep_firing_for_ends_when_it_has_passed() -> None:
    story = Story(Timing(keep_firing_for=30))
    story.tell((0, True), (10, False))
    assert story.tell((39, False), (40, False)) == ["firing", "inactive"]
    assert story.alerts.alerts[A].resolved_at == 40


def test_keep_firing_for_is_not_for_pending_alerts() -> None:
    story = Story(Timing(hold=20, keep_firing_for=60))
    assert story.tell((0, True), (10, False)) == ["pending", "forgotten"]


def test_a_longer_for_after_a_reload_takes_the_alert_back_to_pending() -> None:
    story = Story()
    story.at(0, True)
    longer = AlertSet(Timing(hold=60))
    longer.adopt(story.alerts)
    story.alerts = longer
    assert story.tell((10, True), (60, True)) == ["pending", "firing"]


def test_changes_are_told_once() -> None:
    alerts = AlertSet(Timing(hold=10))
    seconds = [
        (0, True),
        (5, True),
        (10, True),
        (15, True),
        (20, False),
        (25, False),
        (2000, False),
    ]
    told = [
        [a.state.value for a in alerts.evaluate({A: FOUND} if f else {}, s)] for s, f in seconds
    ]
    assert told == [["pending"], [], ["firing"], [], ["inactive"], [], []]


def test_a_pending_alert_that_goes_away_is_told() -> None:
    alerts = AlertSet(Timing(hold=10))
    alerts.evaluate({A: FOUND}, 0)
    assert [a.state for a in alerts.evaluate({}, 5)] == [AlertState.INACTIVE]


@pytest.mark.parametrize(
    ("hold", "active_at", "last_seen", "now", "state", "fires_at"),
    [
        # It fired before the restart, and goes on.
        (60, 0, 100, 400, "firing", 60),
        (0, 0, 100, 400, "firing", 0),
        # 40 of 60 s had passed; the 300 s of the outage do not count: 20 s are left.
        (60, 0, 40, 340, "pending", 360),
        # A long `for` with less left than the grace waits for the grace.
        (1200, 0, 1000, 1100, "pending", 1100 + OUTAGE_GRACE),
        # A long `for` with more left than the grace waits for what is left.
        (1200, 0, 300, 400, "pending", 1300),
    ],
)
def test_a_restart_keeps_pending_and_firing(
    hold: float, active_at: float, last_seen: float, now: float, state: str, fires_at: float
) -> None:
    story = Story(Timing(hold=hold))
    story.alerts.restore({A: (FOUND, Seed(active_at, last_seen))}, now, grace=60)
    assert story.at(now, True) == state
    assert story.alerts.alerts[A].active_at + hold == fires_at
    assert story.at(fires_at, True) == "firing"


def test_what_fired_before_a_restart_is_spared_until_its_series_can_be_back() -> None:
    story = Story()
    story.alerts.restore({A: (FOUND, Seed(0, 100))}, now=400, grace=60)
    assert story.tell((400, False), (459, False), (460, False)) == ["firing", "firing", "inactive"]


def test_a_spared_alert_that_is_found_again_resolves_as_usual() -> None:
    story = Story()
    story.alerts.restore({A: (FOUND, Seed(0, 100))}, now=400, grace=60)
    assert story.tell((400, False), (410, True), (420, False)) == ["firing", "firing", "inactive"]


def test_what_was_pending_before_a_restart_is_spared_but_does_not_fire_unseen() -> None:
    story = Story(Timing(hold=100))
    story.alerts.restore({A: (FOUND, Seed(0, 90))}, now=400, grace=60)
    assert story.tell((400, False), (450, False)) == ["pending", "pending"]
    assert story.tell((455, True), (465, False)) == ["firing", "inactive"]
