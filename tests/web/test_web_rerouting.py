"""The page that says who would have been told: one configuration, and two side by side."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from web_stage import Samples, Stage, World, metric

HOUR = 3600.0
ROUTING = """
route:
  receiver: team
  group_by: [alertname]
  routes: [{receiver: nowhere, matchers: ['severity="info"']}]
receivers:
- {name: team, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}
- {name: nowhere}
"""
OTHER = """
route:
  receiver: team
  group_by: [alertname]
  routes:
  - {receiver: databases, matchers: ['alertname="DiskFull"']}
receivers:
- {name: team, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}
- {name: databases, slack_configs: [{api_url: 'http://127.0.0.1:1/', channel: '#db'}]}
"""
Open = Callable[[str], Page]


def fired(name: str, began: float, seconds: float, **labels: str) -> Samples:
    """The series that a rule leaves behind."""
    series = metric("ALERTS", alertname=name, alertstate="firing", **labels)
    return [(series, round((began + i * 15) * 1000), 1.0) for i in range(int(seconds / 15))]


@pytest.fixture
def world() -> World:
    return World(routing=ROUTING)


@pytest.fixture
def stage(world: World) -> Any:
    it = Stage(world)
    now = time.time()
    it.append(fired("DiskFull", now - 5 * HOUR, 600, instance="a"))
    it.append(fired("Slow", now - 3 * HOUR, 900, instance="b"))
    it.append(fired("Rotated", now - 2 * HOUR, 900, severity="info"))
    it.start()
    yield it
    it.stop()


def table(page: Page, name: str) -> list[list[str]]:
    every = page.get_by_role("region", name=name).locator("tbody tr")
    return [row.locator("th, td").all_inner_texts() for row in every.all()]


@pytest.mark.needs("chromium")
def test_it_says_who_would_have_been_told_by_what_is_in_force(open_page: Open) -> None:
    page = open_page("/routing/backtest")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".result[data-done]")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("3 alerts in 7 d")
    expect(page.locator("#answer")).to_contain_text("4 notifications")
    assert table(page, "By receiver")[0][:2] == ["team webhook[0]", "4"]
    lonely = table(page, "Alerts that nobody is told of")
    assert len(lonely) == 1
    assert "Rotated" in lonely[0][1] and "'nowhere' has no channel" in lonely[0][2]
    counts = page.locator("td.heat").all_inner_texts()
    assert sum(int(count) for count in counts if count) == 4
    expect(page).to_have_url(re.compile("past=7d"))


@pytest.mark.needs("chromium")
def test_two_configurations_stand_side_by_side(open_page: Open, tmp_path: Path) -> None:
    page = open_page("/routing/backtest")
    (tmp_path / "new.yml").write_text(OTHER)
    page.get_by_label("B: compared with: a file").set_input_files(tmp_path / "new.yml")
    expect(page.get_by_label("B: compared with", exact=True)).to_have_value(OTHER)
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".result[data-done]")).to_be_visible()
    found = {row[0]: row[1:] for row in table(page, "By receiver")}
    assert found["team webhook[0]"] == ["4", "4", "4", "4", *found["team webhook[0]"][4:]]
    assert found["databases slack[0]"][0] == "–" and found["databases slack[0]"][-1] == "+1"
    others = {row[1].split()[0]: row[2:] for row in table(page, "Alerts that others are told of")}
    assert others == {"DiskFull": ["team", "databases"], "Rotated": ["nobody", "team"]}
    expect(page.locator(".heatmap")).to_have_count(2)


@pytest.mark.needs("chromium")
def test_a_configuration_that_cannot_be_used_is_pointed_at(open_page: Open) -> None:
    page = open_page("/routing/backtest")
    page.get_by_label("B: compared with", exact=True).fill("route: {receiver: x}")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("alert")).to_contain_text("against:1: route.receiver: no receiver")
    expect(page.get_by_role("button", name="Try it")).to_be_enabled()


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(theme: str, browser: Browser, stage: Stage) -> None:
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": 375, "height": 844}
    )
    page = context.new_page()
    page.goto(stage.url + "/routing/backtest")
    page.get_by_label("B: compared with", exact=True).fill(OTHER)
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".result[data-done]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    found = Axe().run(page).response["violations"]
    context.close()
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
