"""Time intervals: which moments lie within."""

from datetime import datetime

import pytest
import yaml
from pydantic import ValidationError

from pynomaly.alerting.alertmanager.intervals import Intervals, NamedIntervals, TimeInterval
from pynomaly.model.document import TextLoader


def interval(text: str) -> TimeInterval:
    return TimeInterval.model_validate(yaml.load(text, TextLoader) or {})


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", ["2026-01-01T00:00+00:00"], []),
        # The end of a time range is not part of it.
        (
            "times: [{start_time: 09:00, end_time: 17:30}]",
            ["2026-01-01T09:00:00+00:00", "2026-01-01T17:29:59+00:00"],
            ["2026-01-01T08:59:59+00:00", "2026-01-01T17:30:00+00:00"],
        ),
        (
            "times: [{start_time: 00:00, end_time: 06:00}, {start_time: 22:00, end_time: 24:00}]",
            ["2026-01-01T23:59:59+00:00", "2026-01-02T00:00:00+00:00"],
            ["2026-01-01T06:00:00+00:00", "2026-01-01T21:59:59+00:00"],
        ),
        (
            "weekdays: ['Monday:friday']",
            ["2026-01-05T12:00+00:00", "2026-01-09T12:00+00:00"],
            ["2026-01-03T12:00+00:00", "2026-01-04T12:00+00:00"],
        ),
        ("weekdays: [sunday, saturday]", ["2026-01-03T12:00+00:00"], ["2026-01-05T12:00+00:00"]),
        # Days count from the end of a month where they are negative, and are cut to the month.
        (
            "days_of_month: ['-1']",
            ["2026-02-28T00:00+00:00", "2028-02-29T00:00+00:00"],
            ["2028-02-28T00:00+00:00", "2026-03-01T00:00+00:00"],
        ),
        (
            "days_of_month: ['29:31']",
            ["2026-01-31T00:00+00:00", "2026-04-30T00:00+00:00"],
            ["2026-02-28T00:00+00:00", "2026-01-28T00:00+00:00"],
        ),
        (
            "days_of_month: ['5:-20']",
            ["2026-01-05T00:00+00:00", "2026-01-12T00:00+00:00", "2026-02-09T00:00+00:00"],
            ["2026-01-13T00:00+00:00", "2026-02-10T00:00+00:00"],
        ),
        ("months: [january, '3:4']", ["2026-04-30T00:00+00:00"], ["2026-02-01T00:00+00:00"]),
        ("years: ['2026:2027']", ["2027-12-31T23:59+00:00"], ["2028-01-01T00:00+00:00"]),
        # A list that is given and empty holds nothing; one that is not given, everything.
        ("weekdays: []", [], ["2026-01-05T12:00+00:00"]),
        # Every part must hold.
        (
            "{weekdays: [monday], months: [january]}",
            ["2026-01-05T12:00+00:00"],
            ["2026-02-02T12:00+00:00", "2026-01-06T12:00+00:00"],
        ),
    ],
)
def test_a_moment_is_within_when_every_part_holds(text, inside, outside):
    found = interval(text)
    assert [moment for moment in inside if not found.contains(at(moment))] == []
    assert [moment for moment in outside if found.contains(at(moment))] == []


def test_a_location_is_where_the_clock_hangs_also_when_it_is_put_forward():
    office = interval("{times: [{start_time: 09:00, end_time: 10:00}], location: Europe/Berlin}")
    assert office.contains(at("2026-01-15T08:30+00:00"))
    assert office.contains(at("2026-07-15T07:30+00:00"))
    assert not office.contains(at("2026-07-15T08:30+00:00"))


def test_the_day_is_that_of_the_location():
    monday = interval("{weekdays: [monday], location: Pacific/Auckland}")
    assert monday.contains(at("2026-01-04T20:00+00:00"))
    assert not monday.contains(at("2026-01-05T20:00+00:00"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("weekdays: ['friday:monday']", "write two ranges"),
        ("weekdays: ['1:3']", "'1' is not a day such as monday"),
        ("weekdays: [frieday]", "'frieday' is not a day"),
        ("weekdays: ['monday:tuesday:friday']", "a range has one colon"),
        ("days_of_month: ['0']", "0 is not a day of the month"),
        ("days_of_month: ['1:32']", "32 is not a day of the month"),
        ("days_of_month: ['-5:5']", "so must the last"),
        ("days_of_month: ['20:-20']", "always comes before the first"),
        ("months: ['may:april']", "the last month comes before the first"),
        ("months: [octember]", "'octember' is not a month"),
        ("years: ['2027:2026']", "the last year comes before the first"),
        ("times: [{start_time: 17:00, end_time: 09:00}]", "write two ranges for a night"),
        ("times: [{start_time: 9:00, end_time: 17:00}]", "a time such as 09:00"),
        ("times: [{start_time: 09:00, end_time: 24:01}]", "24:00 at most"),
        ("times: [{start_time: 09:00}]", "Field required"),
        ("location: Europe/Atlantis", "'Europe/Atlantis' is not known here"),
        ("location: ../../etc/passwd", "is not known here"),
    ],
)
def test_what_alertmanager_refuses_is_refused_with_what_to_write_instead(text, fault):
    with pytest.raises(ValidationError, match=fault):
        interval(text)


def test_the_named_intervals_that_hold_a_moment_are_told_each_once():
    def named(name: str, *texts: str) -> NamedIntervals:
        return NamedIntervals(name=name, time_intervals=tuple(map(interval, texts)))

    intervals = Intervals(
        [
            named(
                "weekend", "weekdays: [saturday]", "weekdays: ['sunday']", "weekdays: [saturday]"
            ),
            named("january", "months: [january]"),
            named("never"),
        ]
    )
    saturday = at("2026-01-03T12:00+00:00")
    assert intervals.mutes(("january", "weekend", "never", "weekend"), saturday) == (
        "january",
        "weekend",
    )
    assert intervals.mutes(("weekend",), at("2026-01-05T12:00+00:00")) == ()
    with pytest.raises(KeyError):
        intervals.mutes(("unknown",), saturday)
