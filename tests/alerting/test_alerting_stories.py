"""What Alertmanager does, told with a fake clock: groups, timers, resolving, repeating."""

from pathlib import Path

import pytest
from alerting_story import BEGIN, Story

from pynomaly.alerting.explain import repository
from pynomaly.alerting.notifications.history import HistoryFilter


def config(route: str = "", receivers: str = "", further: str = "") -> str:
    receivers = receivers or "- {name: team, webhook_configs: [{url: 'http://x/'}]}"
    return f"""
global: {{resolve_timeout: 10s}}
route: {{receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 5s,
         repeat_interval: 1h, {route}}}
receivers:
{receivers}
{further}
"""


async def test_alerts_that_come_within_group_wait_are_told_together(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(0.5)
        await story.push(story.alert(i="b"))
        await story.until(4)
        await story.push(story.alert(i="c"))
        await story.until(20)
        firing = [(1.0, ["a", "b"]), (6.0, ["a", "b", "c"])]
        assert story.said()[:2] == firing


async def test_groups_are_told_each_for_itself(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(0.5)
        await story.push(story.alert(alertname="Other", i="b"))
        await story.until(2)
        assert [(t.at, t.group) for t in story.told] == [
            (1.0, {"alertname": "Test"}),
            (1.5, {"alertname": "Other"}),
        ]
        assert story.told[0].notification.group_key == '{}:{alertname="Test"}'


async def test_what_is_resolved_before_group_wait_is_not_told(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(0.5)
        await story.push(story.alert(start=0, end=0.5, i="a"))
        await story.until(30)
        assert story.said() == []
        assert list(story.manager.dispatcher.groups()) == []


async def test_a_group_that_ended_begins_anew_with_group_wait(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(3)
        await story.push(story.alert(start=0, end=3, i="a"))
        await story.until(7)
        await story.push(story.alert(i="a"))
        await story.until(9)
        assert story.said() == [(1.0, ["a"]), (6.0, ["a!"]), (8.0, ["a"])]
        assert [t.reason for t in story.told] == [
            "first notification", "all alerts resolved", "first notification",
        ]  # fmt: skip


async def test_an_alert_that_is_not_sent_again_is_resolved_by_timeout(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(30)
        assert story.said() == [(1.0, ["a"]), (11.0, ["a!"])]
        assert story.told[1].notification.alerts[0].resolved_at == BEGIN + 10


async def test_an_alert_older_than_group_wait_is_told_at_once(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(start=-100, i="a"))
        await story.until(0.1)
        assert story.said() == [(0.0, ["a"])]


async def test_repeating_waits_for_the_next_tick(tmp_path: Path) -> None:
    text = config("repeat_interval: 12s").replace("repeat_interval: 1h,", "")
    async with Story(text, tmp_path) as story:
        for second in range(0, 40, 5):
            await story.until(second)
            await story.push(story.alert(start=0, i="a"))
        assert [at for at, _ in story.said()] == [1.0, 16.0, 31.0]
        assert story.told[1].reason == "repeat interval elapsed"


async def test_a_repeat_interval_that_is_a_multiple_is_met_exactly(tmp_path: Path) -> None:
    text = config("repeat_interval: 10s").replace("repeat_interval: 1h,", "")
    async with Story(text, tmp_path) as story:
        for second in range(0, 40, 5):
            await story.until(second)
            await story.push(story.alert(start=0, i="a"))
        assert [at for at, _ in story.said()] == [1.0, 11.0, 21.0, 31.0]


async def test_nothing_new_is_not_told(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        for second in range(30):
            await story.until(second)
            await story.push(story.alert(start=0, i="a"))
        assert story.said() == [(1.0, ["a"])]
        group = next(story.manager.dispatcher.groups())
        assert group.trace is not None
        assert "nothing changed since" in group.trace.tellings[0].reason


async def test_one_resolved_among_others_is_told_once(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a"), story.alert(i="b", end=1000))
        await story.until(2)
        await story.push(story.alert(start=0, end=2, i="a"))
        await story.until(30)
        assert story.said() == [(1.0, ["a", "b"]), (6.0, ["a!", "b"])]
        assert story.told[1].reason == "some alerts resolved"


RECEIVERS = """
- name: team
  webhook_configs:
  - {url: 'http://one/', send_resolved: true}
  - {url: 'http://two/', send_resolved: false}
"""


def told_by(story: Story, integration: str) -> list[tuple[float, list[str]]]:
    return [(t.at, t.alerts) for t in story.told if t.notification.integration == integration]


async def test_without_send_resolved_only_what_fires_is_sent_but_all_is_remembered(
    tmp_path: Path,
) -> None:
    async with Story(config(receivers=RECEIVERS), tmp_path) as story:
        await story.push(story.alert(i="a"), story.alert(i="b"))
        await story.until(3)
        await story.push(story.alert(start=0, end=3, i="a"), story.alert(i="c", end=1000))
        await story.until(14)
        await story.push(story.alert(i="b", start=13, end=1000))
        await story.until(20)
        assert told_by(story, "webhook[0]") == [
            (1.0, ["a", "b"]), (6.0, ["a!", "b", "c"]), (11.0, ["b!", "c"]), (16.0, ["b", "c"]),
        ]  # fmt: skip
        # That b was resolved in between is remembered, though it was not sent.
        assert told_by(story, "webhook[1]") == [
            (1.0, ["a", "b"]), (6.0, ["b", "c"]),
        ]  # fmt: skip


async def test_all_resolved_clears_the_memory_of_one_that_is_not_told_so(tmp_path: Path) -> None:
    async with Story(config(receivers=RECEIVERS), tmp_path) as story:
        await story.push(story.alert(i="a"))
        await story.until(3)
        await story.push(story.alert(start=0, end=3, i="a"))
        await story.until(7)
        await story.push(story.alert(i="a"))
        await story.until(9)
        assert told_by(story, "webhook[1]") == [(1.0, ["a"]), (8.0, ["a"])]


async def test_one_way_that_fails_keeps_no_other_waiting(tmp_path: Path) -> None:
    text = config("repeat_interval: 3s", RECEIVERS).replace("repeat_interval: 1h,", "")
    text = text.replace("group_interval: 5s", "group_interval: 2s")
    async with Story(text, tmp_path) as story:
        story.fails["team/webhook[1]"] = 4.5
        await story.push(story.alert(i="a"))
        await story.until(8.5)
        # The first way waits for the group, which is busy until the second has been told.
        assert told_by(story, "webhook[0]") == [(1.0, ["a"]), (5.0, ["a"])]
        assert told_by(story, "webhook[1]")[0] == (5.0, ["a"])


async def test_a_delivery_that_fails_is_tried_until_the_next_tick_and_then_anew(
    tmp_path: Path,
) -> None:
    text = config().replace("group_interval: 5s", "group_interval: 20s")
    async with Story(text, tmp_path) as story:
        story.fails["team/webhook[0]"] = 25
        await story.push(story.alert(i="a", end=1000))
        await story.until(10)
        await story.push(story.alert(i="b", end=1000))
        await story.until(40)
        assert story.said() == [(25.0, ["a", "b"])]
        assert [n.id for n in story.attempts[:5]] == [story.attempts[0].id] * 5
        assert story.told[0].id != story.attempts[0].id  # another state, another notification
        entries = await story.manager.log.history(HistoryFilter())
        assert [(s.outcome.value, len(s.attempts)) for s in entries] == [
            ("delivered", 5), ("retryable", 20),
        ]  # fmt: skip


async def test_re_sent_alerts_are_merged(tmp_path: Path) -> None:
    text = config("repeat_interval: 1ms").replace("repeat_interval: 1h,", "")
    text = text.replace("group_interval: 5s", "group_interval: 1s")
    async with Story(text, tmp_path) as story:
        await story.until(1)
        await story.push(story.alert(start=1.1))
        await story.until(1.2)
        await story.push(story.alert(start=1))
        await story.until(2.1)
        await story.push(story.alert(start=2, annotations={"note": "v1"}))
        await story.until(3.6)
        await story.push(story.alert(start=1.5, annotations={"note": "v2"}))
        await story.until(4.6)
        await story.push(story.alert(start=3, end=4.5, annotations={"note": "v2"}))
        await story.until(4.8)
        await story.push(story.alert(start=2.9, end=4.8, annotations={"note": "v3"}))
        await story.push(story.alert(start=2.9, end=4.1, annotations={"note": "v3"}))
        await story.until(5.3)
        await story.push(story.alert(start=5))
        await story.until(6.4)
        seen = [
            (
                t.at,
                a.annotations.get("note"),
                a.fired_at - BEGIN,
                a.resolved_at and a.resolved_at - BEGIN,
            )
            for t in story.told
            for a in t.notification.alerts
        ]
        assert seen == [
            (2.0, None, 1.0, 0),
            (3.0, "v1", 1.0, 0),
            (4.0, "v2", 1.0, 0),
            (5.0, "v3", 1.0, pytest.approx(4.8)),
            (6.3, None, 5.0, 0),
        ]


INHIBIT = """
inhibit_rules:
- source_matchers: [alertname=JobDown]
  target_matchers: [alertname=InstanceDown]
  equal: [job, zone]
"""


async def test_an_inhibited_alert_is_left_out_until_its_source_is_resolved(tmp_path: Path) -> None:
    text = config("group_by: []", further=INHIBIT).replace("group_by: [alertname],", "")
    text = text.replace("group_interval: 5s", "group_interval: 1s")
    async with Story(text, tmp_path) as story:
        await story.until(1)
        await story.push(
            story.alert(alertname="InstanceDown", zone="aa", i="in-aa", end=1000),
            story.alert(alertname="InstanceDown", zone="ab", i="in-ab", end=1000),
        )
        await story.until(2.2)
        await story.push(story.alert(alertname="JobDown", zone="aa", i="job", end=1000))
        await story.until(3.6)
        await story.push(story.alert(alertname="JobDown", zone="aa", i="job", start=2.2, end=3.6))
        await story.until(8)
        assert story.said() == [
            (2.0, ["in-aa", "in-ab"]),
            (3.0, ["in-ab", "job"]),
            (4.0, ["in-aa", "in-ab", "job!"]),
        ]


async def test_source_and_target_that_are_resolved_at_once_are_told_together(
    tmp_path: Path,
) -> None:
    text = config("group_by: []", further=INHIBIT).replace("group_by: [alertname],", "")
    text = text.replace("group_interval: 5s", "group_interval: 1s")
    async with Story(text, tmp_path) as story:
        await story.until(1)
        await story.push(story.alert(alertname="InstanceDown", i="instance"))
        await story.push(story.alert(alertname="JobDown", i="job"))
        await story.until(2.6)
        await story.push(
            story.alert(alertname="JobDown", i="job", start=1, end=2.6),
            story.alert(alertname="InstanceDown", i="instance", start=1, end=2.6),
        )
        await story.until(5)
        assert story.said() == [(2.0, ["job"]), (3.0, ["instance!", "job!"])]


async def test_a_silence_holds_back_and_what_it_held_comes_after(tmp_path: Path) -> None:
    text = config("repeat_interval: 1ms").replace("repeat_interval: 1h,", "")
    text = text.replace("group_interval: 5s", "group_interval: 1s")
    async with Story(text, tmp_path) as story:
        await story.until(1)
        await story.push(story.alert(i="a", end=1000), story.alert(i="b", end=1000))
        await story.until(2.3)
        silence = await story.silence('i="a"', 2.3, 4.6)
        await story.until(6.5)
        assert story.said() == [
            (2.0, ["a", "b"]), (3.0, ["b"]), (4.0, ["b"]), (5.0, ["a", "b"]), (6.0, ["a", "b"]),
        ]  # fmt: skip
        await story.manager.journal.maintain()
        found = repository.find(story.records, story.told[0].notification.alerts[0].fingerprint)
        assert [(row["stage"], row["by"], round(row["at"] - BEGIN)) for row in found] == [
            ("", [], 5.0), ("silence", [silence.id], 3.0),
        ]  # fmt: skip


async def test_a_silence_that_is_taken_back_speaks_at_the_next_tick(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        silence = await story.silence('alertname=~".+"', 0, 1000)
        await story.push(story.alert(i="a", end=1000))
        await story.until(8)
        assert story.said() == []
        await story.manager.silences.expire(silence.id)
        await story.until(12)
        assert story.said() == [(11.0, ["a"])]


INTERVALS = """
time_intervals:
- name: night
  time_intervals: [{times: [{start_time: '22:13', end_time: '22:14'}]}]
"""  # the story begins at 22:13:20 UTC


async def test_a_muted_route_speaks_when_the_interval_is_over(tmp_path: Path) -> None:
    text = config(
        "receiver: team, routes: [{receiver: team, mute_time_intervals: [night], continue: true},"
        "{receiver: duty, active_time_intervals: [night]}]",
        "- {name: team, webhook_configs: [{url: 'http://x/'}]}\n"
        "- {name: duty, webhook_configs: [{url: 'http://y/'}]}",
        INTERVALS,
    ).replace("receiver: team, group_by", "group_by")
    async with Story(text, tmp_path) as story:
        await story.push(story.alert(i="a", end=1000))
        await story.until(35)
        assert story.said("duty") == [(1.0, ["a"])]
        assert story.said("team") == []
        group = next(g for g in story.manager.dispatcher.groups() if g.route.receiver == "team")
        assert group.trace is not None
        assert [v.by for v in group.trace.held.values()] == [("night",)]
        await story.push(story.alert(i="b", end=1000))
        await story.until(60)
        assert story.said("team") == [(41.0, ["a", "b"])]
        assert story.said("duty") == [(1.0, ["a"]), (36.0, ["a", "b"])]


async def test_alerts_are_listed_by_job_instance_and_labels(tmp_path: Path) -> None:
    async with Story(config(), tmp_path) as story:
        await story.push(
            story.alert(i="5", x="1"),
            story.alert(i="4"),
            story.alert(i="3", instance="b"),
            story.alert(i="2", job="b"),
            story.alert(i="1", job="a", instance="b"),
            story.alert(i="0", job="a", instance="a", z="1"),
        )
        await story.until(1)
        assert story.said() == [(1.0, ["0", "1", "2", "3", "4", "5"])]


async def test_what_is_new_comes_with_the_next_tick_and_then_all_repeats(tmp_path: Path) -> None:
    text = config("repeat_interval: 4900ms").replace("repeat_interval: 1h,", "")
    text = text.replace("group_interval: 5s", "group_interval: 1s")
    async with Story(text, tmp_path) as story:
        await story.until(1.1)
        await story.push(story.alert(start=1, end=900, i="1"))
        await story.until(1.7)
        await story.push(story.alert(start=1, end=900, i="5"))
        await story.until(3.3)
        await story.push(*(story.alert(start=1.5, end=900, i=i) for i in "234"))
        await story.until(10)
        every = ["1", "2", "3", "4", "5"]
        assert story.said() == [(2.1, ["1", "5"]), (4.1, every), (9.1, every)]


async def test_an_end_that_is_given_counts_until_a_later_one_is(tmp_path: Path) -> None:
    text = config().replace("group_interval: 5s", "group_interval: 1s")
    async with Story(text, tmp_path) as story:
        for second in range(5):
            await story.until(second)
            await story.push(story.alert(start=0, end=second + 3.0, i="a"))
        await story.until(20)
        assert story.said() == [(1.0, ["a"]), (7.0, ["a!"])]


async def test_names_of_labels_may_be_any_text(tmp_path: Path) -> None:
    text = config(
        "routes: [{receiver: duty, matchers: ['\"foo🙂\"=bar'], group_by: ['foo🙂']}]",
        "- {name: team}\n- {name: duty, webhook_configs: [{url: 'http://y/'}]}",
    )
    async with Story(text, tmp_path) as story:
        await story.push(story.alert(i="a", **{"foo🙂": "bar"}))
        await story.until(2)
        assert [(t.receiver, t.group) for t in story.told] == [("duty", {"foo🙂": "bar"})]
        assert story.told[0].notification.group_key == '{}/{foo🙂="bar"}:{foo🙂="bar"}'


async def test_a_reload_with_another_receiver_takes_the_group_over(tmp_path: Path) -> None:
    """The first receiver is not told of what comes after; the second is told what fires."""
    async with Story(config(), tmp_path) as story:
        await story.push(story.alert(i="a", end=900))
        await story.until(2)
        other = (
            config().replace("receiver: team", "receiver: duty").replace("name: team", "name: duty")
        )
        await story.reload(other)
        await story.until(20)
        assert story.said("team") == [(1.0, ["a"])]
        assert story.said("duty") == [(2.0, ["a"])]
