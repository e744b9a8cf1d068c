"""The story of an alert as people see it: from a target that stops to the page that is calm."""

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.product import Product, start, unused_port

pytestmark = pytest.mark.needs("chromium")

SLOW = 60_000
RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: ShopDown
    # One scrape that takes too long on a busy machine is not the end of the shop.
    expr: max_over_time(up{job="shop"}[4s]) == 0
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.instance }} does not answer"}
"""
ROUTING = """
route:
  receiver: nobody
  routes:
  - receiver: on-call
    matchers: ['severity="critical"']
    group_by: [alertname]
    group_wait: 0s
    group_interval: 1s
receivers:
- name: nobody
- name: on-call
  webhook_configs: [{url: 'URL'}]
"""


class _Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"# TYPE orders_total counter\norders_total 7\n")

    def log_message(self, *_: Any) -> None:
        pass


class _Hook(_Shop):
    received: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).received.append(json.loads(body))
        self.send_response(200)
        self.end_headers()


def _serve(handler: type[BaseHTTPRequestHandler], port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _stop(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


def _until(condition: Callable[[], object], product: Product, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, product.output()
        time.sleep(0.05)


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
def hook() -> Iterator[ThreadingHTTPServer]:
    _Hook.received = []
    server = _serve(_Hook, unused_port())
    yield server
    _stop(server)


@pytest.fixture
def shop_port() -> int:
    return unused_port()


@pytest.fixture
def product(tmp_path: Path, hook: ThreadingHTTPServer, shop_port: int) -> Iterator[Product]:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nrule_files: [rules.yml]\n"
        "scrape_configs:\n- job_name: shop\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{shop_port}']}}]\n"
    )
    url = f"http://127.0.0.1:{hook.server_port}/"
    (tmp_path / "alertmanager.yml").write_text(ROUTING.replace("URL", url))
    started = start(
        tmp_path / "run",
        (unused_port(), unused_port()),
        "--prometheus-config",
        str(tmp_path / "prometheus.yml"),
        PYNOMALY_ALERTMANAGER_CONFIG=str(tmp_path / "alertmanager.yml"),
        PYNOMALY_DEFAULT_RULES="none",
    )
    yield started
    started.stop()


def test_a_target_stops_somebody_is_told_and_it_comes_back(
    page: Page, product: Product, shop_port: int
) -> None:
    shop = _serve(_Shop, shop_port)
    product.wait_for('up{job="shop"} == 1')
    page.goto(product.web + "/alerts")
    expect(page.locator("#list")).to_contain_text("Nothing fires")
    page.evaluate("window.sameDocument = true")

    _stop(shop)
    row = page.locator(".list [data-row]", has_text="ShopDown")
    expect(row).to_contain_text(f"127.0.0.1:{shop_port} does not answer")
    expect(row).to_contain_text("firing")
    expect(page.locator("#answer")).to_have_text("1 alert fires")
    assert page.evaluate("window.sameDocument")

    _until(lambda: _Hook.received, product)
    (payload, *_) = _Hook.received
    assert (payload["receiver"], payload["status"]) == ("on-call", "firing")
    assert payload["commonLabels"]["alertname"] == "ShopDown"

    row.click()
    expect(page.locator(".detail section.panel[data-drawn]")).to_be_visible()
    page.get_by_role("link", name="Who is told, and why").click()
    expect(page.locator("#answer")).to_have_text("on-call was told")
    receiver = page.get_by_label("Receiver on-call")
    expect(receiver).to_contain_text('It matches severity="critical" and so goes to on-call.')
    expect(receiver).to_contain_text("Nothing holds it back.")
    expect(receiver).to_contain_text("first notification (1 firing)")
    expect(receiver.locator(".attempts > li")).to_have_count(1)
    expect(receiver.locator(".attempts > li")).to_contain_text("delivered")

    page.get_by_role("link", name="Alerts", exact=True).last.click()
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="Silence ShopDown").click()
    expect(page.get_by_role("dialog", name="Silence")).to_contain_text("Hides 1 alert")
    page.get_by_role("button", name=re.compile("^Silence until")).click()
    expect(row).to_contain_text("silenced")
    expect(page.locator("#answer")).to_have_text("Nothing else: 1 held back")
    told = len(_Hook.received)

    shop = _serve(_Shop, shop_port)
    expect(page.locator("#list")).to_contain_text("Nothing fires")
    expect(page.locator("#answer")).to_have_text("Nothing")
    assert page.evaluate("window.sameDocument")
    _stop(shop)
    assert len(_Hook.received) == told  # a silence holds back the end as well
