"""What people did, on the charts of the pages, in a real browser."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from web_stage import Stage, World, line, metric

from pynomaly.calendar.drafts import EventDraft
from pynomaly.calendar.events import Event

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 30_000


@pytest.fixture
def world() -> World:
    return World(calendar=True)


def create(stage: Stage, kind: str, title: str, **more: Any) -> Event:
    assert stage.calendar is not None
    event = EventDraft(kind=kind, title=title, **more).event(time.time(), "UTC", "anna")
    kept = stage.run(stage.calendar.create(event))
    assert isinstance(kept, Event)
    return kept


def chart(page: Page, name: str) -> Locator:
    return page.locator("section.panel").filter(has=page.get_by_role("heading", name=name))


def marks(of: Locator, title: str = "") -> Locator:
    every = of.locator(".mark")
    return every.filter(has_text=title) if title else every


def test_an_event_that_comes_appears_on_an_open_page(open_page: Open, stage: Stage) -> None:
    create(stage, "deployment", "checkout 1.41", starts_at="20m")
    page = open_page("/")
    cpu = chart(page, "CPU busy")
    expect(marks(cpu, "checkout 1.41")).to_have_count(1, timeout=SLOW)
    page.evaluate("window.sameDocument = true")
    create(stage, "maintenance", "New disks", starts_at="10m", duration="5m")
    create(stage, "configuration", "pool 20 to 40")
    expect(marks(cpu)).to_have_count(3, timeout=SLOW)
    expect(page.locator("section.panel .mark", has_text="New disks")).to_have_count(8)
    assert page.evaluate("window.sameDocument")
    shade, line_ = marks(cpu, "New disks"), marks(cpu, "checkout 1.41")
    assert shade.evaluate("e => e.offsetWidth") > 20
    assert line_.evaluate("e => e.offsetWidth") == 1


def test_a_mark_is_where_its_time_is_and_says_what_it_is(open_page: Open, stage: Stage) -> None:
    create(stage, "deployment", "checkout 1.42", starts_at="30m", text="By the pipeline")
    page = open_page("/explore?q=node_load1")
    mark = page.locator(".mark")
    expect(mark).to_have_count(1, timeout=SLOW)
    place = mark.evaluate(
        "e => { const p = e.closest('.plot').getBoundingClientRect();"
        " return (e.getBoundingClientRect().left - p.left - 58) / (p.width - 70); }"
    )
    assert place == pytest.approx(0.5, abs=0.03)
    expect(mark.locator(".tip")).to_be_hidden()
    mark.hover()
    expect(mark.locator(".tip")).to_be_visible()
    expect(mark.locator(".tip")).to_contain_text("checkout 1.42")
    expect(mark.locator(".tip")).to_contain_text("by anna")


def test_the_list_of_a_chart_says_the_same_to_everyone(open_page: Open, stage: Stage) -> None:
    create(stage, "maintenance", "New disks", starts_at="20m", duration="10m")
    create(stage, "other", "A talk", starts_at="5m", link="https://example.com/talk")
    page = open_page("/explore?q=node_load1")
    button = page.get_by_role("button", name="2 events")
    expect(button).to_be_visible(timeout=SLOW)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    rows = page.locator(".happenings li")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("A talk")
    expect(rows.nth(0).get_by_role("link")).to_have_attribute("href", "https://example.com/talk")
    expect(rows.nth(1)).to_contain_text("maintenance")
    expect(rows.nth(1)).to_contain_text("10 min")


def test_a_chart_shows_what_concerns_its_series(open_page: Open, stage: Stage) -> None:
    for job in ("api", "shop"):
        stage.append(line(metric("hits_total", job=job, code="200"), lambda t: t % 1000))
    create(stage, "deployment", "of the api", starts_at="9m", matchers=["service=api"])
    create(stage, "deployment", "of the shop", starts_at="6m", matchers=["service=shop"])
    create(stage, "deployment", "of all", starts_at="3m")
    page = open_page("/explore?q=hits_total%7Bjob%3D%22api%22%7D")
    expect(page.locator(".mark")).to_have_count(2, timeout=SLOW)
    expect(page.locator(".mark", has_text="of the shop")).to_have_count(0)
    # What its selector asks for is known of a sum, too.
    page.goto(stage.url + "/explore?q=sum(rate(hits_total%7Bjob%3D%22shop%22%7D%5B5m%5D))")
    expect(page.locator(".mark", has_text="of the shop")).to_have_count(1, timeout=SLOW)
    expect(page.locator(".mark", has_text="of the api")).to_have_count(0)
    # What may be among the summed is shown.
    page.goto(stage.url + "/explore?q=sum(rate(hits_total%5B5m%5D))")
    expect(page.locator(".mark")).to_have_count(3, timeout=SLOW)


def test_one_switch_hides_them_everywhere_and_is_remembered(open_page: Open, stage: Stage) -> None:
    create(stage, "deployment", "checkout 1.41", starts_at="20m")
    page = open_page("/")
    mark = marks(chart(page, "CPU busy"))
    expect(mark).to_have_count(1, timeout=SLOW)
    switch = page.get_by_role("button", name="Events", exact=True)
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(mark).to_be_hidden()
    page.goto(stage.url + "/explore?q=node_load1")
    expect(page.locator("section.panel[data-drawn]")).to_be_visible(timeout=SLOW)
    expect(page.locator(".mark")).to_have_count(1)
    expect(page.locator(".mark")).to_be_hidden()
    page.locator("body").press("e")
    expect(page.locator(".happened")).to_be_visible()
    expect(switch).to_have_attribute("aria-pressed", "true")


def test_a_fixed_range_shows_what_changes_too(open_page: Open, stage: Stage) -> None:
    event = create(stage, "deployment", "checkout 1.41", starts_at="20m")
    to = round(time.time() * 1000)
    page = open_page(f"/explore?q=node_load1&from={to - 3_600_000}&to={to}")
    expect(page.locator(".mark")).to_have_count(1, timeout=SLOW)
    create(stage, "deployment", "checkout 1.42", starts_at="10m")
    expect(page.locator(".mark")).to_have_count(2, timeout=SLOW)
    assert stage.calendar is not None
    stage.run(stage.calendar.delete(event.id))
    expect(page.locator(".mark")).to_have_count(1, timeout=SLOW)


def test_many_events_are_drawn_without_words_on_top_of_each_other(
    open_page: Open, stage: Stage
) -> None:
    for number in range(60):
        create(stage, "deployment", f"release number {number}", starts_at=f"{number * 50}s")
    page = open_page("/explore?q=node_load1")
    expect(page.get_by_role("button", name="60 events")).to_be_visible(timeout=SLOW)
    boxes = page.evaluate(
        "[...document.querySelectorAll('.mark .label')].filter(e => e.offsetParent)"
        ".map(e => { const b = e.getBoundingClientRect(); return [b.left, b.right]; })"
    )
    ordered = sorted(boxes)
    assert len(ordered) > 2
    assert all(a[1] <= b[0] + 1 for a, b in pairwise(ordered))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_in_the_way_of_assistive_technology(
    browser: Browser, stage: Stage, theme: Any
) -> None:
    create(stage, "maintenance", "New disks", starts_at="20m", duration="10m")
    create(stage, "deployment", "checkout 1.41", starts_at="5m")
    page = browser.new_page(color_scheme=theme)
    page.goto(stage.url + "/explore?q=node_load1")
    page.get_by_role("button", name="2 events").click(timeout=SLOW)
    expect(page.locator(".happenings li")).to_have_count(2)
    found = Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    page.close()
    assert serious == [], json.dumps(serious, indent=1)[:3000]
