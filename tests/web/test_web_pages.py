"""What people see, in a real browser over a real server."""

import math
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from web_stage import Stage, World, alert, host, line, metric, target

from pynomaly.web.deps import Component, Health, Stats, Status

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
LOAD = 'section.panel[aria-labelledby="h-load"]'
SLOW = 30_000


def drawn(page: Page, selector: str = "section.panel") -> None:
    page.wait_for_selector(f"{selector}[data-drawn]", timeout=SLOW)


def explore(*queries: str, **more: str) -> str:
    pairs = [*(("q", q) for q in queries), *more.items()]
    return "/explore?" + "&".join(f"{name}={quote(value)}" for name, value in pairs)


def test_the_overview_answers_its_question(open_page: Open, world: World) -> None:
    world.scraped = [target("db:9100")]
    page = open_page("/")
    expect(page.locator("#answer")).to_have_text("Yes")
    expect(page.locator("#trouble")).to_contain_text("No alert fires. The one target answers.")
    drawn(page)


def test_values_change_without_reload(open_page: Open, stage: Stage) -> None:
    page = open_page("/")
    drawn(page, LOAD)
    page.evaluate("window.sameDocument = true")
    stage.append([(metric("node_load1", instance="localhost", job="node"), _now(), 77.7)])
    expect(page.locator(f"{LOAD} .only")).to_have_text("77.7", timeout=SLOW)
    assert page.evaluate("window.sameDocument")


def test_a_new_series_appears_on_an_open_chart(open_page: Open, stage: Stage) -> None:
    page = open_page("/")
    drawn(page, LOAD)
    stage.append([(metric("node_load1", instance="second", job="node"), _now(), 5.0)])
    expect(page.locator(f"{LOAD} .legend .name")).to_have_text(
        ["localhost", "second"], timeout=SLOW
    )


def test_trouble_comes_first_and_goes_away(open_page: Open, stage: Stage, world: World) -> None:
    page = open_page("/")
    expect(page.locator("#answer")).to_have_text("Yes")
    world.firing = [alert("TargetDown", instance="db:9100")]
    world.scraped = [target("db:9100", error="connection refused")]
    stage.publish("alerts")
    expect(page.locator("#answer")).to_contain_text(
        "No: 1 alert fires, 1 of 1 targets does not answer"
    )
    expect(page.locator("#trouble")).to_contain_text("TargetDown on db:9100")
    expect(page.locator('[data-count="alerts"]')).to_have_text("1")
    world.firing, world.scraped = [], [target("db:9100")]
    stage.publish("alerts")
    expect(page.locator("#answer")).to_have_text("Yes")


def test_a_target_that_no_alert_speaks_of_is_trouble_as_well(open_page: Open, world: World) -> None:
    world.scraped = [target("db:9100", error="connection refused")]
    page = open_page("/")
    expect(page.locator("#answer")).to_have_text("No: 1 of 1 targets does not answer")
    expect(page.locator("#trouble")).to_contain_text("connection refused")


def test_what_is_unusual_is_named(open_page: Open, stage: Stage) -> None:
    page = open_page("/")
    expect(page.locator("#columns")).to_contain_text("No series is judged yet")
    judged = (metric("pynomaly_detection_judged_series"), _now(), 1.0)
    stage.append([(metric("anomaly_score", of="latency", path="/x"), _now(), 0.93), judged])
    row = page.locator("#columns a", has_text='latency{path="/x"}')
    expect(row).to_contain_text("0.93", timeout=SLOW)
    expect(page.locator("#trouble")).to_contain_text("1 of 1 series behaves unusually.")


def test_a_component_that_is_not_well_is_named(open_page: Open, stage: Stage, world: World) -> None:
    page = open_page("/")
    world.health = Health(
        Status.DEGRADED, [Component("storage", Status.DEGRADED, "the disk is nearly full")]
    )
    stage.publish("alerts")
    expect(page.locator("#answer")).to_contain_text("storage is not well")
    expect(page.locator("#trouble")).to_contain_text("the disk is nearly full")


