"""Which windows hold an alert: as many as there are, found without asking each of them."""

import random

import pytest

from pynomaly.alerting.maintenance import MaintenanceWindows, holds, told_before, verdict_of
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matchers
from pynomaly.model.labels import Labels
from tests.alerting.alerting_story import BEGIN, Plan


def window(number: int, *matchers: str, start: float = -10.0, end: float = 100.0) -> Event:
    return Event(
        EventKind.MAINTENANCE,
        f"window {number}",
        BEGIN + start,
        BEGIN + end,
        matchers=parse_matchers(matchers),
        id=str(number),
    )


def plan_of(*events: Event) -> Plan:
    plan = Plan()
    for event in events:
        plan.add(event)
    return plan


@pytest.mark.parametrize("seed", range(3))
def test_those_are_found_that_asking_each_finds(seed: int) -> None:
    chance = random.Random(seed)
    texts = [
        "job=a", "job=~a|b", "job!=a", "service=a", "service=~b|c", "service!=c", "team=x",
        'team=~"x.*"', "team=", "alertname=Watchdog", "alertname!=Other",
    ]  # fmt: skip
    events = [
        window(n, *chance.sample(texts, chance.randint(0, 2)), start=chance.uniform(-50, 50))
        for n in range(40)
    ]
    windows = MaintenanceWindows(plan_of(*events))
    for _ in range(200):
        pairs = {"alertname": chance.choice(["Watchdog", "Other", "Down"])}
        for name, values in (("job", "abc"), ("service", "abc"), ("team", ["x", "xy"])):
            if chance.random() < 0.5:
                pairs[name] = chance.choice(values)
        at, labels = BEGIN + chance.uniform(-60, 60), Labels(pairs)
        every = [Occurrence(event, event.starts_at, event.ends_at) for event in events]
        expected = [w for w in every if w.active(at) and holds(w, labels, {"Watchdog"})]
        found = windows.windows(labels, at)
        assert {w.event.id for w in found} == {w.event.id for w in expected}
        assert [w.starts_at for w in found] == sorted(w.starts_at for w in found)


def test_a_change_of_the_calendar_is_heeded_at_once() -> None:
    plan = plan_of()
    windows = MaintenanceWindows(plan)
    labels = Labels({"alertname": "Down", "job": "a"})
    assert windows.windows(labels, BEGIN) == []
    plan.add(window(1, "job=a"))
    assert [w.event.id for w in windows.windows(labels, BEGIN)] == ["1"]
    plan.add(window(1, "job=b"))
    assert windows.windows(labels, BEGIN) == []


def test_what_begins_and_ends_between_two_looks_is_heeded() -> None:
    windows = MaintenanceWindows(plan_of(window(1, start=10, end=20)))
    labels = Labels({"alertname": "Down"})
    held = [bool(windows.windows(labels, BEGIN + at)) for at in (0, 9.9, 10, 19.9, 20, 70, 15)]
    assert held == [False, False, True, True, False, False, True]


def test_several_windows_are_named_in_one_verdict() -> None:
    events = [window(1), window(2, end=200)]
    held = verdict_of([Occurrence(e, e.starts_at, e.ends_at) for e in events])
    assert held is not None
    assert held.by == ("1", "2")
    assert held.reason == (
        'held by the maintenance window "window 1" until 2023-11-14T22:15:00Z and '
        'the maintenance window "window 2" until 2023-11-14T22:16:40Z'
    )
    assert verdict_of([]) is None


def test_an_alert_of_the_first_of_two_overlapping_windows_was_not_told_of() -> None:
    events = [window(1, start=0, end=50), window(2, start=30, end=90)]
    both = [Occurrence(e, e.starts_at, e.ends_at) for e in events]
    assert told_before(BEGIN - 1, both)
    assert not told_before(BEGIN + 10, both)
