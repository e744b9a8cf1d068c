"""The judge of every series over stored samples."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.events import Anomaly
from pynomaly.detection.points import Points, between
from pynomaly.detection.service import TOPIC, Judge
from pynomaly.detection.verdicts import verdict_labels
from pynomaly.model.clock import FakeClock
from pynomaly.model.document import ConfigError, load
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples
from pynomaly.promql.contract import Matrix, QueryTimeout
from pynomaly.promql.local import LocalQuerier
from pynomaly.storage.bus import Bus
from pynomaly.storage.samples.memory import MemorySamples

START = 1_700_000_010.0  # on the judge's grid
STEP = 30.0


class Remembering:
    """The log of anomalies, in memory."""

    def __init__(self) -> None:
        self.saved: list[Anomaly] = []

    def save(self, anomalies: Sequence[Anomaly]) -> Sequence[Anomaly]:
        self.saved += anomalies
        return anomalies

    def open(self) -> list[Anomaly]:
        newest = {each.id: each for each in self.saved}
        return [each for each in newest.values() if not each.ended_at]


class World:
    """A sample of each series every 30 s, judged at once."""

    def __init__(self, state_file: Path | None = None, **settings: object) -> None:
        self.samples = MemorySamples()
        self.querier = LocalQuerier(self.samples, ThreadPoolExecutor(1))
        self.settings = DetectionSettings.model_validate({"min_points": 48, "floor": 0, **settings})
        self.state_file = state_file
        self.anomalies = Remembering()
        self.bus = Bus(FakeClock(START))
        self.judge = self.new_judge()
        self.now = START
        self.rng = np.random.default_rng(11)

    def new_judge(self) -> Judge:
        return Judge(
            self.querier,
            self.samples,
            self.settings,
            anomalies=self.anomalies,
            bus=self.bus,
            state_file=self.state_file,
        )

    async def store(self, rounds: int, **series: float) -> None:
        """Store a value of each series for so many rounds, with noise, unjudged."""
        rows = []
        for _ in range(rounds):
            self.now += STEP
            at = round(self.now * 1000)
            rows += [
                (Labels({"__name__": name}), at, value + float(self.rng.normal()))
                for name, value in series.items()
            ]
        await self.samples.append(SampleBatch.of(rows))

    async def run(self, rounds: int, **series: float) -> None:
        """Store and judge, round by round."""
        for _ in range(rounds):
            await self.store(1, **series)
            await self.judge(self.now)

    async def verdicts(self, name: str = "anomaly_score") -> dict[str, float]:
        found = await self.querier.instant(name, round(self.now * 1000))
        assert isinstance(found.value, Matrix)
        return {
            labels["of"]: value
            for labels, value in zip(found.value.labels, found.value.values[:, 0], strict=True)
        }


async def learnt(**settings: object) -> World:
    """A world in which two series have been as ever for long enough."""
    world = World(**settings)
    await world.store(150, cpu_usage=75.0, memory_usage=40.0)
    await world.run(1, cpu_usage=75.0, memory_usage=40.0)
    return world


async def test_a_value_that_stands_out_scores_high_and_the_others_low() -> None:
    world = await learnt()
    assert max((await world.verdicts()).values()) < 0.5
    await world.run(4, cpu_usage=175.0, memory_usage=40.0)
    scores = await world.verdicts()
    assert scores["cpu_usage"] > 0.6
    assert scores["memory_usage"] < 0.5


async def test_what_was_expected_is_written_beside_a_high_score() -> None:
    world = await learnt()
    assert await world.verdicts("anomaly_expected") == {}
    await world.run(2, cpu_usage=175.0, memory_usage=40.0)
    assert set(await world.verdicts("anomaly_expected")) == {"cpu_usage"}
    lower, upper = await world.verdicts("anomaly_lower"), await world.verdicts("anomaly_upper")
    assert lower["cpu_usage"] < upper["cpu_usage"]


async def test_verdicts_of_watched_series_are_always_written() -> None:
    world = await learnt(floor=1.0, watch="memory_.*")
    await world.run(1, cpu_usage=75.0, memory_usage=40.0)
    for name in ("anomaly_score", "anomaly_expected", "anomaly_lower", "anomaly_upper"):
        assert set(await world.verdicts(name)) == {"memory_usage"}


async def test_below_the_floor_nothing_is_written_and_a_score_ends() -> None:
    world = await learnt(floor=0.5)
    assert await world.verdicts() == {}
    await world.run(2, cpu_usage=175.0, memory_usage=40.0)
    assert set(await world.verdicts()) == {"cpu_usage"}
    await world.run(400, cpu_usage=175.0, memory_usage=40.0)
    assert await world.verdicts() == {}


async def test_an_anomaly_is_told_once_with_what_was_expected_and_why() -> None:
    world = await learnt()
    with world.bus.subscribe([TOPIC]) as told:
        await world.run(5, cpu_usage=175.0, memory_usage=40.0)
        assert (await told.next()) is not None
    first, *others = world.anomalies.saved
    assert {each.id for each in others} <= {first.id}  # it may have grown
    assert (first.metric, first.direction, first.ended_at) == ("cpu_usage", "above", 0)
    assert abs(first.expected - 75) < 20
    assert 0.5 < first.score <= 1
    assert 0 < first.confidence <= 1
    assert "where" in first.explanation
    assert "above what was expected" in first.explanation


async def test_an_anomaly_ends_when_the_new_normal_has_lasted() -> None:
    world = await learnt()
    await world.run(700, cpu_usage=175.0, memory_usage=40.0)
    assert world.anomalies.saved[-1].ended_at > world.anomalies.saved[0].started_at
    assert world.anomalies.open() == []


async def test_a_series_with_a_handicap_needs_a_rarer_value_to_be_an_anomaly() -> None:
    world = await learnt()
    handicapped = Labels({"__name__": "cpu_usage"})
    world.judge.take_handicaps({handicapped: 30.0, Labels({"__name__": "gone"}): 3.0})
    await world.run(5, cpu_usage=175.0, memory_usage=140.0)
    assert {each.metric for each in world.anomalies.saved} == {"memory_usage"}
    assert (await world.verdicts())["cpu_usage"] > 0.6  # the score is as ever
    world.judge.take_handicaps({})
    await world.run(5, cpu_usage=475.0, memory_usage=140.0)
    assert "cpu_usage" in {each.metric for each in world.anomalies.saved}


async def test_how_many_series_are_judged_and_learning_is_known() -> None:
    world = await learnt()
    await world.run(1, cpu_usage=75.0, memory_usage=40.0, new=1.0)
    assert (world.judge.progress.judged, world.judge.progress.learning) == (2, 1)


@pytest.mark.parametrize("others", [{}, {"memory_usage": 40.0}])
async def test_an_anomaly_of_a_series_that_stops_ends_with_its_last_sample(
    others: dict[str, float],
) -> None:
    world = await learnt()
    await world.run(4, cpu_usage=175.0, memory_usage=40.0)
    stopped = world.now
    await world.run(125, **others)
    (ended,) = [each for each in world.anomalies.saved if each.ended_at]
    assert ended.ended_at == stopped
    assert world.anomalies.open() == []


async def test_a_score_carries_the_labels_of_its_series() -> None:
    labels = Labels({"__name__": "cpu", "host": "a", "of": "me"})
    assert str(verdict_labels(labels)) == 'anomaly_score{exported_of="me", host="a", of="cpu"}'


async def test_a_young_series_is_not_judged() -> None:
    world = World()
    await world.run(48, cpu_usage=1.0)
    assert await world.verdicts() == {}
    await world.run(1, cpu_usage=1.0)
    assert set(await world.verdicts()) == {"cpu_usage"}


async def test_counters_are_judged_by_their_rate_and_restarts_are_no_anomaly() -> None:
    world = World()
    total = 0.0

    async def count(rounds: int, per_round: float) -> None:
        nonlocal total
        for _ in range(rounds):
            total += per_round + world.rng.integers(-3, 4)
            world.now += STEP
            labels = Labels({"__name__": "requests_total"})
            at = round(world.now * 1000)
            await world.samples.append(SampleBatch.of([(labels, at, total)]))
            await world.judge(world.now)

    await count(150, 100)
    total = 0.0  # restarted: about 100 since
    await count(1, 100)
    assert (await world.verdicts())["requests_total"] < 0.5
    await count(3, 1000)
    assert (await world.verdicts())["requests_total"] > 0.6


async def test_verdicts_alerts_and_buckets_are_not_judged() -> None:
    world = World(exclude="secret_.*")
    names = (
        "anomaly_expected",
        "ALERTS",
        "ALERTS_FOR_STATE",
        "scrape_duration_seconds",
        "took_bucket",
        "secret_thing",
    )
    await world.store(60, cpu=1.0, **dict.fromkeys(names, 1.0))
    await world.run(1, cpu=1.0, **dict.fromkeys(names, 1.0))
    assert set(await world.verdicts()) == {"cpu"}


async def test_history_beyond_the_setting_is_not_learnt_from() -> None:
    world = World(history="10m")
    await world.store(150, cpu_usage=75.0)
    await world.run(1, cpu_usage=75.0)
    assert await world.verdicts() == {}  # 21 points


async def test_a_new_process_goes_on_where_the_old_one_stopped(tmp_path: Path) -> None:
    one, other = World(tmp_path / "state.npz", history="10m"), World()
    for world in (one, other):
        await world.run(60, a=5.0, b_total=7.0)
    await one.judge.close()
    one.judge = one.new_judge()
    await one.judge.start()
    for world in (one, other):
        await world.store(3, a=5.0, b_total=7.0)  # while nobody looked
        await world.run(2, a=50.0, b_total=7.0)
    assert await one.verdicts() == await other.verdicts()


async def test_an_anomaly_that_lasts_over_a_restart_stays_one(tmp_path: Path) -> None:
    world = World(tmp_path / "state.npz")
    await world.store(150, cpu_usage=75.0)
    await world.run(5, cpu_usage=175.0)
    await world.judge.close()
    world.judge = world.new_judge()
    await world.judge.start()
    await world.run(700, cpu_usage=175.0)
    assert len({each.id for each in world.anomalies.saved}) == 1
    assert world.anomalies.open() == []


async def test_an_anomaly_that_closed_while_nobody_looked_is_over() -> None:
    world = await learnt()
    await world.run(5, cpu_usage=175.0, memory_usage=40.0)
    assert len(world.anomalies.open()) == 1
    await world.store(700, cpu_usage=175.0, memory_usage=40.0)
    await world.run(1, cpu_usage=175.0, memory_usage=40.0)
    assert world.anomalies.open() == []


@pytest.mark.parametrize("content", [b"", b"not a state", b"PK\x03\x04 torn"])
async def test_a_state_that_cannot_be_read_is_learnt_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.npz").write_bytes(content)
    world = World(tmp_path / "state.npz")
    await world.judge.start()
    await world.store(60, a=1.0)
    await world.run(1, a=1.0)
    assert set(await world.verdicts()) == {"a"}


async def test_a_series_without_new_samples_is_not_judged_again() -> None:
    world = await learnt()
    before = world.judge._scorer.points(np.arange(2)).tolist()
    world.now += STEP
    await world.judge(world.now)
    assert world.judge._scorer.points(np.arange(2)).tolist() == before


async def test_series_beyond_the_limit_are_left_out() -> None:
    world = World(max_series=2)
    await world.store(60, a=1.0, b=2.0, c=3.0)
    await world.run(1, a=1.0, b=2.0, c=3.0)
    assert len(await world.verdicts()) == 2
    assert world.judge._points.left_out == 1


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
    await world.run(60, cpu_usage=75.0)
    assert set(await world.verdicts()) == {"cpu_usage"}


def samples(*series: tuple[str, list[tuple[int, float]]]) -> SeriesSamples:
    points = [point for _, rows in series for point in rows]
    return SeriesSamples(
        [Labels({"__name__": name}) for name, _ in series],
        np.cumsum([0, *(len(rows) for _, rows in series)]),
        np.array([ts for ts, _ in points], dtype=np.int64),
        np.array([value for _, value in points]),
    )


def test_rows_rise_whatever_the_order_of_the_series_and_grow_with_their_number() -> None:
    sizes: list[int] = []
    points = Points(5000, lambda rows, size: sizes.append(size))
    points.next_points(samples(*((f"m{n}", [(1000, float(n))]) for n in range(1000))))
    backwards = samples(*((f"m{n}", [(2000, float(n))]) for n in reversed(range(1000))))
    rows, ms, values = points.next_points(backwards)
    assert np.array_equal(rows, np.arange(1000))
    assert np.array_equal(values, np.arange(1000.0))
    assert set(ms.tolist()) == {2000}
    assert sizes[-1] >= 1000


def test_a_series_that_is_gone_makes_room() -> None:
    kept: list[list[int]] = []
    points = Points(10, lambda rows, size: kept.append(rows.tolist()))
    points.next_points(samples(("a", [(1000, 1.0)]), ("b", [(5000, 1.0)])))
    assert points.forget(2000)
    assert not points.forget(2000)
    assert [labels.name for labels in points.labels] == ["b"]
    assert kept[-1] == [1]


def test_a_staleness_marker_is_no_point() -> None:
    points = Points(10, lambda rows, size: None)
    ended = ("a", [(1, 1.0), (2, float(STALE))])
    rows, _, _ = points.next_points(samples(ended, ("b", [(1, 1.0)])))
    assert [points.labels[row].name for row in rows.tolist()] == ["b"]


def test_samples_between_two_times() -> None:
    found = between(samples(("a", [(1, 1.0), (2, 2.0), (3, 3.0)]), ("b", [(3, 4.0)])), 1, 2)
    assert (found.offsets.tolist(), found.values.tolist()) == ([0, 1, 1], [2.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exclude: '('", r"exclude: .*is not a valid RE2"),
        ("timezone: Mars/Base", "is no time zone"),
        ("budget: 0", "budget"),
    ],
)
def test_a_wrong_setting_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(text, "d.yml", DetectionSettings)
