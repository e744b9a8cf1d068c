"""Alerts are merged, stored before they are acknowledged, and survive; on both databases."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from alerting_story import Inline

from pynomaly.alerting.alerts.alert import ReceivedAlert, merge
from pynomaly.alerting.alerts.service import Alerts
from pynomaly.model.alert import fingerprint
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records, RecordsUnavailable
from pynomaly.storage.records.group_commit import GroupCommit, Work

MINUTE = 60.0


class World:
    def __init__(self, records: Records, clock: FakeClock) -> None:
        self.records, self.clock = records, clock
        self.commits = Inline(records)
        self.seen: list[list[str]] = []
        self.alerts = self.restart()

    def restart(self) -> Alerts:
        self.alerts = Alerts(self.records, self.commits, self.clock)
        self.alerts.subscribe(lambda alerts: self.seen.append([a.name for a in alerts]))
        return self.alerts

    def alert(self, name: str = "a", start: float = 0.0, end: float | None = None) -> ReceivedAlert:
        """Starts and ends so many seconds from now."""
        now, labels = self.clock.now(), Labels({"alertname": name})
        ends_at = now + (5 * MINUTE if end is None else end)
        timeout = end is None
        return ReceivedAlert(
            labels, Labels(), now + start, ends_at, now, fingerprint(labels), timeout
        )


@pytest.fixture
def world(records: Records, clock: FakeClock) -> World:
    return World(records, clock)


async def test_what_was_acknowledged_is_there_after_a_restart(world: World) -> None:
    sent = replace(
        world.alert(end=3600), annotations=Labels({"ä": "€\n"}), generator_url="http://x/"
    )
    await world.alerts.put([sent])
    again = world.restart()
    await again.start()
    assert again.all() == [replace(sent, timeout=True)]


async def test_an_unchanged_repetition_writes_nothing_and_is_passed_on(world: World) -> None:
    await world.alerts.put([world.alert()])
    commits = world.commits.commits
    for _ in range(5):
        await world.clock.advance(MINUTE)
        await world.alerts.put([replace(world.alert(), starts_at=world.clock.now())])
    assert world.commits.commits == commits
    assert world.seen == [["a"]] * 6
    (alert,) = world.alerts.all()
    assert alert.ends_at == world.clock.now() + 5 * MINUTE


async def test_a_firing_alert_gets_time_after_a_restart_whatever_was_stored(world: World) -> None:
    await world.alerts.put([world.alert()])
    await world.clock.advance(3600)
    again = world.restart()
    await again.start()
    (alert,) = again.all()
    assert alert.ends_at == world.clock.now() + 5 * MINUTE
    assert again.unsettled() == [alert]


async def test_a_resolved_alert_is_kept_until_everybody_was_told(world: World) -> None:
    await world.alerts.put([world.alert()])
    await world.clock.advance(10)
    await world.alerts.put([world.alert(start=-10, end=-1)])
    again = world.restart()
    await again.start()
    (alert,) = again.unsettled()
    assert alert.resolved(world.clock.now())
    again.settle([alert.fingerprint])
    await again.maintain()
    assert again.unsettled() == []
    once_more = world.restart()
    await once_more.start()
    assert once_more.all() == []


async def test_one_that_fires_again_after_it_was_settled_is_stored_again(world: World) -> None:
    await world.alerts.put([world.alert(start=-20, end=-10)])
    world.alerts.settle([world.alert().fingerprint])
    await world.alerts.put([world.alert()])
    await world.alerts.maintain()
    again = world.restart()
    await again.start()
    assert [a.resolved(world.clock.now()) for a in again.unsettled()] == [False]


async def test_a_resolved_alert_sent_again_after_it_was_settled_writes_nothing(
    world: World,
) -> None:
    await world.alerts.put([world.alert(start=-20, end=-10)])
    world.alerts.settle([world.alert().fingerprint])
    await world.alerts.maintain()
    commits = world.commits.commits
    await world.alerts.put([world.alert(start=-20, end=-10)])
    await world.alerts.maintain()
    assert world.commits.commits == commits
    assert world.alerts.unsettled() == []


async def test_a_database_that_is_away_is_said_but_stops_no_alert(world: World) -> None:
    world.commits.away = True
    with pytest.raises(RecordsUnavailable):
        await world.alerts.put([world.alert()])
    assert world.seen == [["a"]]
    with pytest.raises(RecordsUnavailable):  # not acknowledged while it is not stored
        await world.alerts.put([world.alert()])
    world.commits.away = False
    await world.alerts.maintain()
    again = world.restart()
    await again.start()
    assert [a.name for a in again.all()] == ["a"]


class Slow(GroupCommit):
    """Commits when it is let."""

    def __init__(self, inner: Inline) -> None:
        super().__init__(inner.inner)
        self.inner = inner
        self.let = asyncio.Event()

    async def write(self, work: Work) -> None:
        await self.let.wait()
        await self.inner.write(work)


async def test_a_repetition_is_not_acknowledged_before_the_first_is_stored(world: World) -> None:
    slow = Slow(world.commits)
    alerts = Alerts(world.records, slow, world.clock)
    puts = [asyncio.create_task(alerts.put([world.alert()])) for _ in range(2)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(put.done() for put in puts)
    slow.let.set()
    await asyncio.gather(*puts)


async def test_garbage_is_what_everybody_knows_has_ended(world: World) -> None:
    forgotten: list[str] = []

    def forget(alerts: Sequence[ReceivedAlert]) -> None:
        forgotten.extend(alert.name for alert in alerts)

    world.alerts.subscribe(lambda _: None, forget)
    await world.alerts.put([world.alert("told", -20, -10), world.alert("open", -20, -10)])
    await world.alerts.put([world.alert("fires")])
    world.alerts.settle([world.alert("told").fingerprint])
    world.alerts.collect_garbage()
    assert forgotten == []  # it is remembered for a while, to be merged
    await world.clock.advance(3600)
    world.alerts.collect_garbage()
    assert forgotten == ["told"]
    assert {a.name for a in world.alerts.all()} == {"open", "fires"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # start, end, timeout; now is 10
        ((1, 20, True), (2, 15, True), (1, 15)),  # a timeout gives way
        ((1, 20, False), (2, 15, True), (1, 20)),  # what was said stays
        ((1, 20, False), (2, 30, True), (1, 30)),
        ((3, 20, True), (2, 9, False), (2, 9)),  # resolved
        ((1, 9, False), (2, 8, False), (1, 9)),  # resolved twice: the later
        ((1, 8, False), (2, 9, False), (1, 9)),
    ],
)
def test_merging(
    old: tuple[float, float, bool],
    new: tuple[float, float, bool],
    expected: tuple[float, float],
) -> None:
    def alert(times: tuple[float, float, bool], updated_at: float) -> ReceivedAlert:
        start, end, timeout = times
        return ReceivedAlert(Labels(), Labels(), start, end, updated_at, "f", timeout)

    merged = merge(alert(old, 1), alert(new, 2), now=10)
    assert (merged.starts_at, merged.ends_at) == expected
    assert merge(alert(new, 2), alert(old, 1), now=10) == merged  # whichever comes first
