"""Crashes, reloads and a database that is away: nothing is lost, and nothing told twice."""

import itertools
import random
from pathlib import Path

import pytest
from alerting_story import BEGIN, Story

from pynomaly.alerting.notifications.history import HistoryFilter

CONFIG = """
global: {resolve_timeout: 30s}
route: {receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 5s}
receivers:
- {name: team, webhook_configs: [{url: 'http://x/'}]}
"""


async def test_after_a_crash_what_fires_is_known_and_not_told_again(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a"), story.alert(i="b"))
        await story.until(2)
        await story.crash()
        await story.until(20)
        assert story.said() == [(1.0, ["a", "b"])]
        await story.push(story.alert(start=20, i="c"))
        await story.until(28)
        assert story.said()[1:] == [(22.0, ["a", "b", "c"])]


async def test_what_nobody_sends_again_after_a_crash_is_resolved_a_timeout_later(
    tmp_path: Path,
) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(20)
        await story.crash()
        await story.until(49)
        assert story.said() == [(1.0, ["a"])]
        await story.until(60)
        assert story.said()[1:] == [(50.0, ["a!"])]


async def test_what_was_resolved_right_before_a_crash_is_told_after_it(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(3)
        await story.push(story.alert(start=0, end=3, i="a"))
        await story.crash()
        await story.until(20)
        assert story.said() == [(1.0, ["a"]), (3.0, ["a!"])]


async def test_a_delivery_cut_short_by_a_crash_is_made_under_the_same_id(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.fails["team/webhook[0]"] = 4
        await story.push(story.alert(i="a"))
        await story.until(2.5)
        await story.crash()
        await story.until(20)
        assert story.said() == [(4.5, ["a"])]
        assert {notification.id for notification in story.attempts} == {story.told[0].id}


async def test_the_channels_memory_survives_until_the_group_begins_anew(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(3)
        await story.crash()
        await story.push(story.alert(start=0, end=3, i="a"))
        await story.until(10)
        await story.push(story.alert(i="a"))
        await story.until(20)
        first, resolved, again = story.told
        assert first.notification.memory == {}
        assert resolved.notification.memory == {"last": first.id}
        assert again.notification.memory == {}


async def test_silences_and_inhibition_hold_after_a_crash(tmp_path: Path) -> None:
    inhibit = "inhibit_rules: [{source_matchers: [i=source], target_matchers: [i=target]}]\n"
    async with Story(CONFIG + inhibit, tmp_path) as story:
        await story.silence("i=quiet", 0, 1000)
        await story.crash()
        await story.push(*(story.alert(i=name) for name in ("target", "quiet", "source", "loud")))
        await story.crash()
        await story.until(8)
        assert story.said() == [(1.0, ["loud", "source"])]


async def test_a_reload_changes_the_route_and_repeats_nothing_in_a_group_that_stays(
    tmp_path: Path,
) -> None:
    more = CONFIG.replace(
        "group_interval: 5s}",
        "group_interval: 5s, routes: [{matchers: [i=b], receiver: second}]}",
    )
    more += "- {name: second, webhook_configs: [{url: 'http://y/'}]}\n"
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a", end=900), story.alert(i="b", end=900))
        await story.until(2)
        await story.reload(more)
        await story.until(30)
        assert story.said("team") == [(1.0, ["a", "b"])]
        assert story.said("second") == [(2.0, ["b"])]


async def test_a_delivery_under_way_ends_before_the_new_configuration_tells(
    tmp_path: Path,
) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.fails["team/webhook[0]"] = 3.5
        await story.push(story.alert(i="a", end=900))
        await story.until(2)
        await story.reload(CONFIG)
        await story.until(20)
        assert [alerts for _, alerts in story.said()] == [["a"]]


async def test_a_database_that_is_away_keeps_nobody_from_being_told(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a", end=900))
        story.commits.away = True
        await story.until(30)
        assert story.said() == [(1.0, ["a"])]
        story.commits.away = False
        await story.manager.maintain()
        await story.crash()
        await story.until(50)
        assert len(story.said()) == 1
        (sent,) = await story.manager.log.history(HistoryFilter())
        assert sent.at == BEGIN + 1


@pytest.mark.parametrize("seed", range(8))
async def test_whenever_it_crashes_everybody_knows_in_the_end_and_nobody_hears_twice(
    seed: int, tmp_path: Path
) -> None:
    choose = random.Random(seed)
    async with Story(CONFIG, tmp_path) as story:
        firing: dict[str, float] = {}
        for second in range(1, 60):
            await story.until(second + choose.choice([0.0, 0.3, 0.7]))
            name = choose.choice("abcd")
            if name in firing and choose.random() < 0.4:
                await story.push(story.alert(start=firing.pop(name), end=story.now, i=name))
            elif choose.random() < 0.5:
                start = firing.setdefault(name, story.now)
                await story.push(story.alert(start=start, end=900, i=name))
            if choose.random() < 0.15:
                story.fails["team/webhook[0]"] = story.now + choose.choice([0.5, 3.0])
            if choose.random() < 0.2:
                await story.crash()
        await story.until(120)
    told = [t.notification.state for t in story.told]
    repeated = [one for one, two in itertools.pairwise(told) if one == two]
    assert repeated == []
    known = {a.labels["i"] for a in story.told[-1].notification.firing}
    assert known == firing.keys()