def test_without_data_every_chart_says_so(browser: Browser) -> None:
    stage = Stage(World())
    stage.start()
    try:
        page = browser.new_page()
        page.goto(stage.url + "/")
        expect(page.locator(".over strong")).to_have_text(["No data"] * 8, timeout=SLOW)
        expect(page.locator('.tile[data-status="none"]')).to_have_count(8)
        expect(page.locator("#answer")).to_have_text("Not known: nothing is measured yet")
        page.close()
    finally:
        stage.stop()


def test_a_query_is_completed_and_answered(open_page: Open) -> None:
    page = open_page("/explore")
    editor = page.get_by_role("combobox", name="Query A")
    editor.press_sequentially("node_lo")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("node_load1")
    expect(options.first).to_contain_text("1 minute load average.")
    editor.press("Tab")
    editor.press_sequentially("{inst")
    expect(options.first).to_contain_text("instance")
    editor.press("Tab")
    editor.press_sequentially('="')
    expect(options.first).to_contain_text("localhost")
    editor.press("Tab")
    editor.press_sequentially("}")
    expect(editor).to_have_value('node_load1{instance="localhost"}')
    editor.press("Control+Enter")
    drawn(page)
    expect(page.locator("#answer")).to_have_text("1 series")
    expect(page.locator(".querystats")).to_contain_text("step 15 s")


def test_functions_and_keywords_are_completed(open_page: Open) -> None:
    page = open_page("/explore")
    editor = page.get_by_role("combobox", name="Query A")
    editor.press_sequentially("hist")
    expect(page.get_by_role("option").nth(1)).to_contain_text("histogram_quantile")
    editor.press("ArrowDown")
    editor.press("Enter")
    expect(editor).to_have_value("histogram_quantile(")


def test_a_completion_that_was_chosen_stays_so_when_more_is_typed(open_page: Open) -> None:
    page = open_page("/explore")
    editor = page.get_by_role("combobox", name="Query A")
    editor.press_sequentially("histo")
    expect(page.get_by_role("option").nth(1)).to_contain_text("histogram_quantile")
    editor.press("ArrowDown")
    editor.press_sequentially("gram")
    expect(page.get_by_role("option").first).to_contain_text("histogram")
    offered = page.get_by_role("listbox", name="Completions")
    expect(offered.get_by_role("option", selected=True)).to_contain_text("histogram_quantile")
    editor.press("Enter")
    expect(editor).to_have_value("histogram_quantile(")


def test_the_address_of_a_query_shows_a_colleague_the_same(open_page: Open) -> None:
    address = explore("node_load1", "up", range="3h", step="60", view="table")
    page = open_page(address)
    expect(page.get_by_role("combobox", name="Query A")).to_have_value("node_load1")
    expect(page.get_by_role("combobox", name="Query B")).to_have_value("up")
    expect(page.get_by_role("button", name="Table", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator("#range-button")).to_contain_text("Last 3 h")
    expect(page.get_by_role("cell", name="node_load1")).to_be_visible()
    page.get_by_role("button", name="Graph", exact=True).click()
    drawn(page)
    assert "view=" not in page.url
    assert "range=3h" in page.url
    page.go_back()
    expect(page.get_by_role("cell", name="node_load1")).to_be_visible()


def test_an_error_says_where_it_is(open_page: Open) -> None:
    page = open_page(explore("1 + rat(node_load1[5m])", "up"))
    error = page.locator(".error")
    expect(error).to_have_count(1)
    expect(error).to_contain_text("line 1, column 5")
    expect(error.locator("mark")).to_have_text("rat")
    expect(page.locator(".tok-wrong")).to_have_text("rat")
    expect(page.locator("#answer")).to_have_text("1 of 2 queries failed")


def test_dragging_zooms_the_whole_page(open_page: Open) -> None:
    page = open_page("/")
    drawn(page, LOAD)
    box = page.locator(f"{LOAD} .plot").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    expect(page.locator(".cross:visible")).to_have_count(6)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=4)
    page.mouse.up()
    expect(page.locator("#live-button")).to_contain_text("Fixed range")
    found = re.search(r"from=(\d+)&to=(\d+)", page.url)
    assert found
    seconds = (int(found[2]) - int(found[1])) / 1000
    assert 3600 * 0.2 < seconds < 3600 * 0.5
    page.keyboard.press("-")
    page.wait_for_url(lambda url: url != page.url or "from=" in url)


