"""Backtests of detection: budgets, algorithms, progress, cancelling, faults."""

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pynomaly.detection.backtest.request import BacktestBody, request_of
from pynomaly.detection.backtest.service import (
    BacktestRefused,
    DetectionBacktests,
    NothingStored,
    Request,
    TooManyBacktests,
)
from pynomaly.detection.backtest.work import BUDGETS, JUDGE, Ladder, Work, run
from pynomaly.detection.streaming.episodes import EpisodeMachine
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples

STEP = 300
START = 1_699_920_000
DAYS = 4
LEAP = DAYS * 288 - 60


def history(count: int = 2) -> Work:
    """Four days of series, of which the last day is judged; the first leaps late in it."""
    random = np.random.default_rng(2)
    seconds = START + STEP * np.arange(DAYS * 288, dtype=np.int64)
    values = 50 + random.normal(0, 1, (count, len(seconds)))
    values[0, LEAP : LEAP + 5] += 60
    labels = [{"__name__": "busy", "host": str(i)} for i in range(count)]
    return Work((JUDGE,), labels, values, seconds, seconds, (DAYS - 1) * 288)


def judged(work: Work, *algorithms: str) -> dict[str, Any]:
    return run(
        Work(algorithms, work.labels, work.values, work.seconds, work.times, work.first),
        lambda share: None,
    )


def test_it_tells_what_would_have_been_flagged_at_every_budget() -> None:
    found = judged(history(), JUDGE)
    assert found["budgets"] == list(BUDGETS)
    (judge,) = found["algorithms"]
    assert judge["name"] == JUDGE
    assert min(judge["events"]) >= 1
    assert found["series_weeks"] == pytest.approx(2 / 7)
    first = found["series"][0]
    assert first["labels"]["host"] == "0"
    (one,) = first["algorithms"]
    episode = one["episodes"][0][0]
    assert episode["start"] == START + LEAP * STEP
    assert episode["end"] > episode["start"]
    assert episode["score"] > 0.6
    assert episode["value"] > 100


def test_nothing_is_told_of_what_it_learns_from() -> None:
    work = history()
    work.values[1, 400:410] += 60
    found = judged(work, JUDGE)
    starts = [
        episode["start"]
        for series in found["series"]
        for episodes in series["algorithms"][0]["episodes"]
        for episode in episodes
    ]
    assert min(starts) >= work.seconds[work.first]
    assert found["times"][0] == work.seconds[work.first]


def test_a_ladder_is_a_machine_for_each_budget() -> None:
    random = np.random.default_rng(8)
    rarity = random.exponential(0.43, (3000, 3)) - 2.5
    ladder = Ladder(3)
    machines = [EpisodeMachine(3, budget) for budget in BUDGETS]
    opened = np.zeros(len(BUDGETS), dtype=int)
    rows, interval = np.arange(3), np.full(3, 60.0)
    for row, each in enumerate(rarity):
        ladder.step(row, rows, each, interval, counted=True)
        for i, machine in enumerate(machines):
            opened[i] += np.count_nonzero(machine.step(rows, each, interval).opened)
    ladder.close(len(rarity) - 1)
    assert [len(each) for each in ladder.episodes] == opened.tolist()
    assert opened[-1] > opened[0]


@pytest.mark.parametrize("name", ["statistical", "seasonal"])
def test_trained_algorithms_stand_beside_the_judge(name: str) -> None:
    found = judged(history(), JUDGE, name)
    assert [each["name"] for each in found["algorithms"]] == [JUDGE, name]
    by_name = {each["name"]: each for each in found["series"][0]["algorithms"]}
    starts = {each["start"] for each in by_name[name]["episodes"][4]}
    assert START + LEAP * STEP in starts
    band = by_name[name]
    assert all(low < 50 < high for low, high in zip(band["lower"], band["upper"], strict=True))


def test_an_algorithm_that_cannot_be_trained_says_why_and_leaves_the_others() -> None:
    work = history()
    short = Work((JUDGE, "seasonal"), work.labels, work.values, work.seconds, work.times, 100)
    found = run(short, lambda share: None)
    assert [each["name"] for each in found["algorithms"]] == [JUDGE]
    (note,) = found["notes"]
    assert note.startswith("seasonal: 2 of 2 series have less than a day")


