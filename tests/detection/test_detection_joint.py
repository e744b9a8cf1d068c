"""What moves together is one event."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.detection.events import TOGETHER, Anomaly, Severity
from pynomaly.detection.joint import Event, Relations, events_of, gather
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.standing import standing_out
from pynomaly.detection.together import Together
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from tests.detection.found_anomaly import anomaly


def groups(*new: Anomaly, earlier: tuple[Anomaly, ...] = ()) -> list[set[float]]:
    """The begins of the new anomalies, group by group."""
    found = gather(new, earlier)
    return sorted(
        ({a.started_at for a in new if found[a.id] == group} for group in set(found.values())),
        key=min,
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"service": "shop", "pod": "a"}, {"service": "shop", "pod": "b"}),
        ({"job": "a", "instance": "h:80"}, {"job": "b", "instance": "h:9100"}),
        ({"job": "a", "node": "h"}, {"job": "b", "instance": "h:9100"}),
        ({"pod": "x", "app": "a"}, {"pod": "x", "job": "b"}),
        ({"pod": "a", "zone": "e"}, {"pod": "b", "zone": "e"}),
    ],
    ids=["service", "host", "node and instance", "pod", "siblings"],
)
def test_related_series_that_begin_within_minutes_are_one(
    one: dict[str, str], other: dict[str, str]
) -> None:
    assert groups(anomaly(1000, **one), anomaly(1300, **other)) == [{1000, 1300}]
    assert groups(anomaly(1000, **one), anomaly(1301, **other)) == [{1000}, {1301}]


def test_series_that_have_nothing_in_common_stay_apart() -> None:
    one, other = anomaly(1000, service="a", zone="z"), anomaly(1001, service="b", zone="z")
    assert groups(one, other) == [{1000}, {1001}]


def test_what_begins_later_joins_the_group_that_is_there_for_half_an_hour() -> None:
    first = replace(anomaly(1000, service="a", n="0"), group_id="first")
    second = replace(anomaly(1250, service="a", n="1"), group_id="first")
    late = anomaly(1500, service="a", n="2")
    assert gather([late], [first, second]) == {late.id: "first"}
    chain = [
        replace(anomaly(1000 + 250 * n, service="a", n=str(n)), group_id="first") for n in range(8)
    ]
    last = anomaly(1000 + 250 * 8, service="a", n="8")
    assert gather([last], chain) == {last.id: last.id}


def test_a_group_is_never_torn_apart_or_merged_by_one_that_knows_both() -> None:
    one = replace(anomaly(1000, service="a"), group_id="one")
    two = replace(anomaly(1010, pod="x"), group_id="two")
    both = anomaly(1020, service="a", pod="x")
    assert gather([both], [two, one]) == {both.id: "one"}


_LABELS = st.fixed_dictionaries(
    {}, optional={n: st.sampled_from("abc") for n in ("service", "pod", "node", "zone")}
)


@given(
    st.lists(st.tuples(st.integers(0, 900), _LABELS), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_anomalies_does_not_matter(
    given_: list[tuple[int, dict[str, str]]], random: object
) -> None:
    rows = {a.id: a for a in (anomaly(float(at), **labels) for at, labels in given_)}
    earlier = [replace(a, id=f"e{a.id}", group_id=f"g{i % 3}") for i, a in enumerate(rows.values())]
    shuffled, before = list(rows.values()), list(earlier)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(before)  # type: ignore[attr-defined]
    assert gather(shuffled, []) == gather(list(rows.values()), [])
    assert gather(shuffled, before[:2]) == gather(list(rows.values()), before[:2][::-1])


def test_an_event_begins_with_its_first_ends_with_its_last_and_is_as_grave_as_its_gravest() -> None:
    first, last = anomaly(100, service="a", n="1"), anomaly(200, service="a", n="2")
    last = replace(last, score=0.9)
    event = Event(first.id, (last, first))
    assert (event.started_at, event.ended_at, event.severity) == (100, 0, Severity.CRITICAL)
    assert Event(first.id, (last.closed(300), first)).ended_at == 0
    assert Event(first.id, (last.closed(300), first.closed(250))).ended_at == 300
    assert event.shared == {"__name__": "cpu", "service": "a"}
    assert event.what == "2 series of cpu with service=a"


def test_what_is_rare_only_together_is_as_grave_as_it_is_together() -> None:
    rows = [
        replace(anomaly(1, service="a", n=str(n)), cause=TOGETHER, score=0.45, together=0.75)
        for n in range(3)
    ]
    (event,) = events_of([replace(each, group_id="g") for each in rows])
    assert (event.score, event.severity) == (0.75, Severity.HIGH)
    assert "none rare enough alone, together they are" in event.explanation


def test_groups_are_kept_and_listed_whole(records: Records) -> None:
    kept = AnomalyRepository(records, Relations())
    one = anomaly(1000, service="a", n="1")
    two = replace(anomaly(1100, service="a", n="2"), score=0.8)
    kept.save([one])
    kept.save([two, anomaly(1100, service="b")])
    kept.save([one.closed(1150)])  # later states do not move it
    together, apart = sorted(kept.events(0, 5000), key=lambda each: -len(each.members))
    assert (together.id, [each.id for each in together.members]) == (one.id, [two.id, one.id])
    assert len(apart.members) == 1
    # One of them lasts in the range, and is of the metric: the others are shown with it.
    (whole,) = kept.events(2000, 3000, service="a")
    assert len(whole.members) == 2
    assert kept.group(one.id) == together
    assert kept.group("nothing") is None
    assert len(kept.events(0, 5000, limit=1)) == 1


def test_label_values_stand_out_that_are_rarer_elsewhere() -> None:
    crowd = [
        Labels({"__name__": "m", "pod": f"p{n % 10}", "job": "a", "n": str(n)}) for n in range(200)
    ]
    moved = [each for each in crowd if each["pod"] == "p3"][:5]
    (found,) = standing_out(moved, crowd)
    assert (found.label, found.value) == ("pod", "p3")
    assert (found.members, found.of_members, found.series, found.of_series) == (5, 5, 20, 200)
    assert found.chance == pytest.approx(6.1e-6, rel=0.05)
    assert standing_out(moved[:1], crowd) == []
    assert standing_out(crowd, crowd) == []


def felt(seed: int, off: float) -> list[int]:
    """The ticks at which a service of 20 series is rare together; from 900 on all are off."""
    rng = np.random.default_rng(seed)
    together, rows = Together(0.1, 100), np.arange(20)
    labels = [Labels({"__name__": f"m{n}", "service": "shop"}) for n in range(20)]
    ticks = []
    for tick in range(960):
        # Rarity of one point of a series in order: the logarithm of a chance a week has 2016 of.
        rarity = -np.log10(rng.uniform(size=20) * 2016) + (off if tick >= 900 else 0.0)
        if together.step(rows, labels, rarity, np.full(20, 300.0)):
            ticks.append(tick)
    return ticks


def test_what_is_little_in_each_is_found_in_all_together_and_told_once() -> None:
    # Below the bar of 0.5 decades on average: no series alone would be told of.
    for seed in range(3):
        assert felt(seed, 0.0) == []
        (found,) = felt(seed, 1.5)
        assert 900 <= found < 910


def test_what_was_learnt_of_services_outlives_the_process() -> None:
    rng = np.random.default_rng(1)
    labels = [Labels({"__name__": f"m{n}", "job": "a" if n < 5 else "b"}) for n in range(10)]
    rows, interval = np.arange(10), np.full(10, 300.0)
    one = Together(0.1, 100)
    for _ in range(260):
        one.step(rows, labels, -np.log10(rng.uniform(size=10) * 2016), interval)
    other = Together(0.1, 100)
    other.restore(one.arrays())
    strange = np.full(10, 0.4)
    found, again = (each.step(rows, labels, strange, interval) for each in (one, other))
    assert [(each.service, each.rarity) for each in found] == [
        (each.service, each.rarity) for each in again
    ]
    assert {each.service for each in found} == {"a", "b"}
    assert other.lasts("a")
