"""The story of a window of maintenance: nobody is told of an alert until it is over."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.neighbours import Neighbour, until
from tests.product import Product, start, unused_port

pytestmark = pytest.mark.needs("chromium")

ROUTING = """
route: {receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s}
receivers: [{name: team, webhook_configs: [{url: 'URL'}]}]
"""


@pytest.fixture
def product(tmp_path: Path, hook: Neighbour) -> Iterator[Product]:
    (tmp_path / "alertmanager.yml").write_text(ROUTING.replace("URL", hook.url))
    started = start(
        tmp_path / "run",
        (unused_port(), unused_port()),
        PYNOMALY_ALERTMANAGER_CONFIG=str(tmp_path / "alertmanager.yml"),
        PYNOMALY_DEFAULT_RULES="none",
    )
    yield started
    started.stop()


def post(product: Product, path: str, body: Any = None) -> Any:
    sent = json.dumps(body or {}).encode()
    status, answer, *_ = product.request(path, sent, {"content-type": "application/json"})
    assert status < 300, answer
    return json.loads(answer) if answer else None


def names(hook: Neighbour) -> list[str]:
    return [payload["groupLabels"]["alertname"] for payload in list(hook.payloads)]


def test_nobody_is_told_until_the_window_is_over(
    product: Product, hook: Neighbour, page: Page
) -> None:
    product.wait_for("up")
    page.goto(product.web + "/explore?q=up")
    expect(page.locator("section.panel[data-drawn]")).to_be_visible()
    page.evaluate("window.sameDocument = true")
    window = post(
        product,
        "/api/events",
        {"kind": "maintenance", "title": "New disks", "duration": "2h",
         "matchers": ["team=db"], "text": "by the night shift"},
    )  # fmt: skip
    # It appears on a chart that is open.
    expect(page.locator(".mark", has_text="New disks")).to_have_count(1)
    assert page.evaluate("window.sameDocument")

    post(product, "/api/v2/alerts", [{"labels": {"alertname": "DiskFull", "team": "db"}}])
    post(product, "/api/v2/alerts", [{"labels": {"alertname": "Loud", "team": "web"}}])
    until(lambda: "Loud" in names(hook), product)
    assert names(hook) == ["Loud"]
    (alert,) = product.json("/api/v2/alerts", filter='alertname="DiskFull"')
    assert alert["status"]["mutedBy"] == ["maintenance: New disks"]
    explained = product.json(f"/api/alerts/{alert['fingerprint']}/explain")
    (path,) = explained["receivers"]
    assert path["held_back"]["by"] == [window["id"]]
    assert path["held_back"]["reason"].startswith('held by the maintenance window "New disks"')

    page.goto(product.web + "/calendar")
    row = page.locator(".list [data-row]", has_text="New disks")
    expect(row).to_contain_text("now")
    expect(page.locator("#answer")).to_contain_text("holding back 1 alert")
    assert "DiskFull" not in names(hook)

    post(product, f"/api/events/{window['id']}/end")
    until(lambda: "DiskFull" in names(hook), product)
    expect(row).to_contain_text("over")
    expect(page.locator("#answer")).not_to_contain_text("holding back")
