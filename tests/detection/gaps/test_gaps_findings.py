"""What does not come, and should, is told: once for each trouble, in words, until it is over."""

import numpy as np
import pytest

from pynomaly.detection.gaps.findings import (
    ACCEPTED,
    LOST_SAMPLES,
    NO_TRAFFIC,
    SERIES_STOPPED,
    SOURCE_STOPPED,
    TARGET_DOWN,
)
from pynomaly.detection.gaps.kin import source_of
from pynomaly.detection.streaming.scorer import StreamScorer
from pynomaly.model.labels import Labels
from tests.detection.gaps.fleet import STEP, Fleet, ended, series

UP = series("up", job="shop", instance="a")
SIBLINGS = [series(f"m{n}", job="shop", instance="a") for n in range(12)]
QUEUE = series("queue_length", job="shop", instance="a")
PUSHED = [series(f"p{n}", service="mill", host="h1") for n in range(3)]
OTHERS = [series("elsewhere", job="other", instance="b"), series("up", job="other", instance="b")]


def values(*labels: Labels) -> dict[Labels, float]:
    return dict.fromkeys(labels, 1.0)


def known(*labels: Labels) -> Fleet:
    fleet = Fleet()
    fleet.run(values(*labels), hours=4)
    assert fleet.found == {}
    return fleet


def test_a_series_that_stops_while_its_siblings_go_on_is_told_until_it_comes_back() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    assert fleet.run(values(UP, *SIBLINGS), hours=3.5 / 60) == []
    (told,) = fleet.run(values(UP, *SIBLINGS), hours=2 / 60)
    assert (told.labels, told.cause, told.ended_at) == (QUEUE, SERIES_STOPPED, 0)
    assert told.note == ("No sample for 4 min, where one came every 30 s; its 12 siblings go on.")
    assert told.started_at == fleet.now - 330 - 10  # its last sample
    assert fleet.run(values(UP, *SIBLINGS), hours=1) == []
    (over,) = fleet.run(values(UP, QUEUE, *SIBLINGS), hours=1)
    assert (over.id, over.ended_at > over.started_at) == (told.id, True)
    assert fleet.open == []


def test_a_staleness_marker_says_so_sooner() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    fleet.step({**values(UP, *SIBLINGS), **ended(QUEUE)})
    (told,) = fleet.run(values(UP, *SIBLINGS), hours=3 / 60)
    assert told.labels == QUEUE


def test_series_that_stop_together_are_one_finding() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    (told,) = fleet.run(values(UP, *SIBLINGS[4:]), hours=1)
    assert ", with 4 others of its target; its 8 siblings go on" in told.note
    fleet.run(values(UP, *SIBLINGS), hours=1)
    assert len(fleet.open) == 1  # one is missing still
    fleet.run(values(UP, QUEUE, *SIBLINGS), hours=1)
    assert fleet.open == []


def test_a_target_that_is_down_is_one_finding_and_none_where_its_up_is_an_anomaly() -> None:
    fleet, other = known(UP, QUEUE, *SIBLINGS), known(UP, QUEUE, *SIBLINGS)
    (told,) = fleet.run({UP: 0.0}, hours=1)
    assert (told.labels, told.cause) == (UP, TARGET_DOWN)
    assert "its 13 series stopped" in told.note
    other.values[UP] = told
    assert other.run({UP: 0.0}, hours=1) == []


def test_a_target_that_left_is_no_finding() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS, *OTHERS)
    fleet.step({**values(*OTHERS), **ended(UP, QUEUE, *SIBLINGS)})
    assert fleet.run(values(*OTHERS), hours=2) == []


def test_a_pod_that_was_replaced_is_no_finding() -> None:
    old, new = (
        [series(f"pod_{n}", job="ksm", instance="k", pod=pod) for n in range(3)] for pod in "ab"
    )
    fleet = known(*old, *OTHERS, series("node", job="ksm", instance="k"))
    still = [series("node", job="ksm", instance="k"), *OTHERS]
    assert fleet.run(values(*still, *new), hours=2) == []


def test_one_who_pushed_and_fell_silent_is_told_once_for_all_of_its_series() -> None:
    fleet = known(*PUSHED, *OTHERS)
    (told,) = fleet.run(values(*OTHERS), hours=1)
    assert (told.labels, told.cause) == (PUSHED[0], SOURCE_STOPPED)
    assert "with 2 others of service=mill, host=h1: nothing of it goes on" in told.note


def test_when_nothing_at_all_comes_that_is_one_finding() -> None:
    more = [series("q", service="mill", host=f"g{n}") for n in range(5)]
    fleet = known(*PUSHED, *more)
    (told,) = fleet.run({}, hours=1)
    assert "nothing at all comes any more" in told.note


def test_what_came_while_the_judge_was_away_is_no_gap() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    for _ in range(600):
        fleet.step({}, live=False)  # nothing was stored in these five hours
    assert fleet.run(values(UP, QUEUE, *SIBLINGS), hours=1) == []
    fleet.run(values(UP, *SIBLINGS), hours=10 / 60)
    assert [each.labels for each in fleet.open] == [QUEUE]  # the gap was not learnt as usual


