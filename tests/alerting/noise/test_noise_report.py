"""The log of firings and the noise report, on SQLite as on PostgreSQL."""

import asyncio
from pathlib import Path

import pytest

from pynomaly.alerting.acknowledgements.acknowledging import acknowledge
from pynomaly.alerting.firings import repository
from pynomaly.alerting.firings.firing import Firing
from pynomaly.alerting.firings.repository import Cell, Count
from pynomaly.alerting.noise.report import NoiseReport, RuleNoise, median_of, noise_report
from pynomaly.alerting.noise.service import NoiseReports
from pynomaly.model.errors import BadInput
from pynomaly.storage.records import Records
from tests.alerting.alerting_story import BEGIN, Story

CONFIG = """
global: {resolve_timeout: 48h}
route: {receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 10s,
  repeat_interval: 10m}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
"""
DAY = 86_400.0
MIDNIGHT = 19_676 * DAY  # 2023-11-15


def firing(name: str, at: float, lasted: float | None, **more: object) -> Firing:
    begin = MIDNIGHT + at
    ended_at = None if lasted is None else begin + lasted
    values = {"severity": "warning", "notifications": 2, **more}
    return Firing(f"{name}-{at:g}", begin, name, ended_at=ended_at, **values)  # type: ignore[arg-type] - whatever a test says


def save(records: Records, *firings: Firing) -> None:
    with records.writing() as session:
        repository.save(session, firings)


def report(records: Records, *, timezone: str = "UTC", name: str = "") -> NoiseReport:
    return noise_report(records, MIDNIGHT, MIDNIGHT + 2 * DAY, timezone=timezone, name=name)


def only(found: NoiseReport) -> RuleNoise:
    (rule,) = found.rules
    return rule


def test_counts_shares_median_and_hours_are_of_the_range(records: Records) -> None:
    save(
        records,
        firing("Disk", 3_600, 30.25),
        firing("Disk", 7_200, 90.25, acknowledged_at=MIDNIGHT + 7_260),
        firing("Disk", 7_300, 400.25, flapping=True),
        firing("Disk", 9_000, None, silenced_at=MIDNIGHT + 9_100, again=True),
        firing("Disk", -60, 30.25),
        firing("Disk", 2 * DAY, 30.25),
    )
    rule = only(report(records))
    assert (rule.firings, rule.ended, rule.notifications, rule.unacted) == (4, 3, 8, 4)
    assert (rule.acknowledged, rule.silenced, rule.acted, rule.soon) == (1, 1, 2, 2)
    assert (rule.flapping, rule.again, rule.again_notifications) == (1, 1, 2)
    assert rule.median == 90
    assert rule.hours[:4] == [0, 1, 3, 0]
    assert only(report(records, timezone="Asia/Kolkata")).hours[6:9] == [1, 2, 1]


def test_rules_that_tell_in_vain_come_first(records: Records) -> None:
    acted = {"acknowledged_at": MIDNIGHT + 1}
    save(
        records,
        *(firing("Useful", at, 7_200, notifications=9, **acted) for at in range(0, 3_000, 600)),
        *(firing("Vain", at, 7_200) for at in range(0, 3_000, 600)),
        *(firing("Quiet", at, 7_200, notifications=0) for at in range(0, 3_000, 600)),
        *(firing("Watchdog", at, None, severity="none") for at in range(0, 3_000, 600)),
    )
    found = report(records)
    assert [(r.name, r.unacted, r.in_vain) for r in found.rules] == [
        ("Vain", 10, True),
        ("Quiet", 0, False),
        ("Useful", 0, False),
    ]
    assert (found.firings, found.notifications, found.unacted, found.in_vain) == (15, 55, 10, 1)
    assert [s.kind for s in found.rules[0].suggestions] == ["remove"]
    assert only(report(records, name="Useful")).acted == 5


def test_a_longer_for_is_proposed_with_what_it_would_have_saved(records: Records) -> None:
    short = [firing("Disk", 600.0 * n, 200) for n in range(6)]
    long = [firing("Disk", 10_000 + 600.0 * n, 5_000) for n in range(4)]
    save(records, *short, *long)
    (longer, _) = only(report(records)).suggestions
    assert (longer.kind, longer.saved) == ("for", 12)
    assert "5m longer, 6 of 10 firings and 12 of 20 notifications" in longer.text


