"""What a backtest of routing says: who, how often, when, and who is not told at all."""

from datetime import datetime
from pathlib import Path

import pytest

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.backtest.replay import PastAlert, replay
from pynomaly.alerting.backtest.report import routing_backtest
from pynomaly.model.labels import Labels
from pynomaly.rules.backtest.errors import BadBacktest

CONFIG = """
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
    - {receiver: pager, matchers: [severity="critical"], group_wait: 0s, continue: true}
    - receiver: chat
      matchers: [severity="warning"]
      mute_time_intervals: [nights]
    - {receiver: nobody, matchers: [severity="none"]}
inhibit_rules:
  - name: down
    source_matchers: [severity="critical"]
    target_matchers: [severity="info"]
receivers:
  - name: ops
    webhook_configs: [{url: 'http://x/'}]
  - name: pager
    webhook_configs: [{url: 'http://x/'}]
  - name: chat
    webhook_configs: [{url: 'http://x/', send_resolved: false}]
  - name: nobody
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: 00:00, end_time: 07:00}]}]
"""
START = datetime.fromisoformat("2026-01-05T00:00+00:00").timestamp()  # a Monday
HOUR, DAY = 3600.0, 86_400.0


def config(text: str = CONFIG) -> AlertmanagerConfig:
    return parse_alertmanager(text, "am.yml", Path())


def alert(severity: str, begin: float, end: float, name: str = "A") -> PastAlert:
    labels = Labels({"alertname": name, "severity": severity})
    return PastAlert(labels, START + begin, START + end)


def test_notifications_are_counted_by_receiver_reason_hour_and_night():
    alerts = [alert("warning", 12 * HOUR, 13 * HOUR), alert("critical", 23 * HOUR, 28.5 * HOUR)]
    found = routing_backtest(alerts, config(), START, START + 7 * DAY)
    ways = {way.receiver: way for way in found.report.ways}
    assert ways["chat"].notifications == 1
    # At 23:00, again after four hours, and its end.
    assert ways["pager"].reasons == {
        "first notification": 1,
        "repeat interval elapsed": 1,
        "all alerts resolved": 1,
    }
    assert (ways["pager"].per_week, ways["pager"].at_night, ways["pager"].alerts) == (3.0, 3, 1)
    assert [hour for hour, count in enumerate(ways["pager"].hours[0]) if count] == [23]
    assert [hour for hour, count in enumerate(ways["pager"].hours[1]) if count] == [3, 4]
    assert ways["ops"].notifications == 0
    assert (found.report.notifications, found.report.heard, found.report.unheard) == (4, 2, [])


@pytest.mark.parametrize(
    ("alerts", "reasons"),
    [
        ([alert("warning", 1 * HOUR, 2 * HOUR)], ["muted during nights"]),
        ([alert("none", 12 * HOUR, 13 * HOUR)], ["the receiver 'nobody' has no channel"]),
        ([alert("other", 12 * HOUR, 12 * HOUR + 20)], ["it ended before its group was told"]),
        (
            [alert("info", 12 * HOUR, 13 * HOUR), alert("critical", 11 * HOUR, 14 * HOUR)],
            ["inhibited by down"],
        ),
    ],
)
def test_an_alert_that_nobody_is_told_of_says_why(alerts: list[PastAlert], reasons: list[str]):
    (unheard,) = routing_backtest(alerts, config(), START, START + DAY).report.unheard
    assert unheard.labels == dict(alerts[0].labels)
    assert unheard.reasons == reasons


def test_an_alert_that_is_muted_at_first_is_heard_when_the_night_is_over():
    alerts = [alert("warning", 6 * HOUR, 8 * HOUR)]
    (note,) = replay(config(), alerts, START + DAY).notifications
    assert 7 * HOUR <= note.at - START < 7 * HOUR + 300
    assert routing_backtest(alerts, config(), START, START + DAY).report.unheard == []


def test_what_began_before_the_range_is_known_and_not_counted_again():
    alerts = [alert("critical", -2 * HOUR, 1 * HOUR)]
    found = routing_backtest(alerts, config(), START, START + DAY)
    pager = next(way for way in found.report.ways if way.receiver == "pager")
    assert pager.reasons == {"all alerts resolved": 1}


def test_a_group_that_sleeps_between_repeats_is_woken_at_its_regular_times():
    alerts = [
        alert("critical", 0.0, 10 * HOUR, "A"),
        PastAlert(Labels({"alertname": "A", "severity": "critical", "i": "2"}), START + 3700),
    ]
    notes = replay(config(), alerts, START + 5 * HOUR).notifications
    assert [(note.at - START, note.reason) for note in notes] == [
        (0.0, "first notification"),
        (3900.0, "new alerts added"),
    ]


def test_two_configurations_differ_in_the_alerts_that_go_elsewhere():
    other = config(CONFIG.replace("mute_time_intervals: [nights]", "continue: false"))
    alerts = [alert("warning", 1 * HOUR, 2 * HOUR), alert("critical", 12 * HOUR, 13 * HOUR)]
    found = routing_backtest(alerts, config(), START, START + DAY, against=other)
    (changed,) = found.rerouted
    assert (changed.labels["severity"], changed.a, changed.b) == ("warning", [], ["chat"])
    assert found.against is not None
    assert found.against.notifications == found.report.notifications + 1


def test_nights_and_hours_are_those_of_the_time_zone():
    alerts = [alert("critical", 12 * HOUR, 12.2 * HOUR)]
    found = routing_backtest(alerts, config(), START, START + DAY, timezone="Pacific/Auckland")
    pager = next(way for way in found.report.ways if way.receiver == "pager")
    assert pager.hours[1][1] == 2
    assert pager.at_night == 2
    with pytest.raises(BadBacktest):
        routing_backtest(alerts, config(), START, START + DAY, timezone="Nowhere")
