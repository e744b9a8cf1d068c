"""The list of the rules and the page of one, in a real browser over rules that are evaluated."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from web_stage import METADATA, Stage, World, line, metric

from pynomaly.web.notes import RuleNote

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 30_000
RULES = """
groups:
- name: queue
  rules:
  - alert: QueueLong
    expr: queue_length > 10
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.queue }} holds {{ $value }}'}
  - alert: QueueGrows
    expr: queue_length > 1
    for: 2h
  - alert: QueueGone
    expr: absent(queue_length)
  - alert: Watchdog
    expr: vector(1)
    labels: {severity: none}
  - alert: Clash
    expr: queue_length * on() queue_workers
- name: totals
  rules:
  - record: queue:length:sum
    expr: sum(queue_length)
"""


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    world.rules = RULES
    it = Stage(world)
    now = time.time()
    # Every six hours the queue is long for one hour, and it is now.
    length = metric("queue_length", queue="mail")
    it.append(
        line(
            length,
            lambda t: 40.0 if max(0.0, now - t) % 21600 < 3600 else 3.0,
            seconds=172_800,
            step=60,
        ),
        METADATA,
    )
    for name in "ab":
        it.append([(metric("queue_workers", worker=name), round(now * 1000), 1.0)])
    it.start()
    yield it
    it.stop()


def test_rules_are_listed_by_consequence_with_what_they_found(open_page: Open) -> None:
    page = open_page("/rules")
    expect(page.locator("#answer")).to_have_text("1 of 6 does not", timeout=SLOW)
    names = page.locator("[data-row] strong")
    expect(names).to_have_text(
        ["Clash", "QueueLong", "QueueGrows", "Watchdog", "QueueGone", "queue:length:sum"],
        timeout=SLOW,
    )
    firing = page.locator("[data-row]", has_text="QueueLong")
    expect(firing).to_contain_text("firing")
    expect(firing.locator(".num").first).to_have_text("40")
    expect(page.locator("[data-row]", has_text="Clash")).to_contain_text("many-to-many")
    expect(page.locator("[data-row]", has_text="Watchdog")).to_contain_text("by design")
    expect(page.locator("#filters .end")).to_have_text("6 rules in 2 groups")


def test_the_list_changes_with_the_rules_without_reload(open_page: Open, stage: Stage) -> None:
    page = open_page("/rules")
    expect(page.locator("[data-row]")).to_have_count(6, timeout=SLOW)
    page.evaluate("window.sameDocument = true")
    stage.append([(metric("queue_length", queue="mail"), round(time.time() * 1000), 0.0)])
    quiet = page.locator("[data-row]", has_text="QueueLong")
    expect(quiet).to_contain_text("quiet", timeout=SLOW)
    stage.apply("groups: [{name: queue, rules: [{alert: Other, expr: vector(1)}]}]")
    expect(page.locator("[data-row] strong")).to_have_text(["Other"], timeout=SLOW)
    assert page.evaluate("window.sameDocument")


def test_a_filter_is_in_the_address_and_says_what_it_hides(open_page: Open) -> None:
    page = open_page("/rules?kind=record")
    expect(page.locator("[data-row] strong")).to_have_text(["queue:length:sum"])
    page.get_by_role("button", name="Any").click()
    page.get_by_role("searchbox", name="Filter rules").fill("grows")
    expect(page.locator("#filters .end")).to_have_text("1 of 6")
    assert "find=grows" in page.url


def test_from_the_list_to_the_rule_with_its_history(open_page: Open) -> None:
    page = open_page("/rules")
    page.locator("[data-row]", has_text="QueueLong").click()
    page.get_by_role("link", name="Open the rule").click()
    expect(page.locator("h1")).to_have_text("QueueLong")
    expect(page.locator("#answer")).to_have_text("It fires", timeout=SLOW)
    expect(page.locator("#facts")).to_contain_text("40 of 1 series")
    page.wait_for_selector('[aria-labelledby="h-expression"][data-drawn]', timeout=SLOW)
    page.wait_for_selector('[aria-labelledby="h-alerts"][data-drawn]', timeout=SLOW)
    link = page.get_by_role("link", name="Explore its expression")
    assert "queue_length+%3E+10" in (link.get_attribute("href") or "")


def test_a_backtest_says_when_it_would_have_fired(open_page: Open) -> None:
    page = open_page("/rules?find=QueueLong")
    page.locator("[data-row]").click()
    page.get_by_role("link", name="Open the rule").click()
    form = page.get_by_role("form", name="Backtest")
    form.get_by_role("combobox").select_option("1d")
    form.get_by_label("Thresholds").fill("2, 50")
    form.get_by_label("“for”").fill("2h")
    form.get_by_role("button", name="Try it").click()
    # It was long four times in the day before, and it may have been so when the range began.
    expect(page.locator(".verdict strong")).to_have_text(re.compile("^[45] alerts$"), timeout=SLOW)
    sweep = page.get_by_role("region", name="Sweep").locator("tbody tr")
    expect(sweep).to_have_count(6)
    expect(sweep.locator("xpath=self::*[@data-given]")).to_contain_text("as it is")
    expect(page.get_by_role("img", name=re.compile("Alerts by threshold"))).to_be_visible()
    events = page.get_by_role("region", name="Alerts that would have fired")
    expect(events.locator("tbody tr").first).to_contain_text("queue=mail")
    # The address runs it again.
    page.reload()
    expect(page.locator(".verdict strong")).to_have_text(re.compile("^[45] alerts$"), timeout=SLOW)


def test_a_mistake_in_the_form_is_said_and_nothing_is_asked(open_page: Open) -> None:
    page = open_page("/rules?find=QueueLong")
    page.locator("[data-row]").click()
    page.get_by_role("link", name="Open the rule").click()
    form = page.get_by_role("form", name="Backtest")
    form.get_by_label("“for”").fill("soon")
    form.get_by_role("button", name="Try it").click()
    expect(page.locator(".backtest .error")).to_contain_text("30s, 5m or 1h")


def test_a_recording_rule_shows_what_it_recorded_and_no_backtest(open_page: Open) -> None:
    page = open_page("/rules?kind=record")
    page.locator("[data-row]").click()
    page.get_by_role("link", name="Open the rule").click()
    expect(page.get_by_role("heading", name="What it recorded")).to_be_visible()
    expect(page.get_by_role("form", name="Backtest")).to_have_count(0)


def test_findings_of_lint_stand_beside_the_rule(open_page: Open, world: World) -> None:
    note = RuleNote("rate-of-gauge", "warning", "it is a gauge", "deriv(x[5m])", "x fell at 3:00")
    world.notes = {"QueueGone": [note]}
    page = open_page("/rules?find=QueueGone")
    expect(page.locator("[data-row]")).to_contain_text("1 finding")
    page.locator("[data-row]").click()
    expect(page.locator(".detail .finding")).to_contain_text("it is a gauge rate-of-gauge")
    page.get_by_role("link", name="Open the rule").click()
    expect(page.locator("#facts .finding pre")).to_have_text("deriv(x[5m])")
    expect(page.locator("#facts .finding")).to_contain_text("x fell at 3:00")


def test_links_in_prometheus_form_lead_to_the_explorer(open_page: Open) -> None:
    page = open_page("/graph?g0.expr=queue_length&g0.tab=1")
    expect(page.get_by_role("combobox", name="Query A")).to_have_value("queue_length")
    assert "/explore?" in page.url and "view=table" in page.url


def test_a_rule_that_is_gone_is_said_to_be(open_page: Open) -> None:
    page = open_page("/rule?id=none")
    expect(page.locator("main")).to_contain_text("There is no such rule")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_pages_are_accessible(open_page: Open, scheme: str) -> None:
    page = open_page("/rules")
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.locator("[data-row]", has_text="QueueLong").click()
    assert serious(page) == []
    page.get_by_role("link", name="Open the rule").click()
    page.get_by_role("form", name="Backtest").get_by_role("button").click()
    page.wait_for_selector(".result[data-done]", timeout=SLOW)
    assert serious(page) == []


def test_a_phone_shows_the_same_without_scrolling_sideways(open_page: Open) -> None:
    page = open_page("/rules")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("[data-row]", has_text="QueueLong").click()
    page.get_by_role("link", name="Open the rule").click()
    page.get_by_role("form", name="Backtest").get_by_role("button").click()
    page.wait_for_selector(".result[data-done]", timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:200]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
