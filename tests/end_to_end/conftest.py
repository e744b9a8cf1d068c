"""What stories of the whole product have in common: a browser, and a receiver of webhooks."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.neighbours import Neighbour

SLOW = 60_000


@pytest.fixture
def page() -> Iterator[Page]:
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_page(viewport={"width": 1440, "height": 900})
        opened.set_default_timeout(SLOW)
        expect.set_options(timeout=SLOW)
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        yield opened
        browser.close()
        expect.set_options(timeout=5_000)
        assert faults == []


@pytest.fixture
def hook() -> Iterator[Neighbour]:
    with Neighbour() as receiver:
        yield receiver
