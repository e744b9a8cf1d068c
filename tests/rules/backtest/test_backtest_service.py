"""What a backtest reports, and what it refuses."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from backtest_world import SETTINGS, START, groups_of, stored

from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import QueryError, QueryResult
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.config import BacktestSettings
from pynomaly.rules.backtest.errors import (
    BacktestFailed,
    BacktestTimeout,
    BadBacktest,
    NoData,
    TooManyBacktests,
)
from pynomaly.rules.backtest.result import BacktestResult
from pynomaly.rules.backtest.service import Backtests, Request
from pynomaly.rules.backtest.version import SweepValues

HISTORY: dict[str, list[float | str | None]] = {
    "x{i=a}": [0, 0, 5, 5, 5, 9, 5, 0, 0, 0, 6, 0, 0, 5, 5, 5, 5, 5, 5, 5],
    "x{i=b}": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 0, 0],
}
END = START + 199
HIGH = """
    groups:
      - name: g
        interval: 10s
        rules:
          - alert: High
            expr: x > 4
            for: {hold}
            labels: {{severity: {severity}}}
            annotations: {{summary: "{{{{ $labels.i }}}} is at {{{{ $value }}}}"}}
"""


def high(hold: str = "15s", severity: str = "page") -> str:
    return HIGH.format(hold=hold, severity=severity)


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Fixture:
    def __init__(self, querier: Any) -> None:
        self.querier = querier

    async def run(
        self, text: str, *, settings: BacktestSettings | None = None, **wanted: Any
    ) -> BacktestResult:
        backtests = Backtests(self.querier, settings, query=SETTINGS)
        wanted = {"start": START, "end": END, **wanted}
        return await backtests.run(Request(groups_of(text), **wanted))


@pytest.fixture
async def world(executor: ThreadPoolExecutor) -> Fixture:
    return Fixture(LocalQuerier(await stored(HISTORY), executor, SETTINGS))


async def test_an_alert_has_its_times_labels_annotations_and_peak(world: Fixture) -> None:
    result = await world.run(high())
    (report,) = result.rules
    first, second = report.events
    assert first.labels == {"alertname": "High", "i": "a", "severity": "page"}
    assert first.annotations == {"summary": "a is at 5"}
    assert START + 20 <= first.pending_at < START + 30
    assert (first.fired_at - first.pending_at, first.value, first.peak) == (20, 5, 9)
    assert first.ended_at is not None
    assert first.ended_at - first.pending_at == 50
    assert (second.ended_at, second.peak) == (None, 5)
    assert (report.fired, report.pending_only, report.series) == (2, 1, 2)
    assert (report.comparison, report.threshold, report.hold) == (">", 4, 15)
    assert result.notes == []


async def test_a_rule_for_small_values_peaks_low(world: Fixture) -> None:
    result = await world.run("groups: [{name: g, interval: 10s, rules: [{alert: L, expr: x < 6}]}]")
    assert {event.peak for event in result.rules[0].events} == {0.0}


async def test_counts_by_hour_and_week_are_in_the_time_zone(world: Fixture) -> None:
    report = (await world.run(high(), timezone="Asia/Tokyo")).rules[0]
    # 1,700,000,000 is Tuesday, 2023-11-14 22:13 UTC: Wednesday, 07:13 in Tokyo.
    assert report.hours[2][7] == 2
    assert sum(map(sum, report.hours)) == 2
    (week,) = report.weeks
    assert (week.start, week.fired) == (1_699_801_200, 2)
    assert report.per_week == 14, "a range shorter than a day counts as one"


async def test_what_began_before_the_range_is_seen(world: Fixture) -> None:
    report = (await world.run(high(), start=START + 45)).rules[0]
    assert report.events[0].found_at_start
    assert report.events[0].fired_at < START + 60


async def test_sweeps_count_every_combination(world: Fixture) -> None:
    sweep = SweepValues((2, 4, 5.5), (0, 15, 60))
    result = await world.run(high(), sweep=sweep)
    assert result.sweep is not None
    found = {(row.threshold, row.hold): row.fired for row in result.sweep.rows}
    assert found == {
        (2, 0): 4, (2, 15): 3, (2, 60): 1,
        (4, 0): 3, (4, 15): 2, (4, 60): 1,
        (5.5, 0): 2, (5.5, 15): 0, (5.5, 60): 0,
    }  # fmt: skip
    assert [row.as_given for row in result.sweep.rows].count(True) == 1
    for row in result.sweep.rows:
        text = high(f"{row.hold:g}s").replace("x > 4", f"x > {row.threshold:g}")
        (alone,) = (await world.run(text)).rules
        expected = (alone.fired, alone.pending_only, alone.firing_seconds)
        assert (row.fired, row.pending_only, row.firing_seconds) == expected


async def test_a_number_inside_the_expression_is_swept_by_position(world: Fixture) -> None:
    text = high("0s").replace("x > 4", "x > 4 and x < 100")
    result = await world.run(text, sweep=SweepValues((6, 100), (), 2))
    assert result.sweep is not None
    assert result.sweep.threshold == "x < 100"
    assert [row.fired for row in result.sweep.rows] == [3, 3]
    assert [row.as_given for row in result.sweep.rows] == [False, True]
    assert result.sweep.rows[0].firing_seconds < result.sweep.rows[1].firing_seconds


async def test_two_versions_side_by_side(world: Fixture) -> None:
    other = high("15s", "ticket").replace("x > 4", "x > 2")
    result = await world.run(high(), other=groups_of(other))
    assert result.against is not None
    assert (result.against.same, result.against.shifted) == (2, 0)
    (pair,) = result.against.pairs
    assert (pair.kind, pair.labels["i"], pair.labels["severity"]) == ("only_b", "b", "ticket")
    result = await world.run(high(), other=groups_of(high("45s")))
    assert result.against is not None
    assert (result.against.same, result.against.shifted, result.against.only_a) == (0, 1, 1)
    assert [pair.starts for pair in result.against.pairs] == [None, 30.0]
    result = await world.run(high(), other=groups_of(high("1h")))
    assert result.against is not None
    assert (result.against.only_a, result.against.only_b) == (2, 0)


async def test_the_shape_survives_json(world: Fixture) -> None:
    result = await world.run(high(), sweep=SweepValues((2,), ()), other=groups_of(high("45s")))
    assert BacktestResult.model_validate_json(result.model_dump_json()) == result
    assert '"for":15.0' in result.model_dump_json()


async def test_curves_hold_the_values_before_the_comparison(world: Fixture) -> None:
    curves = (await world.run(high())).rules[0].curves
    assert curves is not None
    assert [curve.labels["i"] for curve in curves.series] == ["a", "b"]
    assert max(v for v in curves.series[0].values if v is not None) == 9
    assert (curves.step, curves.left_out) == (10, 0)
    assert (await world.run(high(), curves=False)).rules[0].curves is None


async def test_without_data_the_error_says_where_there_is_some(world: Fixture) -> None:
    later = {"start": START + 86_400, "end": START + 90_000}
    with pytest.raises(
        NoData, match=r"nothing is stored of x from .*until about 2023-11-14 22:[12]\d"
    ):
        await world.run(high(), **later)
    earlier = {"start": START - 86_400, "end": START - 80_000}
    with pytest.raises(NoData, match=r"has samples from about 2023-11-14 22:[01]\d UTC on"):
        await world.run(high(), **earlier)
    with pytest.raises(NoData, match="within 400 days"):
        await world.run(high().replace("x > 4", "unknown > 4"))


async def test_absent_series_are_no_lack_of_data(world: Fixture) -> None:
    text = "groups: [{name: g, interval: 10s, rules: [{alert: A, expr: absent(nothing)}]}]"
    assert (await world.run(text)).rules[0].fired == 1


async def test_data_that_does_not_fill_the_range_is_noted(world: Fixture) -> None:
    result = await world.run(high(), start=START - 3600, end=START + 3600)
    assert [note.partition(" only ")[0] for note in result.notes] == ["High has values"] * 2


TWO = """
    groups:
      - name: g
        interval: 10s
        rules: [{alert: A, expr: x > 1}, {alert: B, expr: x > 2}, {record: r, expr: x}]
