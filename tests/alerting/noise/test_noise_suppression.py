"""What suppression rules hold back, on a clock that stands still."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.suppression.rule import read_rule
from pynomaly.storage.records import RecordsUnavailable
from tests.alerting.alerting_story import Story

CONFIG = """
global: {resolve_timeout: 12h}
route:
  receiver: team
  group_by: ['...']
  group_wait: 1s
  group_interval: 10s
  repeat_interval: 1h
  routes: [{receiver: others, matchers: [to="both"], continue: true}, {matchers: [to="both"]}]
receivers:
- {name: team, webhook_configs: [{url: 'http://x/'}]}
- {name: others, webhook_configs: [{url: 'http://y/'}]}
"""

DUPLICATES = {
    "name": "duplicate_suppression",
    "conditions": {"time_window": 300, "max_alerts_in_window": 1},
}
BY_NAME = {"name": "names", "time_window": "5m", "max_alerts_in_window": 2, "by": "alertname"}


def settings(*rules: dict[str, Any]) -> NoiseSettings:
    return NoiseSettings([read_rule(rule) for rule in rules])


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with Story(CONFIG, tmp_path, noise=settings(DUPLICATES)) as story:
        yield story


async def pass_to(story: Story, at: float) -> None:
    await story.until(at, step=1.0)


async def fire(story: Story, start: float, end: float | None = None, **labels: str) -> None:
    await story.push(story.alert(start, end, **labels))


async def once(story: Story, start: float, end: float, **labels: str) -> None:
    """An alert that fires, is told (or not), and ends, and so is its end."""
    await pass_to(story, start)
    await fire(story, start, **labels)
    await pass_to(story, end)
    await fire(story, start, end, **labels)
    await pass_to(story, end + 12)


async def test_the_same_alert_again_within_the_window_is_not_told_nor_is_its_end(
    story: Story,
) -> None:
    await once(story, 0, 20, i="a")
    before = story.said()
    assert before == [(1, ["a"]), (21, ["a!"])]
    await once(story, 100, 140, i="a")
    assert story.said() == before


async def test_after_the_window_it_is_told_while_it_still_fires(story: Story) -> None:
    await once(story, 0, 20, i="a")
    await pass_to(story, 100)
    await fire(story, 100, i="a")
    await pass_to(story, 290)
    assert len(story.said()) == 2
    await pass_to(story, 330)
    (at, alerts) = story.said()[2]
    assert alerts == ["a"]
    assert 301 <= at <= 311


async def test_the_end_of_an_alert_that_was_told_always_passes(story: Story) -> None:
    await once(story, 0, 400, i="a")
    assert story.said() == [(1, ["a"]), (401, ["a!"])]


async def test_a_firing_is_counted_once_however_often_its_group_is_looked_at(
    tmp_path: Path,
) -> None:
    rule = {**DUPLICATES, "max_alerts_in_window": 2, "conditions": {"time_window": 300}}
    async with Story(CONFIG, tmp_path, noise=settings(rule)) as story:
        await once(story, 0, 95, i="a")  # looked at ten times
        await once(story, 120, 140, i="a")
        assert len(story.said()) == 4
        await once(story, 160, 180, i="a")
        assert len(story.said()) == 4


async def test_other_alerts_are_not_duplicates_unless_the_rule_counts_by_name(
    story: Story, tmp_path: Path
) -> None:
    for i in "abc":
        await fire(story, 0, i=i)
    await pass_to(story, 5)
    assert sorted(story.said()) == [(1, ["a"]), (1, ["b"]), (1, ["c"])]
    folder = tmp_path / "by name"
    folder.mkdir()
    async with Story(CONFIG, folder, noise=settings(BY_NAME)) as other:
        for i in "abc":
            await fire(other, 0, i=i)
        await pass_to(other, 5)
        assert len(other.said()) == 2
        await pass_to(other, 320)
        assert sorted(told for _, (told,) in other.said()) == ["a", "b", "c"]


async def test_each_receiver_has_a_count_of_its_own(story: Story) -> None:
    await fire(story, 0, i="a", to="both")
    await pass_to(story, 5)
    assert [t.receiver for t in story.told] == ["others", "team"]


async def test_what_could_not_be_delivered_is_let_through_again(story: Story) -> None:
    story.fails["team/webhook[0]"] = 25
    await fire(story, 0, i="a")
    await pass_to(story, 40)
    assert len(story.said()) == 1


async def test_a_restart_keeps_the_count(story: Story) -> None:
    await once(story, 0, 20, i="a")
    await story.crash()
    await once(story, 100, 140, i="a")
    assert len(story.said()) == 2


async def test_critical_alerts_pass_unless_the_matchers_speak_of_severity(
    story: Story, tmp_path: Path
) -> None:
    await once(story, 0, 20, i="a", severity="critical")
    await once(story, 60, 80, i="a", severity="critical")
    assert len(story.said()) == 4
    folder = tmp_path / "named"
    folder.mkdir()
    rule = {**DUPLICATES, "matchers": ['severity=~"critical|warning"']}
    async with Story(CONFIG, folder, noise=settings(rule)) as other:
        await once(other, 0, 20, i="a", severity="critical")
        await once(other, 60, 80, i="a", severity="critical")
        assert len(other.said()) == 2


async def test_a_rule_given_later_holds_and_a_removed_one_does_not(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        suppression = story.manager.noise.suppression
        await suppression.add(read_rule(DUPLICATES), "ann")
        await once(story, 0, 20, i="a")
        await story.crash()  # it is stored
        suppression = story.manager.noise.suppression
        assert [(r.name, r.source, r.created_by) for r in suppression.rules()] == [
            ("duplicate_suppression", "api", "ann")
        ]
        await once(story, 60, 80, i="a")
        assert len(story.said()) == 2
        await fire(story, 100, i="a")
        await pass_to(story, 112)
        await suppression.remove("duplicate_suppression")
        await pass_to(story, 125)
        assert len(story.said()) == 3


async def test_the_database_being_away_neither_delays_nor_loses_a_count(story: Story) -> None:
    story.commits.away = True
    with pytest.raises(RecordsUnavailable):
        await fire(story, 0, i="a")
    await pass_to(story, 5)
    assert len(story.said()) == 1
    story.commits.away = False
    await story.manager.maintain()
    await pass_to(story, 20)
    await fire(story, 0, 20, i="a")
    await pass_to(story, 32)
    await story.crash()
    await once(story, 100, 140, i="a")
    assert len(story.said()) == 2


async def test_in_a_group_only_what_is_one_too_many_is_left_out(tmp_path: Path) -> None:
    config = CONFIG.replace("group_by: ['...']", "group_by: [alertname]")
    async with Story(config, tmp_path, noise=settings(DUPLICATES)) as story:
        await fire(story, 0, i="b")
        await once(story, 0, 20, i="a")
        await once(story, 60, 80, i="a")
        assert story.said() == [(1, ["a", "b"]), (21, ["a!", "b"])]