def test_shift_click_shows_only_one_series(open_page: Open) -> None:
    page = open_page(explore("sum by (mode) (rate(node_cpu_seconds_total[5m]))"))
    drawn(page)
    names = page.locator("table.series button")
    names.nth(1).click(modifiers=["Shift"])
    expect(names.nth(0)).to_have_attribute("aria-pressed", "false")
    expect(names.nth(1)).to_have_attribute("aria-pressed", "true")
    names.nth(1).click(modifiers=["Shift"])
    expect(names.nth(0)).to_have_attribute("aria-pressed", "true")


def test_a_chart_is_a_table_and_a_sentence_as_well(open_page: Open) -> None:
    page = open_page("/")
    drawn(page, LOAD)
    expect(page.locator(f"{LOAD} > .hidden-text")).to_contain_text("1 series from")
    page.get_by_role("button", name="Load, 1 min: data as a table").click()
    assert page.locator(f"{LOAD} .data tbody tr").count() > 50


def test_too_many_series_are_cut_and_that_is_said(open_page: Open, stage: Stage) -> None:
    rows = [
        row
        for i in range(40)
        for row in line(metric("many", shard=str(i)), lambda _, i=i: float(i), seconds=600)  # type: ignore[misc]
    ]
    stage.append(rows)
    page = open_page(explore("many"))
    drawn(page)
    expect(page.locator("table.series tbody tr")).to_have_count(12)
    expect(page.locator(".more")).to_contain_text("28 others")


def test_paused_means_that_nothing_changes(open_page: Open, stage: Stage) -> None:
    page = open_page("/")
    drawn(page, LOAD)
    page.keyboard.press("p")
    expect(page.locator("#live-button")).to_contain_text("Paused")
    assert "live=off" in page.url
    before = page.locator(f"{LOAD} .only").inner_text()
    stage.append([(metric("node_load1", instance="localhost", job="node"), _now(), 55.5)])
    page.wait_for_timeout(600)
    assert page.locator(f"{LOAD} .only").inner_text() == before
    page.keyboard.press("p")
    expect(page.locator(f"{LOAD} .only")).to_have_text("55.5", timeout=SLOW)


def test_alerts_appear_live_and_tell_what_to_do(
    open_page: Open, stage: Stage, world: World
) -> None:
    page = open_page("/alerts")
    expect(page.locator(".empty")).to_contain_text("Nothing fires")
    world.firing = [alert("DiskFull", instance="db"), alert("Slow", firing=False, instance="web")]
    stage.publish("alerts")
    rows = page.get_by_role("listitem").filter(has=page.locator("[data-row]"))
    expect(rows).to_have_count(2)
    expect(page.locator("#answer")).to_have_text("1 alert fires, 1 pending")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".detail")).to_contain_text("Firing since")
    expect(page.get_by_role("link", name="Runbook")).to_have_attribute(
        "href", "https://example.com/runbooks/it"
    )
    assert "open=" in page.url
    page.get_by_role("link", name="Explore its expression").click()
    expect(page.get_by_role("combobox", name="Query A")).to_have_value("up == 0")


def test_alerts_are_filtered_and_the_filter_is_in_the_address(
    open_page: Open, world: World
) -> None:
    world.firing = [alert("DiskFull", instance="db"), alert("Slow", firing=False, instance="web")]
    page = open_page("/alerts")
    page.get_by_role("button", name="Pending", exact=True).click()
    rows = page.locator(".list [data-row]")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Slow")
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator(".empty")).to_contain_text("No alert matches")


def test_a_watchdog_is_no_trouble(open_page: Open, world: World) -> None:
    world.firing = [alert("Watchdog", severity="none")]
    page = open_page("/")
    expect(page.locator("#answer")).to_have_text("Yes")
    page.goto(page.url + "alerts")
    expect(page.locator(".list [data-row]")).to_have_count(1)


def test_targets_say_why_they_do_not_answer(open_page: Open, world: World) -> None:
    world.scraped = [target("good:1"), target("bad:2", error="connection refused")]
    page = open_page("/targets")
    expect(page.locator("#answer")).to_have_text("1 of 2 does not")
    expect(page.locator(".list [data-row]").first).to_contain_text("connection refused")


