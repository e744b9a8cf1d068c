"""The judge of every series over stored samples."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.history import History, between
from pynomaly.detection.service import Judge, verdict_labels
from pynomaly.model.document import ConfigError, load
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples, is_stale
from pynomaly.promql.contract import Matrix, QueryTimeout
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.samples.memory import MemorySamples

START = 1_700_000_010.0  # on the judge's grid


class World:
    """Samples every 10 s, judged every 30 s."""

    def __init__(self, **settings: object) -> None:
        self.samples = MemorySamples()
        self.querier = LocalQuerier(self.samples, ThreadPoolExecutor(1))
        self.settings = DetectionSettings.model_validate(
            {"window": 20, "min_points": 10, **settings}
        )
        self.judge = self.new_judge()
        self.now = START
        self.rng = np.random.default_rng(11)

    def new_judge(self) -> Judge:
        return Judge(self.querier, self.samples, self.settings)

    async def store(self, name: str, value: float, **labels: str) -> None:
        found = Labels({"__name__": name, **labels})
        await self.samples.append(SampleBatch.of([(found, round(self.now * 1000), value)]))

    async def run(self, rounds: int, **series: float) -> None:
        """Store a value of each series every 10 s, with a little noise, and judge every 30 s."""
        for _ in range(rounds):
            for _ in range(3):
                self.now += 10
                for name, value in series.items():
                    await self.store(name, value + self.rng.normal(0, 0.01))
            await self.judge(self.now)

    async def scores(self) -> dict[str, float]:
        found = await self.querier.instant("anomaly_score", round(self.now * 1000))
        assert isinstance(found.value, Matrix)
        return {
            labels["of"]: value
            for labels, value in zip(found.value.labels, found.value.values[:, 0], strict=True)
        }


async def test_a_value_that_stands_out_scores_high_and_the_others_low() -> None:
    world = World()
    await world.run(15, cpu_usage=75.0, memory_usage=40.0)
    assert max((await world.scores()).values()) < 0.7
    await world.run(1, cpu_usage=99.0, memory_usage=40.0)
    scores = await world.scores()
    assert scores["cpu_usage"] > 0.99
    assert scores["memory_usage"] < 0.7


async def test_a_score_carries_the_labels_of_its_series() -> None:
    labels = Labels({"__name__": "cpu", "host": "a", "of": "me"})
    assert str(verdict_labels(labels)) == 'anomaly_score{exported_of="me", host="a", of="cpu"}'


async def test_a_young_series_is_not_judged() -> None:
    world = World()
    await world.run(10, cpu_usage=1.0)
    assert await world.scores() == {}
    await world.run(1, cpu_usage=1.0)
    assert set(await world.scores()) == {"cpu_usage"}


async def test_counters_are_judged_by_their_rate_and_restarts_are_no_anomaly() -> None:
    world = World()
    total = 0.0

    async def count(per_round: float) -> None:
        nonlocal total
        total += per_round + world.rng.integers(-3, 4)
        world.now += 30
        await world.store("requests_total", total)
        await world.judge(world.now)

    for _ in range(15):
        await count(100)
    total = 0.0  # restarted: about 100 since
    await count(100)
    assert (await world.scores())["requests_total"] < 0.9
    await count(1000)
    assert (await world.scores())["requests_total"] > 0.99


async def test_verdicts_alerts_and_buckets_are_not_judged() -> None:
    world = World(exclude="secret_.*")
    await world.run(
        15,
        cpu=1.0,
        anomaly_expected=1.0,
        ALERTS=1.0,
        ALERTS_FOR_STATE=1.0,
        scrape_duration_seconds=1.0,
        took_bucket=1.0,
        secret_thing=1.0,
    )
    assert set(await world.scores()) == {"cpu"}


async def test_a_new_process_knows_the_history_at_once() -> None:
    world = World()
    await world.run(15, cpu_usage=75.0)
    world.judge = world.new_judge()
    await world.run(1, cpu_usage=99.0)
    assert (await world.scores())["cpu_usage"] > 0.99


async def test_it_agrees_with_a_judge_that_has_been_there_all_the_time() -> None:
    world = World()
    await world.run(30, a=5.0, b_total=7.0)
    await world.judge(world.now + 30)
    late = world.new_judge()
    await late._catch_up(round(world.now * 1000))
    rows = np.arange(len(late._history))
    theirs = [world.judge._history.labels.index(labels) for labels in late._history.labels]
    assert np.allclose(
        late._history.matrix(rows)[:, 2:], world.judge._history.matrix(np.array(theirs))[:, 2:]
    )


async def test_below_the_floor_nothing_is_written_and_a_score_ends() -> None:
    world = World(floor=0.9)
    await world.run(15, cpu_usage=75.0)
    assert await world.scores() == {}
    await world.run(1, cpu_usage=99.0)
    assert set(await world.scores()) == {"cpu_usage"}
    await world.run(1, cpu_usage=75.0)
    assert await world.scores() == {}


async def test_a_series_without_new_samples_is_not_judged_again() -> None:
    world = World()
    await world.run(15, cpu_usage=75.0)
    before = world.judge._history.matrix(np.array([0]))
    world.now += 30
    await world.judge(world.now)
    assert np.array_equal(world.judge._history.matrix(np.array([0])), before, equal_nan=True)


async def test_series_beyond_the_limit_are_left_out() -> None:
    world = World(max_series=2)
    await world.run(12, a=1.0, b=2.0, c=3.0)
    assert len(await world.scores()) == 2
    assert world.judge._history.left_out == 1


async def test_a_series_that_ended_is_forgotten() -> None:
    world = World()
    await world.run(12, a=1.0, b=2.0)
    await world.run(25, a=1.0)
    assert [labels.name for labels in world.judge._history.labels] == ["a"]
    assert len(world.judge._ids) == 1


async def test_history_that_cannot_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    original = world.querier.instant
    calls = 0

    async def failing(expr: str, at_ms: int, *, timeout: float = 120.0) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise QueryTimeout("too long")
        return await original(expr, at_ms)

    monkeypatch.setattr(world.querier, "instant", failing)
    await world.run(12, cpu_usage=75.0)
    assert set(await world.scores()) == {"cpu_usage"}


def samples(*series: tuple[str, list[tuple[int, float]]]) -> SeriesSamples:
    points = [point for _, rows in series for point in rows]
    return SeriesSamples(
        [Labels({"__name__": name}) for name, _ in series],
        np.cumsum([0, *(len(rows) for _, rows in series)]),
        np.array([ts for ts, _ in points], dtype=np.int64),
        np.array([value for _, value in points]),
    )


def test_history_grows_with_the_number_of_series_and_keeps_its_points() -> None:
    history = History(10, 5000)
    for at in (1000, 2000):
        batch = samples(*((f"m{n}", [(at, float(n + at))]) for n in range(1000)))
        history.push(*history.points(batch))
    found = history.matrix(np.arange(1000))
    assert np.array_equal(found[:, -2], np.arange(1000) + 1000.0)
    assert np.array_equal(found[:, -1], np.arange(1000) + 2000.0)


def test_a_staleness_marker_is_no_point() -> None:
    history = History(10, 10)
    rows, _ = history.points(samples(("a", [(1, 1.0), (2, float(STALE))]), ("b", [(1, 1.0)])))
    assert [history.labels[row].name for row in rows.tolist()] == ["b"]
    assert not is_stale(history.matrix(rows)).any()


def test_samples_between_two_times() -> None:
    found = between(samples(("a", [(1, 1.0), (2, 2.0), (3, 3.0)]), ("b", [(3, 4.0)])), 1, 2)
    assert (found.offsets.tolist(), found.values.tolist()) == ([0, 1, 1], [2.0])


def test_a_wrong_expression_in_the_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"exclude: .*is not a valid RE2"):
        load("exclude: '('", "d.yml", DetectionSettings)