def test_a_series_that_pauses_by_nature_is_told_only_for_a_longer_pause() -> None:
    fleet = Fleet()
    for _ in range(12):
        fleet.run(values(UP, QUEUE, *SIBLINGS), hours=1)
        fleet.run(values(UP, *SIBLINGS), hours=0.25)
    before = len(fleet.found)
    assert before <= 1
    assert fleet.run(values(UP, *SIBLINGS), hours=0.2) == []  # 27 min by now
    assert len(fleet.run(values(UP, *SIBLINGS), hours=0.2)) == 1


def test_a_kind_that_comes_and_goes_is_left_alone() -> None:
    fleet = known(UP, *SIBLINGS)
    told = []
    for n in range(8):
        user = series("session", job="shop", instance="a", user=str(n))
        told += fleet.run(values(UP, user, *SIBLINGS), hours=4)
        told += fleet.run(values(UP, *SIBLINGS), hours=1)
    assert len([each for each in told if not each.ended_at]) == 1  # the first


def test_young_series_are_not_missed() -> None:
    fleet = known(UP, *SIBLINGS)
    fleet.run(values(UP, QUEUE, *SIBLINGS), hours=2)
    assert fleet.run(values(UP, *SIBLINGS), hours=3) == []


def test_a_false_alarm_makes_it_wait_four_times_as_long() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    fleet.false_alarms[QUEUE] = 1.0
    assert fleet.run(values(UP, *SIBLINGS), hours=15 / 60) == []
    assert len(fleet.run(values(UP, *SIBLINGS), hours=3 / 60)) == 1


def test_what_stays_away_for_a_day_is_how_things_are_now() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    fleet.run(values(UP, *SIBLINGS), hours=ACCEPTED / 3600 + 1)
    assert fleet.open == []


def test_lost_samples_are_told_until_they_come_again() -> None:
    fleet = known(UP, QUEUE, *SIBLINGS)
    rng = np.random.default_rng(3)
    changed = []
    for _ in range(240):
        here = [QUEUE] if rng.random() < 0.5 else []
        changed += fleet.step(values(UP, *here, *SIBLINGS))
    (told,) = changed
    assert (told.labels, told.cause) == (QUEUE, LOST_SAMPLES)
    assert "of its samples of late are missing, 0% at most before" in told.note
    assert "its 13 siblings have all" in told.note
    fleet.run(values(UP, QUEUE, *SIBLINGS), hours=4)
    assert fleet.open == []


class Shop(Fleet):
    """A counter of requests that follows the hours of the day."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0
        self.requests = series("requests_total", job="shop", instance="a")
        self.rng = np.random.default_rng(5)

    def serve(self, hours: float, load: float = 1.0) -> None:
        for _ in range(round(hours * 3600 / STEP)):
            hour = self.now // 3600 % 24
            night = 1 <= hour < 5
            self.total += self.rng.poisson(0.0 if night else 20 * load)
            self.step({self.requests: self.total, UP: 1.0, SIBLINGS[0]: 1.0})


def test_traffic_that_goes_to_zero_at_an_hour_at_which_it_never_did_is_told() -> None:
    shop = Shop()
    shop.serve(2 * 24 + 12)  # two nights without requests among them
    assert shop.found == {}
    shop.serve(0.5, load=0)
    (told,) = shop.open
    assert (told.labels, told.cause, told.value) == (shop.requests, NO_TRAFFIC, 0)
    assert told.note.startswith("Traffic went to zero: nothing was counted for 5 min, where ")
    shop.serve(0.1)
    assert shop.open == []


def test_an_anomaly_of_its_values_goes_on_as_the_finding() -> None:
    shop, before = Shop(), None
    shop.serve(36)
    before = known_drop(shop)
    shop.values[shop.requests] = before
    shop.serve(0.5, load=0)
    (told,) = shop.open
    assert (told.id, told.cause, shop.values) == (before.id, NO_TRAFFIC, {})


def known_drop(shop: Shop):  # type: ignore[no-untyped-def]
    other = Shop()
    other.serve(36)
    other.serve(0.5, load=0)
    (told,) = other.open
    return told.__class__(**{**{n: getattr(told, n) for n in told.__slots__}, "id": "values"})


def test_a_counter_that_often_rests_is_left_alone() -> None:
    fleet, rng, total = Fleet(), np.random.default_rng(7), 0.0
    counter = series("jobs_total", job="shop", instance="a")
    for _ in range(5 * 86_400 // STEP):
        total += rng.poisson(0.05)
        fleet.step({counter: total, UP: 1.0})
    assert fleet.found == {}


def test_all_that_is_kept_of_a_series_is_under_4_kb() -> None:
    fleet = Fleet()
    size = fleet.gaps.bytes_per_series + StreamScorer(1).bytes_per_series
    assert size + fleet.points.last.bytes_per_series + 12 < 4096


@pytest.mark.parametrize(
    ("labels", "source"),
    [
        ({"job": "a", "instance": "b", "host": "c"}, "job=a, instance=b"),
        ({"service": "a", "host": "b"}, "service=a, host=b"),
        ({}, ""),
    ],
)
def test_where_series_come_from(labels: dict[str, str], source: str) -> None:
    assert str(source_of(Labels(labels))) == source