"""


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        (TWO, {"alert": "C"}, "no alert named 'C'; there are: A, B"),
        (TWO, {"sweep": SweepValues((1,))}, "a sweep is of one alert, and there are 2: A, B"),
        (TWO, {"end": START}, "ends before it begins"),
        (TWO, {"timezone": "Mars/Base"}, "not a time zone"),
        (TWO, {"start": START - 4e7}, "evaluations of rules; the limit is 5,000,000"),
        ("groups: [{name: g, rules: [{record: r, expr: x}]}]", {}, "no alerting rule"),
        (high(), {"sweep": SweepValues((1, 2), (0, 1), 2)}, "no threshold2"),
        (high(), {"sweep": SweepValues(tuple(range(300)))}, "at most 200"),
    ],
)
async def test_what_does_not_fit_is_refused(
    text: str, wanted: dict[str, Any], message: str, world: Fixture
) -> None:
    with pytest.raises(BadBacktest, match=message):
        await world.run(text, **wanted)


async def test_one_alert_of_many_can_be_chosen(world: Fixture) -> None:
    assert [r.alert for r in (await world.run(TWO, alert="B")).rules] == ["B"]


class Slow:
    """Never answers; counts who waits."""

    def __init__(self) -> None:
        self.waiting = 0

    async def instant(self, *args: Any, **options: Any) -> QueryResult:
        raise AssertionError("a range is asked for")

    async def range(self, *args: Any, **options: Any) -> QueryResult:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1
        raise AssertionError


async def test_a_backtest_that_takes_too_long_ends_with_its_queries() -> None:
    slow, short = Slow(), BacktestSettings.model_validate({"timeout": "50ms"})
    with pytest.raises(BacktestTimeout, match=r"longer than 0\.05 s"):
        await Fixture(slow).run(high(), settings=short)
    assert slow.waiting == 0


async def test_a_cancelled_backtest_ends_its_queries_and_frees_its_place() -> None:
    slow = Slow()
    backtests = Backtests(slow, BacktestSettings(max_concurrent=1))
    request = Request(groups_of(high()), START, END)
    first = asyncio.create_task(backtests.run(request))
    while not slow.waiting:
        await asyncio.sleep(0)
    with pytest.raises(TooManyBacktests, match="1 backtests are under way"):
        await backtests.run(request)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert slow.waiting == 0
    second = asyncio.create_task(backtests.run(request))
    while not slow.waiting:
        await asyncio.sleep(0)
    second.cancel()


class Failing:
    """Fails at every step; answers what looks for data."""

    def __init__(self, inner: LocalQuerier) -> None:
        self._inner = inner

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        raise QueryError("it is broken")

    async def range(self, *args: Any, **options: Any) -> QueryResult:
        raise QueryError("it is broken")


async def test_failed_evaluations_are_counted_and_too_many_end_it(world: Fixture) -> None:
    failing = Fixture(Failing(world.querier))
    with pytest.raises(BacktestFailed, match=r"High fails at more than 2000 .*it is broken"):
        await failing.run(high(), start=END - 80_000)


async def test_a_limit_of_samples_is_met_by_smaller_pieces(executor: ThreadPoolExecutor) -> None:
    small = QuerySettings(lookback=40, max_samples=150)
    store = await stored(HISTORY)
    few = await Fixture(LocalQuerier(store, executor, small)).run(high())
    whole = await Fixture(LocalQuerier(store, executor, SETTINGS)).run(high())
    assert few.rules[0].events == whole.rules[0].events
    assert few.rules[0].failures is None


async def test_progress_goes_from_nothing_to_all(world: Fixture) -> None:
    seen: list[float] = []
    request = Request(groups_of(high()), START - 20_000, END, other=groups_of(high("1m")))
    await Backtests(world.querier, query=SETTINGS).run(request, seen.append)
    assert is_rising(seen)
    assert len(seen) > 4
    assert seen[-1] == pytest.approx(1)


def is_rising(values: Sequence[float]) -> bool:
    return all(a <= b for a, b in pairwise(values))


async def test_nothing_is_written(world: Fixture, executor: ThreadPoolExecutor) -> None:
    store = await stored(HISTORY)
    before = store.series([], 0, 2**62)
    text = """
        groups:
          - name: g
            interval: 10s
            rules: [{record: r, expr: x * 2}, {alert: A, expr: r > 8}]
    """
    result = await Fixture(LocalQuerier(store, executor, SETTINGS)).run(text)
    assert result.rules[0].fired == 3
    assert store.series([], 0, 2**62) == before


async def test_what_was_recorded_before_is_not_mixed_with_what_is_recorded_now(
    executor: ThreadPoolExecutor,
) -> None:
    store = await stored({**HISTORY, "r{i=a}": [100.0] * 20, "r{i=old}": [100.0] * 20})
    text = """
        groups:
          - name: g
            interval: 10s
            rules: [{record: r, expr: x}, {alert: A, expr: r > 8}, {alert: B, expr: sum(r) > 90}]
    """
    a, b = (await Fixture(LocalQuerier(store, executor, SETTINGS)).run(text)).rules
    assert [event.peak for event in a.events] == [9]
    assert b.fired == 0
