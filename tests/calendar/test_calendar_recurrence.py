"""When something comes again, held against a count of every day."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.calendar.errors import BadEvent
from pynomaly.calendar.recurrence import (
    Recurrence,
    first_span,
    recurrence,
    spans,
    spans_of_day,
)

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
HOUR = 3600.0


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def shown(moment: float, zone: str) -> str:
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).strftime("%m-%d %H:%M %z")


Matches = Callable[[date, date], bool]
"""Of the first day and a day: whether it comes on that day."""


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, Matches]:
    interval = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["daily", "weekly", "monthday", "nth"]))
    if kind == "daily":
        return f"FREQ=DAILY;INTERVAL={interval}", lambda one, day: (day - one).days % interval == 0
    if kind == "weekly":
        chosen = draw(st.sets(st.sampled_from(DAYS), min_size=1))

        def weekly(one: date, day: date) -> bool:
            monday, its = (d - timedelta(days=d.weekday()) for d in (one, day))
            return DAYS[day.weekday()] in chosen and (its - monday).days // 7 % interval == 0

        return f"FREQ=WEEKLY;INTERVAL={interval};BYDAY={','.join(sorted(chosen))}", weekly

    def in_month(one: date, day: date) -> bool:
        return ((day.year - one.year) * 12 + day.month - one.month) % interval == 0

    if kind == "monthday":
        number = draw(st.sampled_from([1, 15, 28, 31, -1]))

        def month_day(one: date, day: date) -> bool:
            last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
            return in_month(one, day) and day.day == (last.day if number == -1 else number)

        return f"FREQ=MONTHLY;INTERVAL={interval};BYMONTHDAY={number}", month_day
    nth, weekday = draw(st.integers(1, 4)), draw(st.integers(0, 6))

    def nth_weekday(one: date, day: date) -> bool:
        return in_month(one, day) and day.weekday() == weekday and (day.day - 1) // 7 == nth - 1

    return f"FREQ=MONTHLY;INTERVAL={interval};BYDAY={nth}{DAYS[weekday]}", nth_weekday


@settings(max_examples=150, deadline=None)
@given(
    rule=rules(),
    zone=st.sampled_from(ZONES),
    begin=st.datetimes(datetime(2024, 1, 1), datetime(2025, 12, 31)),
    minutes=st.integers(5, 5 * 60),
    days_later=st.integers(0, 700),
)
def test_it_comes_on_every_day_that_a_count_of_all_days_finds(
    rule: tuple[str, Matches], zone: str, begin: datetime, minutes: int, days_later: int
) -> None:
    text, comes_on = rule
    begin = begin.replace(second=0, microsecond=0)
    there = ZoneInfo(zone)
    start = begin.replace(tzinfo=there).timestamp()
    wall = datetime.fromtimestamp(start, there).replace(tzinfo=None)
    since = start + days_later * 86_400
    until = since + 90 * 86_400
    expected = []
    for n in range((datetime.fromtimestamp(until, there).date() - wall.date()).days + 1):
        day = wall.date() + timedelta(days=n)
        if comes_on(wall.date(), day):
            expected.append(datetime.combine(day, wall.time(), there).timestamp())
    end = (wall + timedelta(minutes=minutes)).replace(tzinfo=there).timestamp()
    found = list(spans(recurrence(text, zone), (start, max(end, start + 60)), since, until))
    # What began a little before may still last.
    longest = minutes * 60 + 2 * HOUR
    begun = [each for each in expected if since - longest <= each <= until]
    starts = [one for one, _ in found]
    assert [each for each in begun if each >= since] == [s for s in starts if s >= since]
    assert set(starts) <= set(begun)
    assert starts == sorted(starts)
    assert all(b > a and b >= since for a, b in found)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (  # clocks skip 2:00 to 3:00 on 29 March 2026
            "2026-03-27",
            ["03-28 02:30 +0100", "03-29 03:30 +0200", "03-30 02:30 +0200"],
        ),
        (  # and show it twice on 25 October: the first is meant
            "2026-10-23",
            ["10-24 02:30 +0200", "10-25 02:30 +0200", "10-26 02:30 +0100"],
        ),
    ],
)
def test_a_window_keeps_its_time_of_day_when_the_clocks_change(
    since: str, expected: list[str]
) -> None:
    zone = "Europe/Berlin"
    start = at(f"{since}T02:30", zone)
    daily = recurrence("daily", zone)
    found = list(spans(daily, (start, start + HOUR), start + 60, start + 3.2 * 86_400))
    assert [shown(begin, zone) for begin, _ in found[1:]] == expected


def test_a_window_ends_by_the_clocks_too() -> None:
    zone = "Europe/Berlin"
    begin, end = at("2026-03-22T01:00", zone), at("2026-03-22T04:00", zone)
    found = list(spans(recurrence("weekly", zone), (begin, end), begin, begin + 8 * 86_400))
    assert [shown(until, zone) for _, until in found] == ["03-22 04:00 +0100", "03-29 04:00 +0200"]
    assert [until - since for since, until in found] == [3 * HOUR, 2 * HOUR]


def test_a_window_within_the_hour_that_is_skipped_keeps_its_length() -> None:
    zone = "Europe/Berlin"
    begin = at("2026-03-28T02:10", zone)
    found = list(spans(recurrence("daily", zone), (begin, begin + 1200), begin, begin + 86_400))
    assert shown(found[1][0], zone) == "03-29 03:10 +0200"
    assert found[1][1] - found[1][0] == 1200


def test_a_rule_that_runs_for_years_is_found_without_counting_from_its_begin() -> None:
    start = at("1990-01-01T01:00")
    far = at("2025-06-01")
    found = list(spans(recurrence("daily", "UTC"), (start, start + HOUR), far, far + 86_399))
    assert found == [(far + HOUR, far + 2 * HOUR)]


def test_an_until_with_only_a_date_includes_that_day() -> None:
    start = at("2026-01-01T23:00", "Asia/Tokyo")
    rule = recurrence("FREQ=DAILY;UNTIL=20260103", "Asia/Tokyo")
    assert len(list(spans(rule, (start, start + 60), 0, start + 1e7))) == 3


def test_an_until_of_utc_is_taken_as_such() -> None:
    start = at("2026-01-01T08:00", "Asia/Tokyo")  # 23:00 of the day before in UTC
    rule = recurrence("FREQ=DAILY;UNTIL=20260101T230000Z", "Asia/Tokyo")
    assert len(list(spans(rule, (start, start + 60), 0, start + 1e7))) == 2


def test_what_is_over_is_cut_off() -> None:
    start = at("2026-01-01T08:00")
    rule = Recurrence("FREQ=DAILY", "UTC", until=start + 86_400 + 600)
    found = list(spans(rule, (start, start + HOUR), 0, start + 1e7))
    assert found == [(start, start + HOUR), (start + 86_400, start + 87_000)]


def test_the_first_time_is_when_the_rule_first_comes_true() -> None:
    monday = at("2026-11-16T03:00")
    rule = recurrence("FREQ=WEEKLY;BYDAY=SU", "UTC")
    begin, end = first_span(rule, (monday, monday + HOUR))
    assert begin == at("2026-11-22T03:00")
    assert end - begin == HOUR


def test_a_day_knows_what_lasts_into_it() -> None:
    start = at("2026-11-16T23:30")
    day = int(start // 86_400) + 3
    found = spans_of_day(recurrence("daily", "UTC"), (start, start + HOUR), day)
    assert [b for b, _ in found] == [start + 2 * 86_400, start + 3 * 86_400]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("sometimes", "SOMETIMES"),
        ("FREQ=SECONDLY", "this value of FREQ"),
        ("FREQ=DAILY;BYHOUR=3", "no part of a rule"),
        ("INTERVAL=2", "how often"),
        ("FREQ=DAILY;INTERVAL=0", "this value of INTERVAL"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20260101", "COUNT and UNTIL"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "no BYMONTHDAY"),
        ("FREQ=WEEKLY;BYDAY=2SU", "BYDAY counts"),
        ("FREQ=MONTHLY;BYMONTH=13", "value of BYMONTH"),
        ("FREQ=MONTHLY;BYMONTHDAY=77", "value of BYMONTHDAY"),
        ("FREQ=DAILY;UNTIL=20261341", "rule of RFC 5545"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_what_is_wrong(rule: str, fault: str) -> None:
    with pytest.raises(BadEvent, match=fault):
        recurrence(rule, "UTC")


def test_a_rule_that_never_comes_true_is_refused() -> None:
    rule = recurrence("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "UTC")
    with pytest.raises(BadEvent, match="never"):
        first_span(rule, (0.0, 60.0))


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(BadEvent, match="Europe/Berlin"):
        recurrence("daily", "Mars/Olympus")


def test_words_stand_for_rules() -> None:
    assert recurrence("Weekdays", "UTC").rule == "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    assert recurrence("rrule:freq=monthly;byday=-1fr", "UTC").rule == "FREQ=MONTHLY;BYDAY=-1FR"


def test_what_is_asked_for_before_the_begin_is_nothing() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    daily = recurrence("daily", "UTC")
    assert list(spans(daily, (start, start + 60), start - 1e6, start - 1e5)) == []
