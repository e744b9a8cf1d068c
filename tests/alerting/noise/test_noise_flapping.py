"""Alerts that begin and end again and again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.alerting.flapping.detector import FlappingDetector
from pynomaly.alerting.noise.config import NoiseSettings
from tests.alerting.alerting_story import BEGIN, Story

CONFIG = """
global: {resolve_timeout: 12h}
route: {receiver: team, group_by: ['...'], group_wait: 1s, group_interval: 10s, repeat_interval: 6h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
"""
CYCLE = 60.0
HOLD = NoiseSettings(flapping=FlappingSettings(hold=True))


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with Story(CONFIG, tmp_path, noise=HOLD) as story:
        yield story


async def pass_to(story: Story, at: float) -> None:
    await story.until(at, step=5.0)


async def flap(story: Story, times: int, **labels: str) -> None:
    """Fires for half of each minute."""
    begin = story.now
    for number in range(times):
        start = begin + number * CYCLE
        await pass_to(story, start)
        await story.push(story.alert(start, **labels))
        await pass_to(story, start + CYCLE / 2)
        await story.push(story.alert(start, start + CYCLE / 2, **labels))
    await pass_to(story, begin + times * CYCLE)


def fingerprint(story: Story, **labels: str) -> str:
    return story.alert(**labels).fingerprint


async def test_it_is_told_once_that_it_flaps_and_its_end_when_it_is_calm(story: Story) -> None:
    await flap(story, 20, i="a")
    said = story.said()
    assert [told for _, (told,) in said] == ["a", "a!"] * 3 + ["a"]
    annotations = story.told[-1].notification.alerts[0].annotations
    assert annotations["flapping"].startswith("It flaps: 7 changes within 1h")
    calm_at = story.manager.noise.flapping.flap(fingerprint(story, i="a"), story.clock.now())
    assert calm_at is not None
    await pass_to(story, calm_at.calm_at - BEGIN - 1)
    assert len(story.said()) == len(said)
    await pass_to(story, calm_at.calm_at - BEGIN + 11)
    assert [told for _, (told,) in story.said()[len(said) :]] == ["a!"]
    assert story.manager.noise.flapping.flap(fingerprint(story, i="a"), story.clock.now()) is None


async def test_one_that_is_calm_while_it_fires_is_not_told_again(story: Story) -> None:
    await flap(story, 10, i="a")
    before = len(story.said())
    await story.push(story.alert(i="a"))
    await pass_to(story, story.now + 3 * 3600)
    assert len(story.said()) == before


async def test_critical_alerts_are_marked_and_told_each_time(story: Story) -> None:
    await flap(story, 6, i="a", severity="critical")
    assert [told for _, (told,) in story.said()] == ["a", "a!"] * 6
    assert "flapping" in story.told[-1].notification.alerts[0].annotations


async def test_unless_asked_for_nothing_is_told_otherwise(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await flap(story, 6, i="a")
        assert len(story.said()) == 12
        assert not any("flapping" in each.notification.alerts[0].annotations for each in story.told)
        assert story.manager.noise.flapping.flap(fingerprint(story, i="a"), story.clock.now())


async def test_it_flaps_on_after_a_restart_and_nothing_is_told_twice(story: Story) -> None:
    await flap(story, 10, i="a")
    before = story.said()
    await story.manager.maintain()
    await story.crash()
    found = story.manager.noise.flapping.flap(fingerprint(story, i="a"), story.clock.now())
    assert found is not None
    await flap(story, 5, i="a")
    assert story.said() == before
    await pass_to(story, story.now + 3 * 3600)
    assert [told for _, (told,) in story.said()[len(before) :]] == ["a!"]


async def test_the_group_of_an_alert_that_waits_tells_what_else_happens(tmp_path: Path) -> None:
    config = CONFIG.replace("group_by: ['...']", "group_by: [alertname]")
    async with Story(config, tmp_path, noise=HOLD) as story:
        await flap(story, 10, i="a")
        await story.push(story.alert(i="b"))
        await pass_to(story, story.now + 11)
        assert story.told[-1].alerts == ["a", "b"]
        await story.push(story.alert(story.now - 11, story.now, i="b"))
        await pass_to(story, story.now + 11)
        assert story.told[-1].alerts == ["a", "b!"]


def test_newer_changes_weigh_more_and_between_the_thresholds_nothing_changes() -> None:
    detector = FlappingDetector(FlappingSettings.model_validate({"window": "100s"}))
    flapping = [detector.changed("a", at, fires=at % 2 == 0) for at in range(8)]
    # Six changes, the oldest of 0.8 and more, weigh 6 and more only while they are new.
    assert flapping == [False, False, False, False, False, False, True, True]
    found = detector.flap("a", 7.0)
    assert found is not None
    assert (found.since, found.changes) == (6, 8)
    just_before, just_after = found.calm_at - 1e-6, found.calm_at + 1e-6
    assert detector.flap("a", just_before) is not None
    assert detector.flap("a", just_after) is None
    assert 100 < found.calm_at < 107


def test_only_one_that_begins_to_fire_begins_to_flap() -> None:
    settings = FlappingSettings.model_validate({"window": "100s", "begins_at": 4})
    detector = FlappingDetector(settings)
    assert [detector.changed("a", at, fires=at % 2 == 0) for at in (0, 1, 2, 3, 4)] == [
        *[False] * 4,
        True,
    ]


def test_settings_whose_thresholds_cross_are_refused() -> None:
    with pytest.raises(ValueError, match="less than begins_at"):
        FlappingSettings(begins_at=3, ends_below=3)
