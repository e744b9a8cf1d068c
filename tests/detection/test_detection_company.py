"""The judge of every series, in their company: stories over stored samples."""

from dataclasses import replace
from pathlib import Path

from pynomaly.detection.events import PEERS, TOGETHER, Anomaly
from pynomaly.detection.joint import events_of, gather
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from tests.detection.test_detection_judge import STEP, Remembering, World

PODS = [Labels({"__name__": "rps", "service": "shop", "pod": f"shop-{n}"}) for n in range(8)]


class Shop(World):
    """Eight pods that share a load; ``broken`` and ``all`` say what is done to it."""

    def __init__(self, state_file: Path | None = None, **settings: object) -> None:
        super().__init__(state_file, **{"min_points": 48, "history": "1d", **settings})
        self.weights = self.rng.uniform(0.8, 1.2, len(PODS))
        self.load = 100.0

    async def tick(self, *, factors: dict[int, float] | None = None) -> None:
        self.now += STEP
        self.load = max(self.load + float(self.rng.normal()) * 4, 40.0)
        noise = 1 + 0.02 * self.rng.normal(size=len(PODS))
        values = self.load * self.weights * noise
        for n, factor in (factors or {}).items():
            values[n] *= factor
        at = round(self.now * 1000)
        await self.samples.append(
            SampleBatch.of([(labels, at, float(v)) for labels, v in zip(PODS, values, strict=True)])
        )

    async def live(self, rounds: int, factors: dict[int, float] | None = None) -> None:
        for _ in range(rounds):
            await self.tick(factors=factors)
            await self.judge(self.now)

    async def past(self, rounds: int) -> None:
        for _ in range(rounds):
            await self.tick()
        await self.judge(self.now)

    def begun(self) -> list[Anomaly]:
        """Each anomaly as it began."""
        first: dict[str, Anomaly] = {}
        for each in self.anomalies.saved:
            first.setdefault(each.id, each)
        return list(first.values())


async def test_a_pod_unlike_its_siblings_is_told_by_its_name_and_their_median() -> None:
    shop = Shop()
    await shop.past(600)
    before = len(shop.begun())
    await shop.live(15, {3: 0.6})
    found = shop.begun()[before:]
    assert {each.labels for each in found} == {PODS[3]}
    newest = {each.id: each for each in shop.anomalies.saved}[found[0].id]
    assert newest.cause == PEERS
    assert (newest.peer, newest.siblings, newest.direction) == ("pod=shop-3", 7, "below")
    assert newest.siblings_median > newest.value
    assert "unlike its 7 siblings (pod=shop-3), median" in newest.explanation


async def test_without_peers_the_same_is_within_what_the_load_does() -> None:
    shop = Shop(peers={"enabled": False})
    await shop.past(600)
    before = len(shop.begun())
    await shop.live(15, {3: 0.6})
    assert PEERS not in {each.cause for each in shop.begun()[before:]}


async def test_a_move_of_all_siblings_is_one_event() -> None:
    shop = Shop()
    await shop.past(600)
    before = len(shop.begun())
    await shop.live(4, dict.fromkeys(range(8), 6.0))
    found = shop.begun()[before:]
    assert len(found) == 8
    assert PEERS not in {each.cause for each in found}
    groups = gather(found, [])
    assert len(set(groups.values())) == 1


async def test_what_is_known_of_siblings_outlives_a_restart(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "state.npz")
    await shop.past(600)
    await shop.judge.close()
    shop.judge = shop.new_judge()
    await shop.judge.start()
    before = len(shop.begun())
    await shop.live(15, {3: 0.6})
    assert {(each.labels, each.cause) for each in shop.begun()[before:]} >= {(PODS[3], PEERS)}


class Uneasy(World):
    """Twelve series of one service, each with a course of its own."""

    async def tick(self, off: float = 0.0) -> None:
        self.now += STEP
        at = round(self.now * 1000)
        rows = [
            (Labels({"__name__": f"m{n}", "service": "shop"}), at, value)
            for n, value in enumerate((self.rng.normal(size=12) + off).tolist())
        ]
        await self.samples.append(SampleBatch.of(rows))

    async def past(self, rounds: int) -> None:
        for _ in range(rounds):
            await self.tick()
        await self.judge(self.now)

    async def live(self, rounds: int, off: float = 0.0) -> None:
        for _ in range(rounds):
            await self.tick(off)
            await self.judge(self.now)


async def test_what_is_rare_only_together_is_one_event_that_ends(tmp_path: Path) -> None:
    world = Uneasy(tmp_path / "state.npz", history="1d")
    await world.past(2500)
    assert world.anomalies.saved == []
    await world.live(12, off=1.8)
    weak = [each for each in world.anomalies.open() if each.cause == TOGETHER]
    assert len(weak) >= 3
    assert {each.together for each in weak} == {weak[0].together}
    assert weak[0].together > max(each.score for each in weak)
    (event,) = events_of([*_kept(world.anomalies)])
    assert event.score >= weak[0].together
    await world.judge.close()
    world.judge = world.new_judge()
    await world.judge.start()
    await world.live(1000)
    assert world.anomalies.open() == []


def _kept(log: Remembering) -> list[Anomaly]:
    newest = {each.id: each for each in log.saved}
    groups = gather(list(newest.values()), [])
    return [replace(each, group_id=groups[each.id]) for each in newest.values()]
