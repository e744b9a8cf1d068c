"""Events on charts that are drawn by other means: heat map, backtests of rules and detection."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from test_web_anomalies import anomaly
from test_web_events import create
from web_stage import METADATA, Stage, World, line, metric

from pynomaly.detection.backtest.service import DetectionBacktests
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.web.detection import DetectionDeps

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 120_000
DAY = 86_400
LOAD = metric("load", instance="db-1", service="shop")
RULES = """
groups:
- name: shop
  rules:
  - {alert: LoadHigh, expr: 'load{service="shop"} > 60'}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    records = Records.open(RecordsSettings(), tmp_path)

    def detection(querier: Any, clock: Any) -> DetectionDeps:
        return DetectionDeps(NoQueries(), DetectionBacktests(querier))  # type: ignore[arg-type]

    yield World(
        calendar=True, rules=RULES, anomalies=AnomalyRepository(records), detection=detection
    )
    records.close()


class NoQueries:
    """No query is watched."""

    queries = ()


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    it = Stage(world)
    random, now = np.random.default_rng(3), time.time()

    def leaping(t: float) -> float:
        return (90.0 if 7200 < now - t < 9000 else 40.0) + float(random.normal())

    it.append(line(LOAD, leaping, seconds=3 * DAY, step=300), METADATA)
    it.start()
    create(it, "deployment", "shop 7", starts_at="2h", matchers=["service=shop"])
    create(it, "deployment", "bank 3", starts_at="2h", matchers=["service=bank"])
    yield it
    it.stop()


def test_the_heat_map_of_anomalies_shows_them(open_page: Open, stage: Stage, world: World) -> None:
    assert world.anomalies is not None
    world.anomalies.save([anomaly(LOAD, 3 * 3600, ended=3600)])
    page = open_page("/anomalies")
    page.wait_for_selector("#rate .canvas[data-drawn]", timeout=SLOW)
    marks = page.locator("#rate .mark")
    expect(marks).to_have_count(1)
    expect(marks).to_contain_text("shop 7")
    create(stage, "maintenance", "New disks", starts_at="90m", duration="30m")
    expect(marks).to_have_count(2, timeout=SLOW)
    page.get_by_role("button", name="Anomalies by hour: 2 events").click()
    expect(page.locator("#rate .happenings li")).to_have_count(2)


def test_a_backtest_of_a_rule_shows_them(open_page: Open) -> None:
    page = open_page("/rules")
    page.locator("[data-row]", has_text="LoadHigh").click()
    page.get_by_role("link", name="Open the rule").click()
    form = page.get_by_role("form", name="Backtest")
    form.get_by_role("combobox").select_option("1d")
    form.get_by_role("button", name="Try it").click()
    figure = page.locator("figure.timeline")
    expect(figure).to_be_visible(timeout=SLOW)
    expect(figure.locator(".mark")).to_have_count(1)
    expect(figure.locator(".mark")).to_contain_text("shop 7")
    place = figure.locator(".mark").evaluate("e => e.offsetLeft / e.parentElement.offsetWidth")
    assert 0.5 < place < 1


def test_a_backtest_of_detection_shows_them(open_page: Open) -> None:
    page = open_page("/anomalies/backtest?q=load&past=1d&step=5m&learn=2d")
    figure = page.locator("figure.history")
    expect(figure).to_have_count(1, timeout=SLOW)
    expect(figure.locator(".mark")).to_have_count(1)
    place = figure.locator(".mark").evaluate("e => e.offsetLeft / e.parentElement.offsetWidth")
    assert place == pytest.approx(22 / 24, abs=0.02)
    figure.get_by_role("button", name="1 event").click()
    expect(figure.locator(".happenings")).to_contain_text("shop 7")