def test_the_page_says_that_it_is_stale_and_comes_back_by_itself(
    open_page: Open, stage: Stage
) -> None:
    page = open_page("/")
    drawn(page, LOAD)
    stage.stop()
    expect(page.locator("#stale")).to_contain_text("The server cannot be reached.", timeout=SLOW)
    expect(page.locator("#stale")).to_contain_text("reconnecting by itself")
    stage.start()
    expect(page.locator("#stale")).to_be_hidden(timeout=SLOW)
    stage.append([(metric("node_load1", instance="localhost", job="node"), _now(), 88.8)])
    expect(page.locator(f"{LOAD} .only")).to_have_text("88.8", timeout=SLOW)


def test_everything_is_reached_by_keys(open_page: Open, world: World) -> None:
    world.firing = [alert("DiskFull", instance="db")]
    page = open_page("/targets")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Search metrics")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("disk")
    expect(page.get_by_role("option").first).to_contain_text("DiskFull")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("load1")
    expect(page.get_by_role("option").first).to_contain_text("node_load1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/explore?q=node_load1")
    drawn(page)
    page.locator("#main").focus()
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/alerts")


def test_light_and_dark_follow_the_system_and_can_be_switched(
    browser: Browser, stage: Stage
) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(stage.url + "/alerts")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.keyboard.press("t")
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    context.close()


@pytest.mark.parametrize("path", ["/", explore("node_load1"), "/alerts", "/targets"])
def test_a_phone_shows_one_column(path: str, browser: Browser, stage: Stage, world: World) -> None:
    world.firing = [alert("DiskFull", instance="d" * 300)]
    world.scraped = [target("bad:2", error="connection refused " * 20)]
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(stage.url + path)
    expect(page.locator("#answer")).not_to_be_empty()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", explore("node_load1", "1 +"), "/alerts", "/targets"])
def test_axe_finds_nothing_serious(
    path: str, theme: str, browser: Browser, stage: Stage, world: World
) -> None:
    world.firing = [alert("DiskFull", instance="db"), alert("Slow", firing=False)]
    world.scraped = [target("bad:2", error="connection refused"), target("good:1")]
    world.stats = Stats(series=10, top_metrics=[("up", 7), ("node_load1", 3)])
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = context.new_page()
    page.goto(stage.url + path)
    if path in ("/", explore("node_load1", "1 +")):
        drawn(page)
    else:
        page.locator("[data-row]").first.click()
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    serious = [
        (v["id"], [n["target"] for n in v["nodes"]][:3], v["nodes"][0]["failureSummary"])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


def test_scripts_come_from_the_server_only(open_page: Open) -> None:
    page = open_page("/")
    drawn(page)
    policy = page.evaluate("fetch('/').then(r => r.headers.get('content-security-policy'))")
    assert "script-src 'self';" in policy
    hosts = page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).host)")
    assert set(hosts) == {page.evaluate("location.host")}


def test_the_first_chart_can_be_measured(open_page: Open) -> None:
    page = open_page("/")
    drawn(page)
    mark = page.evaluate("performance.getEntriesByName('pynomaly:first-chart')[0].startTime")
    assert math.isfinite(mark)


def test_five_hundred_alerts_and_long_labels_do_not_break_the_list(
    open_page: Open, world: World
) -> None:
    world.firing = [alert("Many", instance=f"host-{i}", note="x" * 300) for i in range(500)]
    page = open_page("/alerts")
    group = page.locator(".list [data-row]")
    expect(group).to_have_count(1)
    expect(group).to_contain_text("500 firing")
    group.press("Enter")
    expect(page.locator(".list [data-row]")).to_have_count(500)
    expect(page.locator(".list > .note")).to_contain_text("The first 500 of 501")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_hosts_are_told_apart(open_page: Open, stage: Stage) -> None:
    stage.append(host("other", seconds=900))
    page = open_page("/")
    drawn(page, LOAD)
    expect(page.locator(f"{LOAD} .legend .name")).to_have_text(["localhost", "other"], timeout=SLOW)


def _now() -> int:
    return round(time.time() * 1000)