def test_a_longer_for_that_would_have_hidden_what_was_acted_on_is_not(records: Records) -> None:
    save(
        records,
        *(firing("Disk", 600.0 * n, 200) for n in range(6)),
        firing("Disk", 9_000, 100, acknowledged_at=MIDNIGHT + 9_010),
    )
    assert only(report(records)).suggestions == []


def test_a_suppression_rule_is_proposed_that_can_be_added_as_it_is(records: Records) -> None:
    save(records, *(firing("Disk", 600.0 * n, 5_000, again=n % 6 > 0) for n in range(12)))
    suggestion = only(report(records)).suggestions[0]
    assert (suggestion.kind, suggestion.saved) == ("suppress", 20)
    assert suggestion.conditions == {
        "time_window": "1h",
        "max_alerts_in_window": 1,
        "matchers": ['alertname="Disk"'],
    }


def test_notifications_are_added_up_by_receiver(records: Records) -> None:
    hour = int(MIDNIGHT // 3600)
    for _ in range(2):
        with records.writing() as session:
            repository.add_notifications(
                session,
                {
                    Cell("Disk", "team", hour): Count(3, 1),
                    Cell("Disk", "duty", hour): Count(1, 0),
                    Cell("Disk", "duty", hour + 1): Count(1, 0),
                    Cell("Disk", "duty", hour - 1): Count(50, 0),
                },
            )
    save(records, firing("Disk", 60, 60))
    rule = only(report(records))
    assert [(c.receiver, c.notifications, c.repeats) for c in rule.receivers] == [
        ("team", 6, 2),
        ("duty", 4, 0),
    ]


def test_what_is_older_than_the_retention_is_forgotten_unless_it_fires(records: Records) -> None:
    save(records, firing("Old", 0, 60), firing("Lasting", 0, None), firing("New", DAY, 60))
    with records.writing() as session:
        repository.delete(session, MIDNIGHT + DAY)
    assert sorted(rule.name for rule in report(records).rules) == ["Lasting", "New"]


def test_the_median_is_the_lower_of_two_in_the_middle_and_none_of_nothing() -> None:
    assert median_of({10: 1, 20: 1, 90: 1}) == 20
    assert median_of({10: 1, 20: 1}) == 10
    assert median_of({}) is None


async def test_the_log_follows_what_happens_also_over_a_restart(
    records: Records, tmp_path: Path
) -> None:
    async with Story(CONFIG, tmp_path, records) as story:

        async def push(start: float, end: float | None = None) -> str:
            alert = story.alert(start, end)
            await story.push(alert)
            return alert.fingerprint

        one = await push(0)
        await story.until(5)
        await story.manager.maintain()
        await story.crash()
        await story.until(700, step=5)  # told again
        await acknowledge(story.manager, story.clock, one, "ann")
        await push(0, 700)
        await story.until(720, step=5)
        await push(720)
        await story.until(760, step=5)
        await story.silence('alertname="Test"', 760, 5_000)
        await story.until(780, step=5)
        await push(720, 780)
        reports = NoiseReports(story.manager.noise, records, story.clock)
        rule = only(await reports.report(str(BEGIN - 60), "now"))
        assert (rule.firings, rule.ended, rule.acknowledged, rule.silenced) == (2, 2, 1, 1)
        assert (rule.again, rule.notifications) == (1, 4)
        assert [(c.receiver, c.notifications, c.repeats) for c in rule.receivers] == [
            ("team", 4, 1)
        ]
        with pytest.raises(BadInput, match="time zone"):
            await reports.report(timezone="Mars/Olympus")
        with pytest.raises(BadInput, match="ends before"):
            await reports.report("now", "1d")


async def test_an_alert_that_nobody_sends_any_more_has_ended(
    records: Records, tmp_path: Path
) -> None:
    config = CONFIG.replace("48h", "60s")
    async with Story(config, tmp_path, records) as story:
        await story.push(story.alert(0))
        await story.until(100, step=5)
        await story.manager.maintain()
        found = await asyncio.to_thread(repository.load, records, 0.0)
        assert [(f.started_at, f.ended_at) for f in found] == [(BEGIN, BEGIN + 60)]
