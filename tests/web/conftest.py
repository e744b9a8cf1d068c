import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from web_stage import METADATA, Stage, World, host

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; no longer than a module, for its loop is in the way of asynchronous tests."""
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    """A running server with one calm host."""
    it = Stage(world)
    it.append(host(), METADATA)
    it.start()
    yield it
    it.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose scripts raised nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error"
            and "WebSocket" not in message.text
            and "ERR_CONNECTION_REFUSED" not in message.text
            else None
        ),
    )
    yield opened
    context.close()
    assert faults == []


@pytest.fixture
def open_page(stage: Stage, page: Page) -> Callable[[str], Page]:
    def open_(path: str) -> Page:
        page.goto(stage.url + path)
        return page

    return open_
