"""Windows of maintenance, told with a fake clock: what they hold back, and what comes after."""

from dataclasses import replace
from pathlib import Path

from pynomaly.alerting.explain import repository
from tests.alerting.alerting_story import BEGIN, DAY, Story

CONFIG = """
global: {resolve_timeout: 10d}
route: {receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 5s,
        repeat_interval: 30d}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
"""


async def test_what_fires_in_a_window_is_told_at_the_next_tick_after_it(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.maintain("i=a", 0, 18)
        await story.push(story.alert(i="a"))
        await story.until(17.9)
        assert story.said() == []
        await story.until(30)
        assert story.said() == [(21.0, ["a"])]


async def test_what_fires_and_ends_in_a_window_is_never_told(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.maintain("i=a", 0, 18)
        await story.push(story.alert(i="a"), story.alert(i="b"))
        await story.until(8)
        await story.push(story.alert(start=0, end=8, i="a"))
        await story.until(30)
        assert story.said() == [(1.0, ["b"])]


async def test_the_end_of_what_was_told_before_the_window_is_told_in_it(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a"), story.alert(i="b"))
        await story.until(2)
        story.maintain("", 3, 100)
        await story.until(12)
        await story.push(story.alert(start=0, end=12, i="a"))
        await story.until(50)
        # The one that fires on is held; it was told of already and is not told again.
        assert story.said() == [(1.0, ["a", "b"]), (16.0, ["a!"])]


async def test_a_window_that_is_made_while_an_alert_fires_lets_its_end_through(
    tmp_path: Path,
) -> None:
    async with Story(CONFIG, tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(2)
        story.maintain("i=a", -3600, 100)  # as if it had begun long ago
        await story.push(story.alert(start=0, end=3, i="a"))
        await story.until(10)
        assert story.said() == [(1.0, ["a"]), (6.0, ["a!"])]


async def test_others_of_the_group_are_told_without_it(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.maintain("i=~a|b", 0, 18)
        await story.push(*(story.alert(i=name) for name in "abc"))
        await story.until(30)
        assert story.said() == [(1.0, ["c"]), (21.0, ["a", "b", "c"])]


async def test_a_recurring_window_holds_every_night(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.maintain("i=a", 10, 20, rule="FREQ=DAILY")
        await story.until(12)
        await story.push(story.alert(i="a"))
        await story.until(22)
        assert story.said() == []
        await story.until(30)
        assert story.said() == [(23.0, ["a"])]
        story.clock._now = BEGIN + DAY + 5
        await story.push(story.alert(start=12, end=DAY + 5, i="a"))
        await story.until(DAY + 9)
        before = len(story.said())
        await story.until(DAY + 12)
        await story.push(story.alert(start=DAY + 12, i="b", alertname="Other"))
        await story.push(story.alert(start=DAY + 12, i="a", alertname="Other"))
        await story.until(DAY + 19)
        assert story.said()[before:] == [(DAY + 13.0, ["b"])]
        await story.until(DAY + 30)
        assert story.said()[before + 1 :] == [(DAY + 23.0, ["a", "b"])]


async def test_a_window_that_ends_sooner_lets_go_sooner(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        window = story.maintain("i=a", 0, 1000)
        await story.push(story.alert(i="a"))
        await story.until(7)
        story.plan.add(replace(window, ends_at=BEGIN + 7, updated_at=BEGIN + 7))
        await story.until(20)
        assert story.said() == [(11.0, ["a"])]


async def test_the_watchdog_goes_on_unless_a_matcher_names_it(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.maintain("", 0, 100)
        story.maintain("alertname!=Other", 0, 100)
        await story.push(story.alert(alertname="Watchdog"), story.alert(alertname="Other"))
        await story.until(10)
        assert story.said() == [(1.0, ["Watchdog"])]
        assert story.manager.fires("Watchdog")
        story.maintain("alertname=~Watch.*", 0, 100)
        labels = story.alert(alertname="Watchdog").labels
        windows = story.manager.maintenance.windows(labels, BEGIN + 10)
        assert [window.event.id for window in windows] == ["window-2"]


async def test_what_is_no_maintenance_holds_nothing(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        window = story.maintain("i=a", 0, 100)
        story.plan.add(replace(window, kind=type(window.kind).DEPLOYMENT))
        await story.push(story.alert(i="a"))
        await story.until(10)
        assert story.said() == [(1.0, ["a"])]


async def test_after_a_restart_in_a_window_it_is_held_on(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        story.maintain("i=a", 0, 18)
        await story.push(story.alert(i="a"))
        await story.until(7)
        await story.crash()
        await story.until(17)
        assert story.said() == []
        await story.until(30)
        assert [alerts for _, alerts in story.said()] == [["a"]]


async def test_the_journal_says_when_a_window_held_and_let_go(tmp_path: Path) -> None:
    async with Story(CONFIG, tmp_path) as story:
        window = story.maintain("i=a", 0, 18)
        alert = story.alert(i="a")
        await story.push(alert)
        await story.until(30)
        await story.manager.journal.maintain()
        rows = repository.find(story.records, alert.fingerprint)
        assert [(row["at"] - BEGIN, row["stage"], row["by"]) for row in rows] == [
            (21.0, "", []),
            (1.0, "maintenance", [window.id]),
        ]
        assert rows[1]["reason"] == (
            'held by the maintenance window "new disks" until 2023-11-14T22:13:38Z'
        )
