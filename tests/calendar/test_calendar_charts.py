"""Which events concern the series of a chart."""

from collections.abc import Sequence

import pytest

from pynomaly.calendar.charts import MOST, ChartEvents, concerning, series_of
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matchers


def occurrence(title: str, *matchers: str, at: float = 100.0, lasts: float = 0.0) -> Occurrence:
    kind = EventKind.MAINTENANCE if lasts else EventKind.DEPLOYMENT
    event = Event(
        kind, title, at, at + lasts, matchers=parse_matchers(matchers), created_by="anna", id=title
    )
    return Occurrence(event, at, at + lasts)


class Source:
    version = 3

    def __init__(self, *found: Occurrence) -> None:
        self.found = found

    def between(self, since: float, until: float) -> Sequence[Occurrence]:
        return [each for each in self.found if each.starts_at <= until and each.ends_at >= since]


@pytest.mark.parametrize(
    ("expr", "labels", "known"),
    [
        ("up", {"job": "a"}, {"job": "a"}),
        ('up{job="a"}', {}, {"job": "a"}),
        ('sum(rate(hits{job="a", code=~"5.."}[5m])) / sum(rate(hits{job="a"}[5m]))', {},
         {"job": "a"}),
        ('up{job="a"} or up{job="b"}', {}, {}),
        ('sum by (job) (up{job!=""})', {"job": "b"}, {"job": "b"}),
        ("1 + 1", {}, {}),
        ("this is no expression", {"job": "a"}, {"job": "a"}),
    ],
)  # fmt: skip
def test_what_all_selectors_ask_for_is_known_of_a_series(
    expr: str, labels: dict[str, str], known: dict[str, str]
) -> None:
    found = dict(series_of(expr, labels))
    found.pop("__name__", None)
    assert found == known


def test_what_may_concern_one_of_the_series_is_shown() -> None:
    found = [
        occurrence("all"),
        occurrence("shop", "service=shop"),
        occurrence("bank", "service=bank"),
        occurrence("not shop", "service!=shop"),
    ]
    shown = [e.event.title for e in concerning(found, [{"job": "shop"}])]
    assert shown == ["all", "shop"]
    # A sum without labels may hold each of them.
    assert concerning(found, [{}]) == found
    two = [{"job": "shop"}, {"service_name": "bank"}]
    assert concerning(found, two) == found


def test_a_moment_has_no_end_and_times_are_milliseconds() -> None:
    events = ChartEvents(Source(occurrence("shop 7"), occurrence("disks", at=200, lasts=50)))
    moment, window = events.of([{}], 0, 300_000)
    assert (moment["kind"], moment["start"], moment["end"]) == ("deployment", 100_000, None)
    assert (window["start"], window["end"], window["by"]) == (200_000, 250_000, "anna")
    assert events.of([{}], 0, 150_000) == [moment]
    assert events.version == 3


def test_the_newest_are_shown_when_there_are_too_many() -> None:
    events = ChartEvents(Source(*(occurrence(str(n), at=n) for n in range(MOST + 5))))
    titles = [each["title"] for each in events.of([{}], 0, 1_000_000)]
    assert (len(titles), titles[0]) == (MOST, "5")


def test_without_a_calendar_or_series_there_is_nothing() -> None:
    assert ChartEvents().of([{}], 0, 10**6) == []
    assert ChartEvents().version == 0
    assert ChartEvents(Source(occurrence("x"))).of([], 0, 10**6) == []
