"""The page of deliveries where alerts go to Alertmanagers elsewhere."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page, expect
from web_stage import Stage, World

from pynomaly.alerting.cluster.config import AlertmanagerBlock, ClusterConfig

pytestmark = pytest.mark.needs("chromium")

ROUTING = "route: {receiver: alertmanagers}\nreceivers: [{name: alertmanagers}]\n"


class _Alertmanager(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"[]" if self.path.endswith("/silences") else b"{}"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def alertmanager() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Alertmanager)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def world() -> World:
    return World(routing=ROUTING)


def test_it_says_which_are_told_and_which_are_away(
    stage: Stage, open_page: Callable[[str], Page], alertmanager: str
) -> None:
    gone = "http://127.0.0.1:1"
    blocks = tuple(AlertmanagerBlock.model_validate(url) for url in (alertmanager, gone))
    stage.run(stage.alerting.cluster.apply(ClusterConfig(blocks=blocks)))
    page = open_page("/deliveries")
    expect(page.locator("#answer")).to_have_text("1 of 2 Alertmanagers in trouble")
    rows = page.get_by_label("Alertmanagers").locator("li")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("told")
    expect(rows.nth(0).get_by_role("link")).to_have_attribute("href", alertmanager)
    expect(rows.nth(1)).to_contain_text("cannot connect")