def test_a_spike_between_two_drawn_points_is_drawn() -> None:
    random = np.random.default_rng(2)
    seconds = START + 10 * np.arange(20_000, dtype=np.int64)
    values = random.normal(50, 1, (1, 20_000))
    values[0, 12_345] = 500
    found = run(Work((JUDGE,), [{}], values, seconds, seconds, 1000), lambda share: None)
    assert len(found["times"]) < 2000
    assert max(found["series"][0]["values"]) == 500


class Stored:
    """Samples of ``history`` behind a querier."""

    def __init__(self) -> None:
        self.samples = MemorySamples()
        self.work = history()
        self.backtests = DetectionBacktests(LocalQuerier(self.samples, ThreadPoolExecutor(1)))

    async def fill(self) -> None:
        await self.samples.append(
            SampleBatch.of(
                [
                    (Labels(labels), int(at) * 1000, float(value))
                    for labels, row in zip(self.work.labels, self.work.values, strict=True)
                    for at, value in zip(self.work.seconds, row, strict=True)
                ]
            )
        )

    def request(self, **given: Any) -> Request:
        usual = {
            "query": "busy",
            "start": float(self.work.seconds[self.work.first]),
            "end": float(self.work.seconds[-1]),
            "step": float(STEP),
            "learn": 3 * 86_400.0,
        }
        return Request(**{**usual, **given})


@pytest.fixture
async def stored() -> Stored:
    found = Stored()
    await found.fill()
    return found


async def test_a_backtest_reads_judges_in_a_process_and_tells_how_far_it_is(
    stored: Stored,
) -> None:
    told = [each async for each in stored.backtests.told(stored.request())]
    shares = [each["progress"] for each in told[:-1]]
    assert shares == sorted(shares)
    result = told[-1]["result"]
    assert result["query"] == "busy"
    assert result["series_count"] == 2
    assert result["algorithms"][0]["events"][0] >= 1
    assert result["start"] == stored.work.seconds[stored.work.first]
    assert result["took"] > 0
    assert not multiprocessing.active_children()


async def test_who_goes_away_ends_it(stored: Stored) -> None:
    told = stored.backtests.told(stored.request())
    await anext(told)
    await told.aclose()
    assert not multiprocessing.active_children()
    assert stored.backtests._running == 0


async def test_only_so_many_run_at_once(stored: Stored) -> None:
    running = [asyncio.create_task(stored.backtests.run(stored.request())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyBacktests, match="2 backtests are under way"):
        await stored.backtests.run(stored.request())
    for task in running:
        task.cancel()
    await asyncio.wait(running)


async def test_what_the_process_refuses_arrives(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynomaly.detection.backtest.service._in_worker", _refuse)
    with pytest.raises(BacktestRefused, match="needs scikit-learn") as caught:
        await stored.backtests.run(stored.request())
    assert (caught.value.status, caught.value.kind) == (501, "not_installed")


def _refuse(_: Work, told: Any) -> None:
    told.send(("error", (501, "not_installed", "dbscan needs scikit-learn", "")))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"end": 0.0}, "ends before it begins"),
        ({"algorithms": ("lof",)}, "no algorithm 'lof'; there are judge, isolation_forest"),
        ({"timezone": "Mars"}, "Mars is no time zone"),
        ({"step": 0.0}, "step is 0 s"),
    ],
)
async def test_a_request_that_cannot_be_met_says_why(
    given: dict[str, Any], fault: str, stored: Stored
) -> None:
    with pytest.raises(BadInput, match=fault):
        await stored.backtests.run(stored.request(**given))


async def test_without_samples_it_says_so(stored: Stored) -> None:
    with pytest.raises(NothingStored, match="absent has no samples in that time"):
        await stored.backtests.run(stored.request(query="absent"))


def test_a_body_takes_times_as_people_write_them() -> None:
    body = BacktestBody.model_validate({"query": "up", "from": "14d", "learn": "1d"})
    request = request_of(body, 1_000_000_000.0)
    assert request.start == 1_000_000_000 - 14 * 86_400
    assert (request.end, request.step, request.learn) == (1_000_000_000, 300, 86_400)
    with pytest.raises(BadInput, match="from: 'soon'"):
        request_of(BacktestBody.model_validate({"query": "up", "from": "soon"}), 0.0)
