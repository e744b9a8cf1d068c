"""Taking an alert on: no repetitions, but its end; and whatever is new in its group."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pynomaly.alerting.acknowledgements.acknowledging import acknowledge, withdraw
from pynomaly.alerting.acknowledgements.errors import NotAcknowledged, NotFiring
from pynomaly.alerting.explain.service import Explainer
from pynomaly.alerting.firings import repository
from pynomaly.model.errors import BadInput
from pynomaly.storage.records import RecordsUnavailable
from tests.alerting.alerting_story import BEGIN, Story

CONFIG = """
global: {resolve_timeout: 48h}
route: {receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 60s,
  repeat_interval: 10m}
receivers:
- name: team
  webhook_configs: [{url: 'http://x/'}]
  pagerduty_configs: [{routing_key: x}]
"""
HOUR = 3600.0
WEBHOOK = "webhook[0]"


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with Story(CONFIG, tmp_path) as story:
        yield story


async def pass_to(story: Story, at: float) -> None:
    await story.until(at, step=20.0)


async def fire(story: Story, start: float, end: float | None = None, **labels: str) -> str:
    alert = story.alert(start, end, **labels)
    await story.push(alert)
    return alert.fingerprint


def said(story: Story) -> list[tuple[float, list[str]]]:
    """What the webhook was told."""
    return [(t.at, t.alerts) for t in story.told if t.notification.integration == WEBHOOK]


async def test_it_is_not_repeated_and_its_end_is_told(story: Story) -> None:
    one = await fire(story, 0, i="a")
    await pass_to(story, 700)
    assert said(story) == [(1, ["a"]), (601, ["a"])]
    await acknowledge(story.manager, story.clock, one, "ann", "on it")
    await pass_to(story, 5 * HOUR)  # longer than what was told is remembered by itself
    assert len(said(story)) == 2
    await fire(story, 0, 5 * HOUR, i="a")
    await pass_to(story, 5 * HOUR + 70)
    assert [alerts for _, alerts in said(story)[2:]] == [["a!"]]


async def test_a_new_alert_in_its_group_is_told_and_repeats_both(story: Story) -> None:
    one = await fire(story, 0, i="a")
    await pass_to(story, 30)
    await acknowledge(story.manager, story.clock, one, "ann")
    two = await fire(story, 30, i="b", severity="critical")
    await pass_to(story, 70)
    assert said(story)[-1] == (61, ["a", "b"])
    await pass_to(story, 700)
    assert said(story)[-1] == (661, ["a", "b"])
    await acknowledge(story.manager, story.clock, two, "ann")
    await pass_to(story, 2 * HOUR)
    assert len(said(story)) == 3


async def test_when_it_fires_again_nobody_has_acknowledged_it(story: Story) -> None:
    one = await fire(story, 0, i="a")
    await pass_to(story, 30)
    await acknowledge(story.manager, story.clock, one, "ann")
    await fire(story, 0, 30, i="a")
    await pass_to(story, 130)
    await fire(story, 130, i="a")
    await pass_to(story, 900)
    assert [alerts for _, alerts in said(story)] == [["a"], ["a!"], ["a"], ["a"]]


async def test_withdrawn_it_is_repeated(story: Story) -> None:
    one = await fire(story, 0, i="a")
    await pass_to(story, 30)
    await acknowledge(story.manager, story.clock, one, "ann")
    await pass_to(story, HOUR)
    assert len(said(story)) == 1
    await withdraw(story.manager, story.clock, one)
    await pass_to(story, HOUR + 70)
    assert len(said(story)) == 2
    with pytest.raises(NotAcknowledged):
        await withdraw(story.manager, story.clock, one)


async def test_it_holds_after_a_restart(story: Story) -> None:
    one = await fire(story, 0, i="a")
    await pass_to(story, 30)
    await acknowledge(story.manager, story.clock, one, "ann", "on it")
    await story.crash()
    await pass_to(story, 2 * HOUR)
    assert len(said(story)) == 1
    kept = story.manager.noise.acknowledgements.of(one, BEGIN)
    assert kept is not None
    assert (kept.by, kept.comment, kept.at) == ("ann", "on it", BEGIN + 30)
    await story.manager.maintain()
    (firing,) = repository.load(story.records, 0.0)
    assert firing.acknowledged_at == BEGIN + 30


async def test_the_explanation_says_so_and_what_would_change_it(story: Story) -> None:
    one = await fire(story, 0, i="a")
    await pass_to(story, 30)
    await acknowledge(story.manager, story.clock, one, "ann")
    await pass_to(story, HOUR)
    explainer = Explainer(story.manager, story.records, story.clock)
    found = await explainer.explain(one)
    (path,) = found.paths
    assert [t.tells for t in path.tellings] == [False, False]
    assert path.tellings[0].reason == (
        "ann acknowledged it at 2023-11-14T22:13:50Z, so that it is not repeated every 10m"
    )
    assert path.change.startswith("Withdraw the acknowledgement")
    assert found.noise.acknowledgement is not None


async def test_pagerduty_is_let_know_when_all_of_the_incident_is_acknowledged(
    story: Story,
) -> None:
    one = await fire(story, 0, i="a")
    two = await fire(story, 0, i="b")
    await pass_to(story, 10)
    first = await acknowledge(story.manager, story.clock, one, "ann")
    assert (first.passed_on, story.acknowledged) == ((), [])
    second = await acknowledge(story.manager, story.clock, two, "ann")
    assert [(p.receiver, p.integration) for p in second.passed_on] == [("team", "pagerduty[0]")]
    (notification,) = story.acknowledged
    assert notification.group_key == story.told[0].notification.group_key


async def test_what_nobody_was_told_of_is_not_passed_on(story: Story) -> None:
    one = await fire(story, 0, i="a")
    done = await acknowledge(story.manager, story.clock, one, "ann")
    assert done.passed_on == ()
    await pass_to(story, 10)
    assert said(story) == [(1, ["a"])]  # the first page is never held back


async def test_only_what_fires_can_be_acknowledged(story: Story) -> None:
    with pytest.raises(NotFiring):
        await acknowledge(story.manager, story.clock, "0" * 16, "ann")
    one = await fire(story, 0, i="a")
    with pytest.raises(BadInput):
        await acknowledge(story.manager, story.clock, one, "ann", "x" * 10_001)
    story.commits.away = True
    with pytest.raises(RecordsUnavailable):
        await acknowledge(story.manager, story.clock, one, "ann")
    assert story.manager.noise.acknowledgements.of(one, BEGIN) is None
