"""The story of an alert as people see it: from a target that stops to the page that is calm."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.neighbours import Neighbour, until
from tests.product import Product, start, unused_port

pytestmark = pytest.mark.needs("chromium")

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


@pytest.fixture
def shop() -> Iterator[Neighbour]:
    service = Neighbour("# TYPE orders_total counter\norders_total 7\n")
    yield service
    service.stop()


@pytest.fixture
def product(tmp_path: Path, hook: Neighbour, shop: Neighbour) -> Iterator[Product]:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nrule_files: [rules.yml]\n"
        "scrape_configs:\n- job_name: shop\n"
        f"  static_configs: [{{targets: ['{shop.address}']}}]\n"
    )
    (tmp_path / "alertmanager.yml").write_text(ROUTING.replace("URL", hook.url))
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
    page: Page, product: Product, hook: Neighbour, shop: Neighbour
) -> None:
    shop.start()
    product.wait_for('up{job="shop"} == 1')
    page.goto(product.web + "/alerts")
    expect(page.locator("#list")).to_contain_text("Nothing fires")
    page.evaluate("window.sameDocument = true")

    shop.stop()
    row = page.locator(".list [data-row]", has_text="ShopDown")
    expect(row).to_contain_text(f"{shop.address} does not answer")
    expect(row).to_contain_text("firing")
    expect(page.locator("#answer")).to_have_text("1 alert fires")
    assert page.evaluate("window.sameDocument")

    until(lambda: hook.payloads, product)
    (payload, *_) = hook.payloads
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
    told = len(hook.payloads)

    shop.start()
    expect(page.locator("#list")).to_contain_text("Nothing fires")
    expect(page.locator("#answer")).to_have_text("Nothing")
    assert page.evaluate("window.sameDocument")
    shop.stop()
    assert len(hook.payloads) == told  # a silence holds back the end as well
