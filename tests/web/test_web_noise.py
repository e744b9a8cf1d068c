"""Less noise in a real browser: what tells in vain, and taking an alert on."""

import time
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from web_stage import Stage, World

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.firings import repository
from pynomaly.alerting.firings.firing import Firing
from pynomaly.alerting.firings.repository import Cell, Count
from pynomaly.alerting.suppression.counts import Candidate
from pynomaly.alerting.suppression.rule import read_rule
from pynomaly.model.alert import fingerprint
from pynomaly.model.labels import Labels

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]

ROUTING = """
route: {receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1h}
receivers: [{name: team}]
"""
DAYS = 86_400.0


@pytest.fixture
def world() -> World:
    return World(routing=ROUTING)


def fired(stage: Stage) -> None:
    """A week: one rule that nobody acts on, and one that somebody does."""
    now = time.time()
    vain = [
        Firing(
            f"{number % 4:016x}",
            begin := now - 6 * DAYS + number * 7_000,
            "DiskAlmostFull",
            "warning",
            ended_at=begin + (90 if number % 3 else 4_000),
            notifications=2,
            again=number % 2 == 1,
        )
        for number in range(60)
    ]
    acted = [
        Firing(
            f"{99:016x}",
            begin := now - 5 * DAYS + number * 40_000,
            "CheckoutDown",
            "critical",
            ended_at=begin + 1_800,
            notifications=2,
            acknowledged_at=begin + 60,
        )
        for number in range(5)
    ]
    hour = int(now // 3600)
    told = {
        Cell("DiskAlmostFull", "team", hour - 30): Count(120, 12),
        Cell("CheckoutDown", "duty", hour - 30): Count(10, 0),
    }
    with stage.alerting.manager.noise.firings._records.writing() as session:
        repository.save(session, [*vain, *acted])
        repository.add_notifications(session, told)


def send(stage: Stage, name: str, instance: str = "db-1") -> ReceivedAlert:
    now = time.time()
    labels = Labels({"alertname": name, "severity": "warning", "instance": instance})
    alert = ReceivedAlert(
        labels, Labels({}), now - 60, now + 3600, now, fingerprint(labels), timeout=True
    )
    stage.run(stage.alerting.manager.alerts.put([alert]))
    stage.publish("samples")
    return alert


def test_the_report_ranks_what_nobody_acts_on_and_says_what_would_help(
    stage: Stage, open_page: Open
) -> None:
    fired(stage)
    page = open_page("/noise")
    expect(page.locator("#answer")).to_contain_text("1 rule told in vain; 120 notifications")
    first, second = page.locator(".list [data-row]").all()
    expect(first).to_contain_text("DiskAlmostFull")
    expect(first).to_contain_text("in vain")
    expect(second).to_contain_text("acted on")
    first.click()
    detail = page.locator(".list .detail")
    expect(detail).to_contain_text("team 120 times, 12 of them repetitions")
    expect(detail).to_contain_text("30 firings within an hour of one before")
    expect(detail.get_by_role("img")).to_have_count(1)
    page.get_by_role("button", name="Never acted on").click()
    expect(page.locator(".list [data-row]")).to_have_count(1)


def test_a_proposed_rule_is_added_with_a_click_and_removed_again(
    stage: Stage, open_page: Open
) -> None:
    fired(stage)
    page = open_page("/noise?open=DiskAlmostFull")
    page.get_by_role("button", name="Add this rule").click()
    rules = page.locator("#suppression")
    expect(rules).to_contain_text("DiskAlmostFull once an hour")
    expect(rules).to_contain_text('1 in 60 min for each alert, of alertname="DiskAlmostFull"')
    (rule,) = stage.alerting.manager.noise.suppression.rules()
    assert (rule.window, rule.most) == (3600, 1)
    page.get_by_role("button", name="Remove DiskAlmostFull once an hour").click()
    expect(rules).to_be_empty()


def test_an_alert_is_acknowledged_on_its_row_by_key_and_on_its_page(
    stage: Stage, open_page: Open
) -> None:
    alert = send(stage, "DiskFull")
    page = open_page("/alerts")
    row = page.locator(".list [data-row]")
    row.focus()
    page.keyboard.press("a")
    expect(row).to_contain_text("acknowledged by local")
    page.goto(f"{stage.url}/alert?fingerprint={alert.fingerprint}")
    expect(page.locator("#facts")).to_contain_text("Acknowledgedby local")
    page.get_by_role("button", name="Withdraw acknowledgement").click()
    expect(page.get_by_role("button", name="Acknowledge", exact=True)).to_be_visible()
    assert stage.alerting.manager.noise.acknowledgements.of(alert.fingerprint, 0) is None


def test_an_alert_that_flaps_and_one_that_is_suppressed_are_marked_and_explained(
    stage: Stage, open_page: Open
) -> None:
    noise = stage.alerting.manager.noise
    rule = {"name": "one of a name", "time_window": 600, "max_alerts_in_window": 1}
    stage.run(noise.suppression.add(read_rule({**rule, "by": "alertname"}), "ann"))
    first = send(stage, "Slow", "web-1")
    page = open_page("/alerts?group=none")
    row = page.locator(".list [data-row]")
    expect(row).to_have_count(1)
    other = Candidate("team", "another", time.time(), first.labels)
    deadline = time.monotonic() + 30
    while noise.suppression.held(other) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    second = send(stage, "Slow", "web-2")
    now = time.time()
    noise.flapping.restore(first.fingerprint, [now - 10 * n for n in range(9)], now - 80)
    stage.publish("samples")
    expect(row.filter(has_text="web-1")).to_contain_text("flapping")
    expect(row.filter(has_text="web-2")).to_contain_text("suppressed")
    page.get_by_role("button", name="Held back").click()
    expect(row).to_have_count(1)
    page.goto(f"{stage.url}/alert?fingerprint={second.fingerprint}")
    expect(page.locator("#answer")).to_contain_text("Nobody is told: suppressed")
    expect(page.locator("#paths")).to_contain_text("rule one of a name allows 1 alert in 10m")
    page.goto(f"{stage.url}/alert?fingerprint={first.fingerprint}")
    expect(page.locator("#facts")).to_contain_text("9 changes; calm at")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_page_of_noise(
    stage: Stage, open_page: Open, scheme: str
) -> None:
    fired(stage)
    page = open_page("/noise?open=DiskAlmostFull")
    page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
    expect(page.locator(".list .detail")).to_be_visible()
    page.get_by_role("button", name="Add this rule").click()
    expect(page.locator("#suppression li")).to_have_count(1)
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["impact"]) for v in found if v["impact"] in ("serious", "critical")] == []
