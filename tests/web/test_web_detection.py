"""The pages of backtests of detection and of trained models, in a real browser."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from web_stage import Stage, World, line, metric

from pynomaly.detection.backtest.service import DetectionBacktests
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.watched.config import Algorithm, TrainingSettings, WatchedQuery
from pynomaly.detection.watched.models import ModelFiles, ModelRepository, ModelVersion
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.model.clock import Clock
from pynomaly.promql.contract import Querier
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.web.detection import DetectionDeps

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 120_000
DAY = 86_400
LOAD = metric("load", instance="db-1", service="shop")
CALM = metric("load", instance="db-2", service="shop")
QUERY = WatchedQuery(name="load", expr="load", algorithms=("statistical",))


def version(number: int, *, active: bool = False, passes: float = 0.8) -> ModelVersion:
    now = time.time()
    return ModelVersion(
        "load",
        "statistical",
        0,
        active,
        f"load-statistical-{number}",
        now - (5 - number) * DAY,
        now - 35 * DAY,
        now - (5 - number) * DAY,
        2,
        86_400,
        passes,
        {"expr": "load", "step": 60.0, "season": "auto", "contamination": 0.1 * number},
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    records = Records.open(RecordsSettings(), tmp_path)
    models = ModelRepository(records)

    def detection(querier: Querier, clock: Clock) -> DetectionDeps:
        watched = WatchedQueries(
            [QUERY],
            [Algorithm(name="statistical")],
            TrainingSettings(),
            querier,
            found.samples,
            models,
            ModelFiles(tmp_path / "models"),
            clock,
        )
        return DetectionDeps(watched, DetectionBacktests(querier))

    found = World(anomalies=AnomalyRepository(records), detection=detection)
    for number in (1, 2):
        models.add(version(number, passes=0.8 / number))
    yield found
    records.close()


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    it = Stage(world)
    random = np.random.default_rng(3)
    now = time.time()

    def leaping(t: float) -> float:
        return (90.0 if 7200 < now - t < 9000 else 40.0) + float(random.normal())

    it.append(line(LOAD, leaping, seconds=3 * DAY, step=300))
    it.append(line(CALM, lambda _: 40.0 + float(random.normal()), seconds=3 * DAY, step=300))
    at = line(metric("anomaly_model_drift", query="load", algorithm="statistical"), lambda _: 0.7)
    it.append(at)
    it.start()
    yield it
    it.stop()


def try_it(page: Page) -> None:
    page.get_by_label("Expression").fill("load")
    page.get_by_label("Over the last").select_option("1d")
    page.get_by_label("A point every").select_option("5m")
    page.get_by_label("Learning from the").select_option("2d")
    page.get_by_label("statistical").check()
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".result[data-done]")).to_be_visible(timeout=SLOW)


def test_a_backtest_shows_what_would_have_been_flagged_by_each_algorithm(open_page: Open) -> None:
    page = open_page("/anomalies/backtest")
    try_it(page)
    expect(page.locator(".verdict")).to_contain_text("would have been told by the judge")
    expect(page.locator("figure.history")).to_have_count(2)
    first = page.locator("figure.history").first
    expect(first.locator("h3")).to_contain_text("db-1")
    assert first.locator("polygon.expected").count() >= 1
    assert first.locator("rect.flagged").count() >= 2
    first.get_by_text("What is flagged, as a table").click()
    rows = first.locator("tbody tr")
    expect(rows.filter(has_text="judge of every series").first).to_be_visible()
    expect(rows.filter(has_text="statistical").first).to_be_visible()
    assert "q=load" in page.url
    assert "by=judge%2Cstatistical" in page.url


def test_the_slider_changes_the_budget_without_asking_the_server_again(open_page: Open) -> None:
    page = open_page("/anomalies/backtest")
    try_it(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    slider = page.get_by_role("slider", name="Budget")
    expect(page.locator("output")).to_have_text("0.1 a week and series")
    slider.press("End")
    expect(page.locator("output")).to_have_text("10 a week and series")
    most = int(page.locator("tbody tr").first.locator("td").last.inner_text())
    words = "1 anomaly" if most == 1 else f"{most} anomalies"
    expect(page.locator(".verdict strong")).to_have_text(words)
    slider.press("Home")
    expect(page.locator("output")).to_have_text("0.01 a week and series")
    assert "budget=0.01" in page.url
    assert not [url for url in asked if "/data/detection" in url]


def test_what_is_wrong_is_said_in_words(open_page: Open) -> None:
    page = open_page("/anomalies/backtest")
    page.get_by_label("Expression").fill("absent_metric")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".error")).to_contain_text("absent_metric has no samples", timeout=SLOW)
    page.get_by_label("judge of every series").uncheck()
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".error")).to_have_text("Choose at least one algorithm.")


def test_a_backtest_can_be_stopped(open_page: Open) -> None:
    page = open_page("/anomalies/backtest")
    page.get_by_label("Expression").fill("load")
    page.get_by_label("A point every").select_option("30s")
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".note[role=status]")).to_have_text("Stopped.")
    expect(page.get_by_role("button", name="Try it")).to_be_enabled()


def test_models_are_listed_compared_and_rolled_back(open_page: Open, world: World) -> None:
    page = open_page("/anomalies/models")
    rows = page.locator("section.models tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("in use")
    for number in (1, 2):
        page.get_by_label(f"Compare version {number} of load").check()
    table = page.get_by_role("region", name="Two versions side by side")
    expect(table.locator("tr", has_text="contamination")).to_contain_text("differs")
    expect(table.locator("tr", has_text="season")).not_to_contain_text("differs")
    page.get_by_role("button", name="Use version 1 of load by statistical").click()
    expect(rows.nth(1)).to_contain_text("in use")
    expect(rows.first).to_contain_text("Use this version")
    expect(page.locator("#drift section.panel")).to_contain_text("Drift of load")


def test_training_by_button_says_what_is_missing(open_page: Open) -> None:
    page = open_page("/anomalies/models")
    page.get_by_role("button", name="Train anew").click()
    soon_or_refused = re.compile("Training: |cannot be trained yet|has no series")
    expect(page.locator("section.models")).to_contain_text(soon_or_refused, timeout=SLOW)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/anomalies/backtest", "/anomalies/models"])
def test_axe_finds_nothing_serious(open_page: Open, path: str, scheme: str) -> None:
    page = open_page(path)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    if path.endswith("backtest"):
        try_it(page)
    else:
        expect(page.locator("section.models tbody tr")).to_have_count(2)
        page.get_by_label("Compare version 1 of load").check()
        page.get_by_label("Compare version 2 of load").check()
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("path", ["/anomalies/backtest", "/anomalies/models"])
def test_a_phone_scrolls_down_only(open_page: Open, path: str) -> None:
    page = open_page(path)
    page.set_viewport_size({"width": 375, "height": 800})
    if path.endswith("backtest"):
        try_it(page)
    else:
        expect(page.locator("section.models tbody tr")).to_have_count(2)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 375
