"""What a person sees: time to the first drawn chart, and from a sample to the screen."""

import json
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.servers import Server, pynomaly
from benchmarks.tables import Table

ROUNDS = 5
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _first_chart(browser: Browser, url: str) -> dict[str, float]:
    """Milliseconds from navigation to first paint and to the first drawn chart."""
    page = browser.new_page(bypass_csp=True)
    page.goto(url)
    page.wait_for_function("performance.getEntriesByName('pynomaly:first-chart').length > 0")
    found: dict[str, float] = page.evaluate(
        """() => ({
          paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
          chart: performance.getEntriesByName('pynomaly:first-chart')[0].startTime,
        })"""
    )
    page.close()
    return found


def _post(server: Server, name: str, value: float) -> None:
    body = json.dumps({"metric_name": name, "value": value}).encode()
    request = urllib.request.Request(f"{server.url}/api/metrics", data=body)
    with urllib.request.urlopen(request) as answer:
        answer.read()


def _sample_to_screen(page: Page, server: Server, value: int) -> float:
    """Seconds from the POST of a sample until the explorer shows its value (of three digits)."""
    began = time.monotonic()
    _post(server, "bench_live", value)
    page.locator("main").get_by_text(str(value), exact=True).first.wait_for(timeout=30_000)
    return time.monotonic() - began


def _row(table: Table, label: str, figures: list[float], unit: str) -> None:
    values = np.array(figures)
    table.add(label, *(f"{v:.2f} {unit}" for v in (values.min(), np.median(values), values.max())))


def run(folder: Path) -> list[Table]:
    """Headless Chromium against a product that has run for a minute."""
    table = Table("A page in headless Chromium", ["what", "least", "median", "most"])
    chromium: Any = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise FileNotFoundError("chromium is not installed; on Debian: apt-get install chromium")
    with pynomaly(folder / "page") as server, sync_playwright() as playwright:
        time.sleep(30)
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        for path in ("/", "/explore?q=node_load1"):
            rounds = [_first_chart(browser, server.extra["web"] + path) for _ in range(ROUNDS)]
            _row(table, f"first paint of {path}", [r["paint"] / 1000 for r in rounds], "s")
            _row(table, f"first chart of {path}", [r["chart"] / 1000 for r in rounds], "s")
        _post(server, "bench_live", 1)
        page = browser.new_page(bypass_csp=True)
        page.goto(f"{server.extra['web']}/explore?q=bench_live")
        page.wait_for_function("performance.getEntriesByName('pynomaly:first-chart').length > 0")
        delays = [_sample_to_screen(page, server, 311 + 7 * n) for n in range(10)]
        _row(table, "from a sample to the screen", delays, "s")
        browser.close()
    return [table]
