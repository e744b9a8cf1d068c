"""What is told of a service keeps to its budget; what was said counts for similar anomalies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pynomaly.detection.budget import (
    GAIN,
    MOST,
    ONE_PAGE,
    WEEK,
    ServiceBudget,
    Telling,
    pressures,
)
from pynomaly.detection.events import Anomaly, Feedback
from pynomaly.detection.gaps.findings import SERIES_STOPPED
from pynomaly.detection.lasting import CAUSES, Judged
from pynomaly.detection.lessons import Lessons, alike, likeness
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.streaming.episodes import Changes
from pynomaly.detection.streaming.scorer import Scored
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from tests.detection.found_anomaly import anomaly

NOW = 1_700_000_000.0
BAR = 0.5
PER_SERIES = 0.1


def judged(rows: Sequence[int], rarity: Sequence[float]) -> Judged:
    count = len(rows)
    zeros, no = np.zeros(count), np.zeros(count, dtype=np.bool_)
    scored = Scored(
        zeros, zeros, zeros, zeros, np.array(rarity, dtype=float), np.zeros(count, np.int64), zeros
    )
    return Judged(np.array(rows), zeros, scored, Changes(no, no, no, zeros))


class Desk:
    """A service of so many series; what of them is told."""

    def __init__(self, series: int, budget: float = 1.0, service: str = "shop") -> None:
        name = {"job": service} if service else {}
        self.labels = [Labels({"__name__": "cpu", "n": str(n), **name}) for n in range(series)]
        self.rows = {each: row for row, each in enumerate(self.labels)}
        self.budget = ServiceBudget(budget, PER_SERIES)
        self.budget.look(self.labels)

    def begin(self, row: int, rarity: float, at: float, **changes: object) -> Anomaly:
        found = anomaly(at, **{n: v for n, v in self.labels[row].items() if n != "__name__"})
        return self.decide([replace(found, **changes)], [row], [rarity], at)[0]

    def decide(
        self, changed: list[Anomaly], rows: Sequence[int], rarity: Sequence[float], at: float
    ) -> list[Anomaly]:
        bar = np.full(len(rows), BAR)
        return self.budget.decide(changed, judged(rows, rarity), self.rows.get, bar, at)


def test_the_series_of_a_service_share_its_budget_from_the_start() -> None:
    few, many = Desk(10), Desk(1000)
    assert few.begin(3, BAR + 0.1, NOW).told
    assert not many.begin(3, BAR + 1.9, NOW).told  # a thousand series have a hundred times as much
    assert many.begin(4, BAR + 2.1, NOW).told


def test_what_belongs_to_no_service_has_the_budget_of_its_series() -> None:
    desk = Desk(1000, service="")
    assert all(desk.begin(row, BAR + 0.1, NOW).told for row in range(50))


def test_a_telling_raises_the_bar_and_time_lowers_it() -> None:
    desk = Desk(10)
    assert desk.begin(0, BAR + 0.1, NOW).told
    later = NOW + 2 * ONE_PAGE
    assert not desk.begin(1, BAR + 0.4, later).told
    assert desk.begin(2, BAR + 0.6, later).told
    assert desk.begin(3, BAR + 0.1, later + 2.1 * WEEK).told


def test_what_is_told_within_ten_minutes_is_one_page() -> None:
    desk = Desk(10)
    assert all(desk.begin(row, BAR + 0.1, NOW + row).told is (row == 0) for row in range(2))
    assert desk.budget.pressure("shop", NOW + 2) == pytest.approx(GAIN, abs=1e-4)
    assert desk.begin(5, BAR + 0.7, NOW + 5).told
    assert desk.budget.pressure("shop", NOW + 6) == pytest.approx(GAIN, abs=1e-4)


def test_what_lasts_untold_is_told_when_it_is_rare_enough_and_stays_so() -> None:
    desk = Desk(1000)
    one = desk.begin(7, BAR + 1.0, NOW)
    assert not one.told
    assert desk.decide([], [7], [BAR + 1.5], NOW + 30) == []
    (told,) = desk.decide([], [7], [BAR + 2.5], NOW + 60)
    assert (told.id, told.told) == (one.id, True)
    (over,) = desk.decide([one.closed(NOW + 90)], [], [], NOW + 90)
    assert over.told


def test_one_that_ends_untold_is_kept_as_untold() -> None:
    desk = Desk(1000)
    one = desk.begin(7, BAR + 1.0, NOW)
    (over,) = desk.decide([one.closed(NOW + 90)], [7], [5.0], NOW + 90)
    assert not over.told


def test_findings_of_what_does_not_come_are_told_until_the_bar_is_high() -> None:
    desk = Desk(1000)
    told = [
        desk.begin(row, -9.0, NOW + row * 2 * ONE_PAGE, cause=SERIES_STOPPED).told
        for row in range(5)
    ]
    assert told == [True, True, True, False, False]


def test_an_anomaly_that_was_real_does_not_raise_the_bar() -> None:
    day = 86_400.0
    tellings = [Telling("a", NOW, "real"), Telling("a", NOW + day), Telling("b", NOW, "false")]
    found = pressures(tellings, 1.0)
    assert found["a"].now(NOW + day, 1.0) == pytest.approx(GAIN)
    assert found["b"].now(NOW, 1.0) == pytest.approx(GAIN)
    crowd = [Telling("a", NOW + n * ONE_PAGE) for n in range(99)]
    assert pressures(crowd, 1.0)["a"].now(NOW + 99 * ONE_PAGE, 1.0) == pytest.approx(MOST, abs=0.1)


@pytest.mark.parametrize("worse", [1.0, 5.0])
@pytest.mark.parametrize("series", [20, 1000])
def test_a_service_in_order_is_told_of_about_once_a_week_even_if_its_scores_are_wrong(
    series: int, worse: float
) -> None:
    """Episodes by chance: each decade ten times rarer, but ``worse`` times as many as promised."""
    rng, weeks = np.random.default_rng(series), 26
    desk, told = Desk(series), 0
    times = np.sort(rng.uniform(0, weeks * WEEK, rng.poisson(series * PER_SERIES * worse * weeks)))
    for n, at in enumerate(times.tolist()):
        found = desk.begin(n % series, BAR + rng.exponential(1 / np.log(10)), NOW + at)
        told += found.told
        desk.decide([found.closed(NOW + at + 1)], [], [], NOW + at + 1)
    assert told / weeks <= 1.25


def test_tellings_are_read_from_the_records(records: Records) -> None:
    repository = AnomalyRepository(records)
    told, untold = anomaly(NOW, job="a"), replace(anomaly(NOW + 1, job="b"), told=False)
    repository.save([told, untold, anomaly(NOW - 100, job="old")])
    repository.judge(told.id, Feedback.FALSE.value)
    assert repository.tellings(NOW - 50) == [Telling("a", NOW, "false")]
    found = {each.service: each.told for each in repository.open()}
    assert found == {"a": True, "b": False, "old": True}


# What was said


def said(feedback: str, cause: str = "level", **labels: str) -> Anomaly:
    return replace(anomaly(NOW, feedback, **labels), cause=cause)


def test_what_was_said_of_similar_ones_counts_by_their_likeness() -> None:
    one = said("", a="1", b="1", c="1", d="1")
    near, far = said("false", a="1", b="1", c="1", d="2"), said("false", a="9", b="9", c="9")
    other = said("false", cause="novelty", a="1", b="1", c="1", d="2")
    found = alike(one, [near, far, other])
    assert (found.judged, found.false, found.decades) == (1, 1, pytest.approx(0.6))
    assert found.words == (
        "1 of 1 like it was marked false: one like it must be 3.98 times rarer to be told."
    )
    assert alike(one, []).words == ""


def test_a_real_one_takes_back() -> None:
    one, near = said("", a="1", b="1"), said("false", a="1", b="1", c="1")
    real = replace(near, id="other", feedback="real")
    assert alike(one, [near, real]).words == "1 of 2 like it were marked false."


def test_likeness_is_the_share_of_common_labels() -> None:
    one = Labels({"__name__": "m", "a": "1", "b": "2"})
    assert likeness(one, one) == 1
    assert likeness(one, one.with_(b="3")) == pytest.approx(1 / 3)
    assert likeness(one, one.with_(__name__="n")) == 0


@pytest.mark.parametrize("seed", range(20))
def test_what_all_rows_learn_is_what_each_series_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("level", "novelty", "residual")

    def labels() -> dict[str, str]:
        return {n: str(rng.integers(3)) for n in "abc"}

    taught = [
        replace(
            said(str(rng.choice(["false", "real"])), str(rng.choice(names)), **labels()),
            id=str(n),
            direction=str(rng.choice(["above", "below"])),
        )
        for n in range(12)
    ]
    rows_labels = [Labels({"__name__": "cpu", **labels()}) for _ in range(30)]
    lessons = Lessons(CAUSES)
    lessons.take(taught)
    lessons.look(rows_labels[:11])
    lessons.look(rows_labels)
    rows = np.flatnonzero(rng.random(30) < 0.8)
    causes = np.array([CAUSES.index(str(rng.choice(names))) for _ in rows])
    direction = rng.choice([-1.0, 0.0, 1.0], len(rows))
    own = rng.choice([0.0, 1.0, np.inf], len(rows))
    found = lessons.decades(rows, causes, direction, own)
    for i, row in enumerate(rows.tolist()):
        side = "below" if direction[i] < 0 else "above"
        asked = replace(
            said("", CAUSES[causes[i]]), labels=rows_labels[row], direction=side, id="x"
        )
        mine = [
            each
            for each in taught
            if each.labels != rows_labels[row]
            and (each.cause, each.direction) == (asked.cause, side)
        ]
        total = sum(
            (1 if each.feedback == "false" else -1) * weight
            for each in mine
            if (weight := likeness(rows_labels[row], each.labels)) >= 0.5
        )
        wanted = own[i] if np.isinf(own[i]) else min(max(own[i] + total, 0.0), 3.0)
        assert found[i] == pytest.approx(wanted, abs=1e-5)
