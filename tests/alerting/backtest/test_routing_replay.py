"""Replayed alerts are told as the running alert manager tells them."""

import math
import random
from pathlib import Path

import pytest
from alerting_story import BEGIN, Story

from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.backtest.replay import PastAlert, Replayed, replay
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.model.labels import Labels

RECEIVERS = """
receivers:
  - name: ops
    webhook_configs: [{url: http://x/}, {url: http://y/, send_resolved: false}]
  - name: pager
    webhook_configs: [{url: http://x/}]
  - name: nobody
"""
CONFIG = f"""
route:
  receiver: ops
  group_by: [team]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 5s
  routes:
    - {{receiver: pager, matchers: [severity="page"], group_by: [], group_wait: 0s, continue: true}}
    - {{receiver: nobody, matchers: [severity="none"]}}
    - {{matchers: [team="db"], group_by: ['...'], repeat_interval: 4s}}
inhibit_rules:
  - {{source_matchers: [severity="page"], target_matchers: [severity="warn"], equal: [team]}}
{RECEIVERS}
"""
LENGTH = 30.0


def stream(seed: int) -> list[PastAlert]:
    """Random alerts; no time is that of another or of a timer."""
    chance = random.Random(seed)
    found: list[PastAlert] = []
    for number in range(12):
        labels = Labels(
            {
                "alertname": "Test",
                "i": f"a{number}",
                "team": chance.choice(["db", "web"]),
                "severity": chance.choice(["page", "warn", "none"]),
            }
        )
        at = BEGIN + chance.uniform(0.1, 8)
        for _ in range(chance.randint(1, 3)):
            end = at + chance.uniform(0.3, 9)
            found.append(PastAlert(labels, at, end if chance.random() < 0.8 else math.inf))
            at = found[-1].ended_at + chance.uniform(0.2, 6)
    return [alert for alert in found if alert.fired_at < BEGIN + LENGTH]


def names(alerts: list[PastAlert], found: Replayed) -> list[tuple[object, ...]]:
    return sorted(
        (
            round(note.at - BEGIN, 3),
            note.place.receiver,
            note.place.integration,
            note.reason,
            sorted(
                [alerts[n].labels["i"] for n in note.firing]
                + [alerts[n].labels["i"] + "!" for n in note.resolved]
            ),
        )
        for note in found.notifications
    )


Windows = tuple[tuple[str, float, float], ...]


async def lived(
    alerts: list[PastAlert], folder: Path, windows: Windows = ()
) -> list[tuple[object, ...]]:
    """The same through the alert manager, on a clock that stands still."""
    changes = [(alert.fired_at, alert, False) for alert in alerts]
    changes += [(alert.ended_at, alert, True) for alert in alerts if alert.ended_at < math.inf]
    async with Story(CONFIG, folder) as story:
        for matcher, start, end in windows:
            story.maintain(matcher, start, end)
        for at, alert, ends in sorted(changes, key=lambda change: change[0]):
            if at >= BEGIN + LENGTH:
                continue
            await story.until(at - BEGIN)
            begin = alert.fired_at - BEGIN
            end = at - BEGIN if ends else 10 * LENGTH
            labels = dict(alert.labels)
            labels.pop("alertname")
            await story.push(story.alert(begin, end, **labels))
        await story.until(LENGTH)
        return sorted(
            (t.at, t.receiver, t.notification.integration, t.reason, sorted(t.alerts))
            for t in story.told
        )


@pytest.mark.parametrize("seed", range(3))
async def test_a_replay_tells_what_the_alert_manager_tells(seed: int, tmp_path: Path):
    alerts = stream(seed)
    found = replay(parse_alertmanager(CONFIG, "x", Path()), alerts, BEGIN + LENGTH)
    expected = await lived(alerts, tmp_path)
    assert names(alerts, found) == expected
    assert len(expected) > 5


@pytest.mark.parametrize("seed", range(3))
async def test_windows_of_maintenance_hold_as_they_held(seed: int, tmp_path: Path):
    alerts = stream(seed)
    windows: Windows = (("team=db", 2.03, 9.07), ("severity=page", 7.11, 14.13), ("", 20.17, 24.19))
    expected = await lived(alerts, tmp_path, windows)
    story = Story(CONFIG, tmp_path / "other")
    for window in windows:
        story.maintain(*window)
    config = parse_alertmanager(CONFIG, "x", Path())
    maintenance = MaintenanceWindows(story.plan)
    found = replay(config, alerts, BEGIN + LENGTH, maintenance=maintenance)
    assert names(alerts, found) == expected
    assert names(alerts, replay(config, alerts, BEGIN + LENGTH)) != expected
    assert any("in the maintenance window 'new disks'" in why for why in found.held.values())


def test_of_a_window_that_comes_again_each_time_holds(tmp_path: Path):
    labels = Labels({"alertname": "Test", "team": "web"})
    times = [(hour * 3600 + 60, hour * 3600 + 120) for hour in range(48)]
    alerts = [PastAlert(labels, BEGIN + start, BEGIN + end) for start, end in times]
    story = Story(CONFIG, tmp_path)
    story.maintain("team=web", 3600, 2 * 3600, rule="FREQ=DAILY")
    found = replay(
        parse_alertmanager(CONFIG, "x", Path()),
        alerts,
        BEGIN + 48 * 3600,
        maintenance=MaintenanceWindows(story.plan),
    )
    assert sorted(found.held) == [1, 25]
    told = {number for note in found.notifications for number in note.firing}
    assert told == set(range(48)) - {1, 25}
