"""Events of the calendar and the judge: what is not learnt, not told, and like a Sunday."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pynomaly.calendar.config import CalendarSettings
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matchers
from pynomaly.calendar.service import Calendar
from pynomaly.detection.backtest.work import JUDGE, Work, run
from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.events import Anomaly
from pynomaly.detection.excluded import Exclusions, excluded_of_all
from pynomaly.detection.gaps.findings import GAPS
from pynomaly.detection.service import Judge
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.contract import Matrix
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.samples.memory import MemorySamples

START = 1_700_000_010.0
DAY, HOUR = 86_400.0, 3600.0


class Written:
    """A calendar of what is written into it."""

    def __init__(self, *events: Event) -> None:
        self.settings = CalendarSettings()
        self.events = list(events)

    def between(self, since: float, until: float) -> list[Occurrence]:
        return [found for event in self.events for found in event.occurrences(since, until)]


class Log:
    """The log of anomalies, in memory."""

    def __init__(self) -> None:
        self.told: dict[str, Anomaly] = {}

    def save(self, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        self.told.update({each.id: each for each in anomalies})
        return anomalies

    def open(self) -> list[Anomaly]:
        return [each for each in self.told.values() if not each.ended_at]


class World:
    """A sample of each series every ``step`` seconds; ``values`` of the time in seconds."""

    def __init__(
        self,
        calendar: Written | Calendar,
        step: float = 30.0,
        start: float = START,
        **settings: object,
    ) -> None:
        self.samples = MemorySamples()
        self.querier = LocalQuerier(self.samples, ThreadPoolExecutor(1))
        self.log = Log()
        given = {"min_points": 48, "floor": 0, "interval": f"{step:.0f}s", **settings}
        self.judge = Judge(
            self.querier,
            self.samples,
            DetectionSettings.model_validate(given),
            anomalies=self.log,
            calendar=calendar,
        )
        self.step, self.now = step, start
        self.rng = np.random.default_rng(11)
        self.series: dict[Labels, Callable[[float], float]] = {}

    def has(self, name: str, values: Callable[[float], float], **labels: str) -> None:
        self.series[Labels({"__name__": name, **labels})] = values

    async def run(self, until: float) -> list[Anomaly]:
        """Go on, judged at each step; what began meanwhile, but for what does not come."""
        before = set(self.log.told)
        while self.now + self.step <= until:
            self.now += self.step
            await self.samples.append(SampleBatch.of(self._samples()))
            await self.judge(self.now)
        new = [each for key, each in self.log.told.items() if key not in before]
        return [each for each in new if each.cause not in GAPS]

    async def store(self, until: float) -> None:
        """Go on unjudged: the judge will find it as history."""
        rows = []
        while self.now + self.step <= until:
            self.now += self.step
            rows += self._samples()
        await self.samples.append(SampleBatch.of(rows))

    def _samples(self) -> list[tuple[Labels, int, float]]:
        at = round(self.now * 1000)
        return [
            (labels, at, values(self.now) + float(self.rng.normal()))
            for labels, values in self.series.items()
        ]

    async def most(self, since: float) -> float:
        """The highest score since."""
        query = f"max(max_over_time(anomaly_score[{self.now - since:.0f}s]))"
        found = await self.querier.instant(query, round(self.now * 1000))
        assert isinstance(found.value, Matrix)
        return float(found.value.values[0, 0])

    async def score(self, name: str) -> float:
        found = await self.querier.instant(f'anomaly_score{{of="{name}"}}', round(self.now * 1000))
        assert isinstance(found.value, Matrix)
        return float(found.value.values[0, 0])


ROLLOUT = Event(
    EventKind.DEPLOYMENT,
    "checkout 1.42",
    START + 7200,
    START + 7200 + 1800,
    matchers=parse_matchers(["service=checkout"]),
)


def shifting(calendar: Written, at: float = START + 7260) -> World:
    """Two services whose level is another from a time on."""
    world = World(calendar)
    for service in ("checkout", "search"):
        world.has("latency", lambda now: 140.0 if now >= at else 75.0, service=service)
    return world


async def test_without_effect_a_deployment_is_drawn_only() -> None:
    world = shifting(Written(ROLLOUT))
    assert {each.service for each in await world.run(START + 7200 + 1800)} == {"checkout", "search"}


async def test_a_shift_by_a_deployment_that_is_learnt_but_not_told_is_the_new_normal() -> None:
    world = shifting(Written(replace(ROLLOUT, alarm=False)))
    told = await world.run(START + 7200 + 1500)
    assert {each.service for each in told} == {"search"}
    assert await world.run(START + 7200 + 7200) == []  # the event is over; the level stays


async def test_what_is_not_told_still_has_its_score() -> None:
    world = shifting(Written(replace(ROLLOUT, alarm=False, matchers=())))
    assert await world.run(START + 7260 + 60) == []
    assert await world.score("latency") > 0.6


async def test_a_shift_that_is_neither_learnt_nor_told_is_told_when_its_event_is_over() -> None:
    event = replace(ROLLOUT, alarm=False, learn=False, matchers=())
    world = shifting(Written(event))
    assert await world.run(event.ends_at) == []
    assert {each.service for each in await world.run(event.ends_at + 300)} == {"checkout", "search"}


async def test_after_maintenance_that_is_not_learnt_the_usual_is_as_before() -> None:
    """What was usual before is not news after it; of what was learnt, the way back is."""

    def world(*, learn: bool) -> World:
        event = replace(ROLLOUT, ends_at=ROLLOUT.starts_at + HOUR, alarm=False, learn=learn)
        built = World(Written(event))
        odd = (event.starts_at, event.ends_at)
        built.has("load", lambda now: 75.0 + 65.0 * (odd[0] < now <= odd[1]), service="checkout")
        return built

    most = {}
    for learn in (False, True):
        built = world(learn=learn)
        end = ROLLOUT.starts_at + HOUR
        assert await built.run(end + HOUR / 2) == []
        most[learn] = await built.most(end)
    assert most[False] < 0.5
    assert most[True] > 0.6


async def test_what_is_not_learnt_can_be_told() -> None:
    event = replace(ROLLOUT, learn=False)
    world = shifting(Written(event))
    assert {each.service for each in await world.run(event.ends_at)} == {"checkout", "search"}


async def test_history_is_learnt_without_what_events_exclude() -> None:
    """A judge that starts later leaves out what it would have left out at the time."""
    event = replace(ROLLOUT, alarm=False, learn=False, matchers=())
    world = World(Written(event))
    odd = (event.starts_at, event.ends_at)
    world.has("load", lambda now: 75.0 + 65.0 * (odd[0] < now <= odd[1]))
    await world.store(odd[1] + 300)
    assert await world.run(odd[1] + 1500) == []
    world.series[Labels({"__name__": "load"})] = lambda now: 140.0
    assert len(await world.run(odd[1] + 1800)) == 1  # as odd as it was in the event


async def test_a_series_that_stops_in_maintenance_is_not_missed_before_it_is_over() -> None:
    down = START + 6 * HOUR
    event = Event(
        EventKind.MAINTENANCE,
        "upkeep",
        down,
        down + 2 * HOUR,
        learn=False,
        alarm=False,
        matchers=parse_matchers(["instance=a"]),
    )
    world = World(Written(event))
    for instance in "ab":
        world.has("load", lambda now: 75.0, instance=instance, job="node")
    await world.run(down + 60)
    del world.series[Labels({"__name__": "load", "instance": "a", "job": "node"})]
    await world.run(event.ends_at)
    assert [each for each in world.log.told.values() if each.cause in GAPS] == []
    await world.run(event.ends_at + 1800)
    (gap,) = [each for each in world.log.told.values() if each.cause in GAPS]
    assert gap.labels["instance"] == "a"


# Holidays, and days on which the clocks change

BERLIN = ZoneInfo("Europe/Berlin")


def office(zone: ZoneInfo, *closed: str) -> Callable[[float], float]:
    """The load of an office: by day, but not on weekends, nor on the days that it is closed."""

    def values(now: float) -> float:
        moment = datetime.fromtimestamp(now, zone)
        works = moment.weekday() < 5 and f"{moment:%Y-%m-%d}" not in closed
        return 20.0 + 60.0 * (works and 9 <= moment.hour < 17)

    return values


def midnight(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def hourly(calendar: Written | Calendar, begin: float, **settings: object) -> World:
    settings = {"history": "60d", "timezone": "Europe/Berlin", **settings}
    return World(calendar, HOUR, begin, **settings)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.open(RecordsSettings.model_validate({"url": None}), tmp_path)


async def corpus_christi(calendar: Calendar) -> tuple[int, float]:
    """A Thursday on which Bavaria does not work: what is told, and the highest score."""
    day = midnight("2026-06-04")
    world = hourly(calendar, day - 56 * DAY)
    world.has("load", office(BERLIN, "2026-05-01", "2026-05-14", "2026-05-25", "2026-06-04"))
    await world.store(day - DAY)
    await world.run(day)
    return len(await world.run(day + DAY)), await world.most(day)


async def test_a_holiday_is_like_a_sunday(records: Records) -> None:
    settings = CalendarSettings.model_validate(
        {"time_zone": "Europe/Berlin", "country": "DE", "subdivision": "BY"}
    )
    told, most = await corpus_christi(Calendar(records, FakeClock(), settings))
    assert (told, most < 0.5) == (0, True)
    elsewhere = settings.model_copy(update={"subdivision": "BE"})
    told, most = await corpus_christi(Calendar(records, FakeClock(), elsewhere))
    assert (told, most > 0.6) == (1, True)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
async def test_a_day_on_which_the_clocks_change_is_a_day_like_others(day: str) -> None:
    """Work begins at nine by the clocks; by UTC it begins an hour off from that day on."""
    most = {}
    for zone in ("Europe/Berlin", "UTC"):
        world = hourly(Written(), midnight(day) - 56 * DAY, timezone=zone)
        world.has("load", office(BERLIN))
        await world.store(midnight(day) - DAY)
        await world.run(midnight(day) + 3 * DAY)
        most[zone] = await world.most(midnight(day))
    assert most["Europe/Berlin"] < 0.5
    assert most["UTC"] > 0.5


# Which series are concerned


def rows(*services: str) -> list[Labels]:
    return [Labels({"__name__": "x", "job": each}) for each in services]


def test_nothing_is_excluded_while_nothing_is_active() -> None:
    exclusions = Exclusions(Written(ROLLOUT, replace(ROLLOUT, alarm=False)))
    begin, end = round(ROLLOUT.starts_at * 1000), round(ROLLOUT.ends_at * 1000)
    labels = rows("checkout")
    assert exclusions.between(begin - 30_000, begin, labels) is None
    assert exclusions.between(end, end + 30_000, labels) is None
    assert exclusions.between(begin - 1, begin + 1, labels) is not None
    assert Exclusions(Written(ROLLOUT)).between(begin, end, labels) is None
    assert Exclusions(None).between(begin, end, labels) is None


def test_events_exclude_the_series_that_they_concern_also_when_rows_come_and_go() -> None:
    quiet = replace(ROLLOUT, alarm=False)
    blind = replace(ROLLOUT, learn=False, matchers=parse_matchers(['service=~"sea.*|cart"']))
    exclusions = Exclusions(Written(quiet, blind))
    at = round(ROLLOUT.starts_at * 1000) + 30_000

    def masks(labels: list[Labels]) -> list[tuple[bool, bool]]:
        found = exclusions.between(at - 30_000, at, labels)
        assert found is not None
        return [(bool(a), bool(b)) for a, b in zip(found.learn, found.alarm, strict=True)]

    labels = rows("checkout", "search")
    assert masks(labels) == [(True, False), (False, True)]
    labels += rows("cart", "other")
    assert masks(labels) == [(True, False), (False, True), (False, True), (True, True)]
    exclusions.resize(np.array([1, 3]))
    assert masks([labels[1], labels[3]]) == [(False, True), (True, True)]


@pytest.mark.parametrize(
    ("like", "seconds_before"), [("sunday", 4 * DAY), ("thursday", 0), ("friday", 6 * DAY)]
)
def test_the_season_of_a_holiday_is_that_of_the_last_such_day(
    like: str, seconds_before: float
) -> None:
    thursday = int(midnight("2026-06-04", ZoneInfo("UTC"))) + 3600
    calendar = Written(replace(ROLLOUT, kind=EventKind.HOLIDAY, matchers=()))
    calendar.settings = CalendarSettings.model_validate({"holiday_like": like})
    at = round(ROLLOUT.starts_at * 1000) + 1000
    found = Exclusions(calendar).between(at - 1000, at, rows("a"))
    assert found is not None
    assert found.season(np.array([thursday])).tolist() == [thursday - seconds_before]


# What was, looked at later

STEP = 300
LEAP = 4 * 288 - 60


class Grid:
    """Four days of a series that leaps late in the last, with an event then."""

    def __init__(self, **effect: bool) -> None:
        self.at = START + STEP * np.arange(4 * 288)
        self.values = 50 + np.random.default_rng(2).normal(0, 1, 4 * 288)
        self.values[LEAP : LEAP + 5] += 60
        begin = float(self.at[LEAP]) - 60
        window = replace(ROLLOUT, starts_at=begin, ends_at=begin + 6 * STEP, **effect)  # type: ignore[arg-type]
        self.labels = Labels({"__name__": "busy", "service": "checkout"})
        self.calendar = Written(window)

    def told(self) -> list[float]:
        """How much each algorithm tells at the greatest budget."""
        seconds = np.floor(self.at).astype(np.int64)
        excluded = excluded_of_all(self.calendar, [self.labels], seconds)
        work = Work(
            (JUDGE, "statistical"),
            [dict(self.labels)],
            self.values[np.newaxis],
            seconds,
            seconds,
            LEAP - 30,
            excluded,
        )
        found = run(work, lambda share: None)
        assert found["notes"] == []
        return [each["events"][4] for each in found["algorithms"]]


@pytest.mark.parametrize("learn", [True, False])
def test_a_backtest_tells_nothing_of_what_events_do_not_tell(learn: bool) -> None:
    assert Grid(alarm=False, learn=learn).told() == [0, 0]
    assert min(Grid(alarm=True, learn=learn).told()) >= 1


def test_what_is_not_learnt_is_left_out_of_what_is_trained_on() -> None:
    grid = Grid(learn=False)
    seconds = np.floor(grid.at).astype(np.int64)
    (its,) = excluded_of_all(grid.calendar, [grid.labels], seconds)
    assert its is not None
    assert np.flatnonzero(~its.learn).tolist() == list(range(LEAP, LEAP + 6))
    assert excluded_of_all(grid.calendar, [Labels({"service": "search"})], seconds) == [None]
    assert excluded_of_all(None, [grid.labels], seconds) == [None]
