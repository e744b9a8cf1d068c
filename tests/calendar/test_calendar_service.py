"""The calendar, on SQLite and PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pynomaly.calendar.config import CalendarSettings
from pynomaly.calendar.errors import BadEvent, EventIsConfigured, EventNotFound, TooManyEvents
from pynomaly.calendar.events import Event, EventKind, with_defaults
from pynomaly.calendar.matchers import parse_matchers
from pynomaly.calendar.recurrence import recurrence
from pynomaly.calendar.service import TOPIC, Calendar
from pynomaly.model.clock import FakeClock
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records

NOW = 1_780_000_000.0
HOUR, DAY = 3600.0, 86_400.0

CHECKOUT = parse_matchers(["service=checkout"])
ROLLOUT = Event(EventKind.DEPLOYMENT, "checkout 1.42", NOW, NOW, matchers=CHECKOUT)
NIGHT = Event(
    EventKind.MAINTENANCE,
    "database upkeep",
    NOW,
    NOW + 2 * HOUR,
    text="nightly",
    link="https://ci.example.com/7",
    matchers=parse_matchers(['env=~"prod|stage"', "team!=web"]),
    learn=False,
    alarm=False,
    recurrence=recurrence("daily", "Europe/Berlin"),
    created_by="ada",
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
async def calendar(records: Records, clock: FakeClock) -> AsyncIterator[Calendar]:
    calendar = Calendar(records, clock)
    await calendar.start()
    yield calendar
    await calendar.close()


async def test_what_is_created_is_there_after_a_restart(
    calendar: Calendar, records: Records, clock: FakeClock
) -> None:
    kept = [await calendar.create(ROLLOUT), await calendar.create(NIGHT)]
    again = Calendar(records, clock)
    await again.start()
    assert [again.get(each.id) for each in kept] == kept
    assert [replace(each, id="", created_at=0, updated_at=0) for each in kept] == [ROLLOUT, NIGHT]


async def test_who_created_it_stays_when_it_is_changed(
    calendar: Calendar, clock: FakeClock
) -> None:
    kept = await calendar.create(NIGHT)
    await clock.advance(60)
    changed = await calendar.update(kept.id, replace(NIGHT, title="other", created_by="eve"))
    assert (changed.title, changed.created_by) == ("other", "ada")
    assert (changed.created_at, changed.updated_at) == (NOW, NOW + 60)
    assert calendar.get(kept.id) == changed


async def test_what_is_deleted_is_gone_for_good(
    calendar: Calendar, records: Records, clock: FakeClock
) -> None:
    kept = await calendar.create(ROLLOUT)
    await calendar.delete(kept.id)
    again = Calendar(records, clock)
    await again.start()
    for each in (calendar, again):
        with pytest.raises(EventNotFound, match=kept.id):
            each.get(kept.id)
    with pytest.raises(EventNotFound):
        await calendar.delete(kept.id)


async def test_a_time_finds_what_lies_partly_in_it(calendar: Calendar) -> None:
    one = await calendar.create(ROLLOUT)
    two = await calendar.create(replace(ROLLOUT, starts_at=NOW + HOUR, ends_at=NOW + 3 * HOUR))

    def found(since: float, until: float) -> list[str]:
        return [each.event.id for each in calendar.between(NOW + since, NOW + until)]

    assert found(-HOUR, -1) == []
    assert found(-HOUR, 0) == [one.id]
    assert found(0, 2 * HOUR) == [one.id, two.id]
    assert found(1, HOUR - 1) == []
    assert found(2 * HOUR, 9 * HOUR) == [two.id]
    assert found(3 * HOUR + 1, 9 * HOUR) == []


async def test_what_comes_again_is_there_each_time(calendar: Calendar) -> None:
    kept = await calendar.create(NIGHT)
    found = calendar.between(NOW, NOW + 3 * DAY - 1)
    assert [(each.event.id, each.starts_at) for each in found] == [
        (kept.id, NOW + n * DAY) for n in range(3)
    ]
    assert [each.starts_at for each in calendar.active(NOW + 2 * DAY + HOUR)] == [NOW + 2 * DAY]
    assert calendar.active(NOW + 2 * DAY + 2 * HOUR) == []


async def test_kinds_and_labels_choose(calendar: Calendar) -> None:
    rollout = await calendar.create(ROLLOUT)
    night = await calendar.create(replace(NIGHT, recurrence=None))

    def found(*kinds: EventKind, **labels: str) -> list[str]:
        chosen = calendar.between(NOW, NOW, kinds=kinds, labels=labels or None)
        return [each.event.id for each in chosen]

    assert found(EventKind.MAINTENANCE) == [night.id]
    assert found(service="checkout") == [rollout.id, night.id]  # whatever its env is
    assert found(service="search") == [night.id]
    assert found(env="test") == [rollout.id]


async def test_an_event_concerns_what_its_matchers_match(calendar: Calendar) -> None:
    night = await calendar.create(replace(NIGHT, recurrence=None))
    at = NOW + 1
    assert [each.event for each in calendar.active(at, {"env": "prod"})] == [night]
    assert calendar.active(at, {"env": "prod", "team": "web"}) == []
    assert calendar.active(at, {"service": "checkout"}) == []


@pytest.mark.parametrize("label", ["service", "service_name", "app", "job"])
def test_a_matcher_of_the_service_knows_it_by_each_label_that_may_name_it(label: str) -> None:
    assert ROLLOUT.concerns({label: "checkout"})
    assert not ROLLOUT.concerns({label: "search"})
    assert not ROLLOUT.concerns({"service": "search", label: "checkout", "x": "y"}) or (
        label == "service"
    )


async def test_a_moment_that_is_ended_becomes_a_time(calendar: Calendar, clock: FakeClock) -> None:
    kept = await calendar.create(ROLLOUT)
    await clock.advance(300)
    ended = await calendar.end(kept.id)
    assert (ended.starts_at, ended.ends_at) == (NOW, NOW + 300)
    assert await calendar.end(kept.id) == ended  # over: stays as it is


async def test_what_comes_again_and_is_ended_is_over_at_once_and_for_good(
    calendar: Calendar, records: Records, clock: FakeClock
) -> None:
    kept = await calendar.create(NIGHT)
    await clock.advance(DAY + HOUR)
    await calendar.end(kept.id)
    again = Calendar(records, clock)
    await again.start()
    for each in (calendar, again):
        found = each.between(NOW, NOW + 9 * DAY)
        assert [(o.starts_at - NOW, o.ends_at - NOW) for o in found] == [
            (0, 2 * HOUR),
            (DAY, DAY + HOUR),
        ]
        assert each.active(clock.now()) == []


async def test_what_has_not_begun_cannot_be_ended(calendar: Calendar) -> None:
    kept = await calendar.create(replace(ROLLOUT, starts_at=NOW + 10, ends_at=NOW + 20))
    with pytest.raises(BadEvent, match="not begun"):
        await calendar.end(kept.id)


async def test_what_comes_again_begins_when_its_rule_first_comes_true(calendar: Calendar) -> None:
    rule = recurrence("FREQ=MONTHLY;BYMONTHDAY=1", "UTC")
    kept = await calendar.create(replace(NIGHT, recurrence=rule))
    assert kept.starts_at > NOW
    assert [each.starts_at for each in calendar.between(NOW, NOW + 32 * DAY)] == [kept.starts_at]


async def test_what_ended_long_ago_is_forgotten(
    records: Records, clock: FakeClock, calendar: Calendar
) -> None:
    days = [await calendar.create(replace(ROLLOUT, title=f"{n}")) for n in range(2)]
    ended = await calendar.create(NIGHT)
    endless = await calendar.create(NIGHT)
    counted = recurrence("FREQ=DAILY;COUNT=3", "UTC")
    await calendar.create(replace(NIGHT, recurrence=counted))
    await clock.advance(DAY)
    await calendar.end(ended.id)
    new = await calendar.create(replace(ROLLOUT, starts_at=NOW + DAY, ends_at=NOW + 3 * DAY))
    short = Calendar(records, clock, CalendarSettings.model_validate({"retention": "7d"}))
    await short.start()
    await clock.advance(9 * DAY)
    await short.collect_garbage()
    left = {each.event.id for each in short.between(NOW, NOW + 20 * DAY)}
    assert left == {endless.id, new.id}
    again = Calendar(records, clock)
    await again.start()
    assert {each.event.id for each in again.between(NOW, NOW + 20 * DAY)} == left
    assert days[0].id not in left


async def test_changes_are_told(records: Records, clock: FakeClock) -> None:
    bus = Bus(clock)
    calendar = Calendar(records, clock, bus=bus)
    await calendar.start()
    heard: list[int] = []
    calendar.on_change(lambda: heard.append(calendar.version))
    with bus.subscribe([TOPIC]) as told:
        kept = await calendar.create(ROLLOUT)
        await calendar.update(kept.id, ROLLOUT)
        await calendar.delete(kept.id)
        changes = [
            (m.data["id"], m.data["change"]) for m in [await told.next() for _ in "123"] if m
        ]
    assert changes == [(kept.id, change) for change in ("created", "updated", "deleted")]
    assert heard == sorted(set(heard))
    assert len(heard) == 3


async def test_there_are_no_more_than_the_settings_allow(
    records: Records, clock: FakeClock
) -> None:
    calendar = Calendar(records, clock, CalendarSettings(max_events=1))
    await calendar.start()
    await calendar.create(ROLLOUT)
    with pytest.raises(TooManyEvents, match="max_events"):
        await calendar.create(ROLLOUT)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "201 characters"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"starts_at": -1.0}, "starts_at"),
        ({"ends_at": 1e12}, "ends_at"),
        ({"ends_at": NOW - 1}, "before the begin"),
        ({"alarm": False}, "no meanwhile"),
        ({"kind": EventKind.HOLIDAY}, "no meanwhile"),
        ({"recurrence": recurrence("daily", "UTC")}, "an end or a duration"),
        ({"recurrence": recurrence("daily", "UTC"), "ends_at": NOW + 32 * DAY}, "31 days"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    calendar: Calendar, change: dict[str, object], fault: str
) -> None:
    with pytest.raises(BadEvent, match=fault):
        await calendar.create(replace(ROLLOUT, **change))  # type: ignore[arg-type]
    assert calendar.between(0, 1e10) == []


GERMAN = CalendarSettings(
    time_zone="Europe/Berlin",
    country="DE",
    subdivision="BY",
    holidays=({"date": "12-24", "name": "closed"}, {"date": "2026-03-29", "name": "clocks"}),  # type: ignore[arg-type]
    working_days=("2026-11-01",),
)


async def test_configured_holidays_are_days_by_the_clocks_of_the_zone(
    records: Records, clock: FakeClock
) -> None:
    calendar = Calendar(records, clock, GERMAN)
    begin = 1_767_222_000.0  # 2026-01-01 00:00 in Berlin
    found = calendar.between(begin, begin + 365 * DAY - 1)
    assert found[0].starts_at == begin
    names = {each.event.title for each in found}
    assert {"New Year's Day", "Epiphany", "closed", "clocks", "Christmas Day"} <= names
    assert "All Saints' Day" not in names
    (short,) = (each for each in found if each.event.title == "clocks")
    assert short.ends_at - short.starts_at == 23 * HOUR
    assert [each.event.title for each in calendar.active(begin + 1)] == ["New Year's Day"]
    assert calendar.active(begin - 1) == []
    assert calendar.get(found[0].event.id) == found[0].event
    with pytest.raises(EventIsConfigured, match="configuration"):
        await calendar.delete(found[0].event.id)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"time_zone": "Mars"}, "Europe/Berlin"),
        ({"country": "XX"}, "no country"),
        ({"country": "DE", "subdivision": "ZZ"}, "BY"),
        ({"subdivision": "BY"}, "without its country"),
        ({"holidays": [{"date": "02-30", "name": "x"}]}, "a date such as"),
        ({"working_days": ["someday"]}, "a date such as"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        CalendarSettings.model_validate(settings)


def test_what_is_not_learnt_from_and_has_no_end_lasts_until_it_settles() -> None:
    draft = replace(ROLLOUT, starts_at=0, ends_at=0)
    assert with_defaults(draft, now=NOW) == ROLLOUT
    assert with_defaults(replace(draft, alarm=False), now=NOW).ends_at == NOW + 1800
    assert with_defaults(draft, now=NOW, duration=60).ends_at == NOW + 60
    assert with_defaults(replace(draft, ends_at=NOW + 9), now=NOW).ends_at == NOW + 9
