"""The calendar of silences, windows of maintenance and events, in a real browser."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from test_web_alerts import ROUTING, Hook, received, rows, send
from web_stage import Stage, World

from pynomaly.alerting.alertmanager.matchers import parse_matchers
from pynomaly.alerting.silences.silence import Silence
from pynomaly.calendar.drafts import EventDraft
from pynomaly.calendar.events import Event
from pynomaly.calendar.service import Calendar

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 30_000
HOUR = 3600.0


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def world(hook: Hook) -> World:
    return World(calendar=True, routing=ROUTING.format(url=hook.url))


def calendar_of(stage: Stage) -> Calendar:
    assert stage.calendar is not None
    return stage.calendar


def create(stage: Stage, title: str, kind: str = "maintenance", **more: Any) -> Event:
    draft = EventDraft(kind=kind, title=title, **more)
    calendar = calendar_of(stage)
    kept = stage.run(calendar.create(draft.event(time.time(), "UTC", "anna")))
    assert isinstance(kept, Event)
    return kept


def bars(page: Page, title: str) -> Locator:
    return page.locator(".bar-of").and_(page.get_by_role("button", name=re.compile(f"^{title}:")))


def dialog_of(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Plan maintenance or another event")


def events(stage: Stage) -> list[Event]:
    now = time.time()
    found = {each.event.id: each.event for each in calendar_of(stage).between(now - 1e6, now + 1e6)}
    return list(found.values())


def test_a_window_that_is_planned_by_a_program_appears_and_holds_alerts(
    open_page: Open, stage: Stage
) -> None:
    send(stage, received("DiskFull", instance="a"), received("Slow", instance="b"))
    page = open_page("/calendar")
    expect(page.locator("#answer")).to_have_text("Nothing to come in what is shown")
    create(stage, "New disks", duration="2h", matchers=["instance=a"])
    expect(bars(page, "New disks")).to_have_count(1, timeout=SLOW)
    expect(page.locator("#answer")).to_contain_text(
        "1 silence or window lasts, holding back 1 alert", timeout=SLOW
    )
    expect(rows(page, "New disks")).to_contain_text("2 h left")
    page.goto(stage.url + "/alerts")
    expect(rows(page, "DiskFull")).to_contain_text("maintenance", timeout=SLOW)
    expect(page.locator("#answer")).to_have_text("1 alert fires, 1 held back")
    rows(page, "DiskFull").click()
    page.locator(".detail").get_by_role("link", name="New disks").click()
    page.wait_for_url("**/calendar?open=*")


def test_why_says_that_it_is_in_maintenance_and_lets_go_when_the_window_is_ended(
    open_page: Open, stage: Stage
) -> None:
    disk = received("DiskFull", instance="a")
    window = create(stage, "New disks", duration="2h", matchers=["instance=a"])
    send(stage, disk)
    page = open_page(f"/alert?fingerprint={disk.fingerprint}")
    expect(page.locator("#answer")).to_have_text("Nobody is told: in maintenance")
    held = page.get_by_label("Receiver team")
    expect(held).to_contain_text('It is held by the maintenance window "New disks" until')
    expect(held).to_contain_text('End the maintenance "New disks", or wait until')
    stage.run(calendar_of(stage).end(window.id))
    expect(page.locator("#answer")).to_contain_text("team", timeout=SLOW)


def test_where_an_alert_would_go_says_that_it_is_in_maintenance(
    open_page: Open, stage: Stage
) -> None:
    create(stage, "New disks", duration="2h", matchers=["instance=a"])
    page = open_page("/routing?labels=instance%3Da")
    expect(page.locator("#test")).to_contain_text("held by the maintenance New disks.")


def test_a_recurring_window_is_planned_with_the_keyboard(open_page: Open, stage: Stage) -> None:
    send(stage, *(received("DiskFull", instance=name) for name in "ab"))
    page = open_page("/calendar")
    expect(page.get_by_label("Filter the calendar")).to_be_visible()
    page.locator("body").press("n")
    dialog = dialog_of(page)
    expect(dialog.get_by_label("Title")).to_be_focused()
    page.keyboard.type("Nightly backup")
    dialog.get_by_label("Alerts and series with").fill('instance="a"')
    dialog.get_by_label("Begins").fill("2099-01-05T02:00")
    dialog.get_by_role("button", name="4 h", exact=True).press("Enter")
    dialog.get_by_label("Comes").select_option("Every day")
    dialog.get_by_label("By the clocks of").fill("Europe/Berlin")
    preview = dialog.get_by_role("status")
    expect(preview).to_contain_text("It would hold back 1 alert that fires now.", timeout=SLOW)
    expect(preview).to_contain_text("It comes every day")
    expect(preview.locator(".times li")).to_have_count(5)
    dialog.get_by_label("Title").press("Enter")
    expect(dialog).to_be_hidden()
    kept = stage.run(found(stage))
    assert [event.title for event in kept] == ["Nightly backup"]
    (event,) = kept
    assert event.recurrence is not None
    assert (event.recurrence.rule, event.recurrence.time_zone) == ("FREQ=DAILY", "Europe/Berlin")
    assert datetime.fromtimestamp(event.starts_at, UTC).isoformat() == "2099-01-05T01:00:00+00:00"
    assert event.ends_at - event.starts_at == 4 * HOUR
    assert event.created_by == "local"
    assert not event.learn


async def found(stage: Stage) -> list[Event]:
    far = 4_100_000_000.0
    return list({o.event.id: o.event for o in calendar_of(stage).between(0, far)}.values())


def test_what_is_wrong_with_a_plan_is_said(browser: Browser, stage: Stage) -> None:
    page = browser.new_page()  # its console says that something was refused
    page.goto(stage.url + "/calendar")
    page.get_by_role("button", name="New window").click()
    dialog = dialog_of(page)
    expect(dialog.get_by_role("status")).to_contain_text("every alert but the watchdog")
    dialog.get_by_role("button", name="Plan it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Give it a title")
    dialog.get_by_label("Title").fill("x")
    dialog.get_by_label("Alerts and series with").fill('instance=~"["')
    expect(dialog.get_by_role("alert")).to_contain_text("missing ]", timeout=SLOW)
    dialog.get_by_label("Alerts and series with").fill("")
    dialog.get_by_label("Comes").select_option("By a rule (RRULE)")
    expect(dialog.get_by_role("alert")).to_contain_text("Write a rule", timeout=SLOW)
    dialog.get_by_label("Rule of RFC 5545").fill("FREQ=OFTEN")
    expect(dialog.get_by_role("alert")).to_contain_text("FREQ", timeout=SLOW)
    dialog.get_by_label("Rule of RFC 5545").fill("FREQ=MONTHLY;BYDAY=1SU")
    expect(dialog.get_by_role("alert")).to_be_hidden(timeout=SLOW)
    expect(dialog.locator(".times li")).to_have_count(5)
    page.close()
    assert events(stage) == []


def test_a_window_is_changed_ended_and_deleted(open_page: Open, stage: Stage) -> None:
    send(stage, received("DiskFull", instance="a"))
    create(stage, "New disks", duration="2h", matchers=["instance=a"])
    page = open_page("/calendar")
    rows(page, "New disks").click()
    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change what is planned")
    expect(dialog.get_by_label("Alerts and series with")).to_have_value('instance="a"')
    dialog.get_by_label("Title").fill("New fans")
    dialog.get_by_role("button", name="Change it").click()
    expect(rows(page, "New fans")).to_have_count(1, timeout=SLOW)
    page.get_by_role("button", name="End now").click()
    page.get_by_role("button", name="Sure? 1 alert is told again").click()
    expect(rows(page, "New fans")).to_contain_text("over", timeout=SLOW)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Sure? It is forgotten").click()
    expect(rows(page)).to_have_count(0, timeout=SLOW)
    assert events(stage) == []


def test_a_month_shows_silences_beside_windows_and_leads_to_the_week(
    open_page: Open, stage: Stage
) -> None:
    now = time.time()
    silence = Silence(parse_matchers("team=db"), now, now + HOUR, created_by="bob", comment="Noisy")
    stage.run(stage.alerting.manager.silences.set(silence))
    create(stage, "Nightly backup", duration="1h", recurrence={"rule": "daily"})
    page = open_page("/calendar?view=month")
    expect(page.locator(".a-week")).not_to_have_count(1)
    expect(bars(page, "Noisy")).to_have_count(1)
    expect(bars(page, "Nightly backup").first).to_be_visible()
    # Listed once, however often it comes.
    expect(rows(page, "Nightly backup")).to_have_count(1)
    bars(page, "Noisy").click()
    expect(page.locator(".detail")).to_contain_text('team="db"')
    page.get_by_role("button", name="Week", exact=True).click()
    expect(page.locator(".a-week")).to_have_count(1)
    page.locator("body").press("ArrowRight")
    expect(page).to_have_url(re.compile(r"at=\d{4}-\d\d-\d\d"))
    expect(bars(page, "Nightly backup")).to_have_count(7)
    expect(bars(page, "Noisy")).to_have_count(0)
    page.get_by_role("button", name="Today").click()
    expect(bars(page, "Noisy")).to_have_count(1)


def test_it_is_filtered_by_kind_and_words(open_page: Open, stage: Stage) -> None:
    create(stage, "New disks", duration="2h")
    create(stage, "checkout 1.42", kind="deployment")
    page = open_page("/calendar")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Kind").select_option("Deployments")
    expect(rows(page)).to_have_count(1)
    expect(bars(page, "New disks")).to_have_count(0)
    page.get_by_label("Kind").select_option("Everything")
    page.keyboard.press("Escape")
    page.locator("body").press("/")
    page.keyboard.type("disks")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("find=disks"))


@pytest.mark.parametrize("width", [1440, 375])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_in_the_way_of_assistive_technology(
    browser: Browser, stage: Stage, theme: Any, width: int
) -> None:
    send(stage, received("DiskFull", instance="a"))
    create(stage, "New disks", duration="2h", matchers=["instance=a"])
    create(stage, "Nightly backup", duration="1h", recurrence={"rule": "daily"})
    create(stage, "checkout " + "very " * 35 + "long", kind="deployment")
    page = browser.new_page(color_scheme=theme, viewport={"width": width, "height": 900})
    page.goto(stage.url + "/calendar")
    expect(rows(page)).to_have_count(3)
    rows(page, "New disks").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for prepare in (
        lambda: None,
        lambda: page.get_by_role("button", name="Month").click(),
        lambda: page.get_by_role("button", name="New window").click(),
    ):
        prepare()
        page.wait_for_timeout(300)
        found = Axe().run(page)
        grave = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
        assert grave == [], json.dumps(grave, indent=1)[:3000]
    page.close()
