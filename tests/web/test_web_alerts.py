"""The pages of alerts in a real browser: alerts of others, silences, why, routing, deliveries."""

import json
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from web_stage import Stage, World, alert, metric, target

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.model.alert import fingerprint
from pynomaly.model.labels import Labels

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 30_000

ROUTING = """
route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  group_interval: 2s
  routes:
  - {{receiver: databases, matchers: ['team="db"'], group_interval: 1h, continue: true}}
  - {{receiver: night, matchers: ['severity="info"'], mute_time_intervals: [always]}}
time_intervals:
- {{name: always, time_intervals: [{{times: [{{start_time: '00:00', end_time: '24:00'}}]}}]}}
inhibit_rules:
- name: the cluster is gone
  source_matchers: ['alertname="ClusterDown"']
  target_matchers: ['alertname="PodDown"']
  equal: [cluster]
receivers:
- name: team
  webhook_configs: [{{url: '{url}'}}]
- name: databases
  webhook_configs: [{{url: '{url}/refuses'}}]
- name: night
"""


class Hook:
    """A receiver that takes everything but what is sent to ``/refuses``, while it refuses."""

    def __init__(self) -> None:
        self.refuses = True
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                refused = hook.refuses and self.path == "/refuses"
                self.send_response(400 if refused else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def world(hook: Hook) -> World:
    return World(routing=ROUTING.format(url=hook.url))


def received(name: str, summary: str = "", **labels: str) -> ReceivedAlert:
    now = time.time()
    every = Labels({"alertname": name, "severity": "critical", **labels})
    return ReceivedAlert(
        labels=every,
        annotations=Labels({"summary": summary} if summary else {}),
        starts_at=now - 60,
        ends_at=now + 3600,
        updated_at=now,
        fingerprint=fingerprint(every),
        timeout=True,
        generator_url="http://prometheus.example/graph?g0.expr=node_load1+%3E+100&g0.tab=1",
        source="POST /api/v2/alerts",
    )


def send(stage: Stage, *alerts: ReceivedAlert) -> None:
    stage.run(stage.alerting.manager.alerts.put(alerts))
    stage.publish("samples")


def rows(page: Page, text: str = "") -> Locator:
    every = page.locator(".list [data-row]")
    return every.filter(has_text=text) if text else every


def silence_first(page: Page, text: str) -> None:
    """The two clicks."""
    rows(page, text).locator("..").get_by_role("button", name=re.compile("^Silence ")).click()
    page.get_by_role("button", name=re.compile("^Silence until")).click()


def test_alerts_that_others_send_appear_live_beside_those_of_rules(
    open_page: Open, stage: Stage, world: World
) -> None:
    world.firing = [alert("OwnRule", instance="db")]
    page = open_page("/alerts")
    expect(rows(page)).to_have_count(1)
    page.evaluate("window.sameDocument = true")
    send(stage, received("DiskFull", "The disk is full", instance="web-1"))
    expect(rows(page, "DiskFull")).to_contain_text("The disk is full", timeout=SLOW)
    expect(page.locator("#answer")).to_have_text("2 alerts fire")
    assert page.evaluate("window.sameDocument")
    rows(page, "DiskFull").click()
    detail = page.locator(".detail")
    expect(detail).to_contain_text("POST /api/v2/alerts")
    expect(detail.get_by_role("link", name="Its source")).to_have_attribute(
        "href", re.compile("^http://prometheus.example/")
    )
    # Of the expression without its comparison, which is a line across the chart.
    expect(detail.locator("section.panel[data-drawn]")).to_be_visible(timeout=SLOW)
    expect(detail.locator("section.panel h2")).to_have_text("node_load1 > 100")


def test_what_is_inhibited_is_held_back_and_says_by_whom(open_page: Open, stage: Stage) -> None:
    pods = [received("PodDown", cluster="a", pod=f"web-{i}") for i in range(3)]
    send(stage, received("ClusterDown", cluster="a"), *pods)
    page = open_page("/alerts")
    expect(page.locator("#answer")).to_have_text("1 alert fires, 3 held back")
    expect(page.locator('[data-count="alerts"]')).to_have_text("1")
    page.get_by_role("button", name="Held back", exact=True).click()
    expect(rows(page)).to_have_count(4)  # the head of their group, and each of them
    expect(rows(page).first).to_contain_text("3 inhibited")
    rows(page, "web-1").click()
    page.locator(".detail").get_by_role("link", name="ClusterDown").click()
    page.wait_for_url("**/alert?fingerprint=*")
    expect(page.locator("h1")).to_have_text("ClusterDown: why?")


def test_an_alert_is_silenced_in_two_clicks_and_the_page_says_so(
    open_page: Open, stage: Stage
) -> None:
    send(stage, received("DiskFull", instance="a"), received("Slow", instance="b"))
    page = open_page("/alerts")
    silence_first(page, "DiskFull")
    expect(rows(page, "DiskFull")).to_contain_text("silenced", timeout=SLOW)
    expect(page.locator("#answer")).to_have_text("1 alert fires, 1 held back")
    (kept,) = stage.alerting.manager.silences.all()
    assert {m.name: m.value for m in kept.matchers} == {
        "alertname": "DiskFull",
        "severity": "critical",
        "instance": "a",
    }
    assert kept.ends_at - kept.starts_at == pytest.approx(7200, abs=120)
    assert kept.created_by == "local"


def test_the_preview_follows_the_matchers_and_says_what_is_wrong_with_them(
    browser: Browser, stage: Stage
) -> None:
    send(stage, *(received("DiskFull", instance=name) for name in "ab"))
    page = browser.new_page()  # its console says that something was refused
    page.goto(stage.url + "/alerts")
    expect(rows(page)).to_have_count(3)
    rows(page, "instance=a").focus()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Silence")
    expect(dialog).to_contain_text("Hides 1 alert that fires now.")
    dialog.get_by_role("button", name='instance="a"').click()
    expect(dialog).to_contain_text("Hides 2 alerts that fire now.")
    matchers = dialog.get_by_label("And these matchers")
    matchers.fill('instance=~"["')
    expect(dialog.get_by_role("alert")).to_contain_text("missing ]")
    matchers.fill("instance!~b.*")
    expect(dialog).to_contain_text("Hides 1 alert that fires now.")
    dialog.get_by_role("button", name="1 d", exact=True).click()
    dialog.get_by_label("Comment").fill("A new disk comes")
    dialog.get_by_role("button", name=re.compile("^Silence until")).click()
    expect(dialog).to_be_hidden()
    (kept,) = stage.alerting.manager.silences.all()
    page.close()
    assert kept.comment == "A new disk comes"
    assert kept.ends_at - kept.starts_at == pytest.approx(86_400, abs=120)


def test_a_group_is_silenced_by_what_its_alerts_have_in_common(
    open_page: Open, stage: Stage
) -> None:
    send(stage, *(received("PodDown", cluster="a", pod=f"web-{i}") for i in range(12)))
    page = open_page("/alerts")
    expect(rows(page)).to_have_count(1)  # a large group begins closed
    silence_first(page, "12 firing")
    expect(rows(page).first).to_contain_text("12 silenced", timeout=SLOW)
    (kept,) = stage.alerting.manager.silences.all()
    assert {m.name for m in kept.matchers} == {"alertname", "severity", "cluster"}


def test_keys_filter_move_and_open(open_page: Open, stage: Stage) -> None:
    send(stage, *(received(name, instance="x") for name in ("Able", "Baker", "Charlie")))
    page = open_page("/alerts")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("aker")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("find=aker"))
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.press("Delete")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("Escape")
    expect(rows(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    expect(rows(page).nth(2)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(rows(page).nth(1)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ControlOrMeta+k")
    expect(page.get_by_role("dialog", name="Search")).to_be_visible()


def test_alerts_are_grouped_by_any_label(open_page: Open, stage: Stage) -> None:
    send(stage, *(received(n, region=r) for n in ("A", "B") for r in ("north", "south")))
    page = open_page("/alerts")
    page.get_by_label("Group by").select_option("region")
    expect(rows(page)).to_have_count(6)
    expect(rows(page, "north2 firing")).to_have_count(1)
    page.reload()
    expect(rows(page)).to_have_count(6)
    page.get_by_label("Group by").select_option("none")
    expect(rows(page)).to_have_count(4)


def test_silences_are_extended_expired_and_made_again(open_page: Open, stage: Stage) -> None:
    send(stage, received("DiskFull", instance="a"))
    page = open_page("/alerts")
    silence_first(page, "DiskFull")
    expect(rows(page, "silenced")).to_have_count(1, timeout=SLOW)
    page.get_by_role("link", name="Silences").click()
    expect(page.locator("#answer")).to_have_text("1 silence, hiding 1 alert now")
    silences = stage.alerting.manager.silences
    before = silences.all()[0].ends_at
    rows(page).first.click()
    page.get_by_role("button", name="4 h longer").click()
    expect(rows(page).first).to_contain_text("6 h left", timeout=SLOW)
    assert silences.all()[0].ends_at == pytest.approx(before + 4 * 3600, abs=1)
    page.get_by_role("button", name="Expire now").click()
    page.get_by_role("button", name="Sure? 1 alert is told again").click()
    expect(page.locator("#answer")).to_have_text("Nothing", timeout=SLOW)
    page.get_by_role("button", name="Expired", exact=True).click()
    page.get_by_role("button", name="Silence again").click()
    page.get_by_role("button", name=re.compile("^Silence until")).click()
    expect(page.locator("#answer")).to_have_text("1 silence, hiding 1 alert now", timeout=SLOW)


def test_a_silence_may_begin_later(open_page: Open, stage: Stage) -> None:
    page = open_page("/silences")
    page.get_by_role("button", name="New silence").click()
    dialog = page.get_by_role("dialog", name="Silence")
    dialog.get_by_label("Matchers").fill("team=db")
    dialog.get_by_text("Begin later").click()
    later = "new Date(Date.now() - new Date().getTimezoneOffset() * 6e4 + %d).toISOString()"
    begins = page.evaluate(later % (7 * 86_400_000))[:16]
    ends = page.evaluate(later % (7 * 86_400_000 + 7_200_000))[:16]
    dialog.get_by_label("Begins").fill(begins)
    dialog.get_by_label("Ends").fill(ends)
    dialog.get_by_label("Comment").fill("Upgrade of the databases")
    dialog.get_by_role("button", name=re.compile("^Silence from")).click()
    expect(page.locator("#answer")).to_have_text("Nothing now; 1 to come", timeout=SLOW)
    rows(page, "Upgrade of the databases").click()
    expect(page.locator(".detail")).to_contain_text('team="db"')


def test_the_page_of_an_alert_says_who_was_told_and_why(open_page: Open, stage: Stage) -> None:
    disk = received("DiskFull", instance="a", team="db")
    send(stage, disk)
    page = open_page(f"/alert?fingerprint={disk.fingerprint}")
    told = page.get_by_label("Receiver databases")
    expect(told).to_contain_text('It matches team="db" and so goes to databases.')
    expect(told).to_contain_text("Nothing holds it back.")
    expect(told).to_contain_text("Tried to tell", timeout=SLOW)
    expect(told).to_contain_text("refused")
    expect(told).to_contain_text("400")
    expect(page.locator("#answer")).to_have_text("databases could not be told", timeout=SLOW)


def test_the_page_of_a_silenced_alert_lets_it_be_told_again(open_page: Open, stage: Stage) -> None:
    disk = received("DiskFull", instance="a")
    page = open_page("/alerts")
    send(stage, disk)
    silence_first(page, "DiskFull")
    expect(rows(page, "silenced")).to_have_count(1, timeout=SLOW)
    page.goto(f"{stage.url}/alert?fingerprint={disk.fingerprint}")
    expect(page.locator("#answer")).to_have_text("Nobody is told: silenced", timeout=SLOW)
    team = page.get_by_label("Receiver team")
    expect(team).to_contain_text("It is silenced by")
    team.get_by_role("button", name="Expire this silence").click()
    expect(page.locator("#answer")).to_have_text("team was told", timeout=SLOW)
    expect(page.get_by_label("What has happened").first).to_contain_text("Told webhook")


def test_the_page_of_a_muted_alert_names_the_interval(open_page: Open, stage: Stage) -> None:
    late = received("Late", severity="info")
    send(stage, late)
    page = open_page(f"/alert?fingerprint={late.fingerprint}")
    expect(page.locator("#answer")).to_have_text("Nobody is told: muted", timeout=SLOW)
    expect(page.get_by_label("Receiver night")).to_contain_text("always")


def test_an_alert_that_is_not_known_says_what_to_do(browser: Browser, stage: Stage) -> None:
    page = browser.new_page()  # its console says that nothing was found
    page.goto(stage.url + "/alert?fingerprint=0123456789abcdef")
    expect(page.locator(".empty")).to_contain_text("No alert has the fingerprint 0123456789abcdef")
    page.close()


def test_the_tree_shows_where_an_alert_would_go(open_page: Open) -> None:
    page = open_page("/routing")
    expect(page.locator(".node")).to_have_count(3)
    page.get_by_label("Labels of an alert").fill('team=db, severity="info"')
    expect(page.locator("#answer")).to_have_text("databases, night")
    expect(page.locator("[data-end]")).to_have_count(2)
    expect(page.locator("#test")).to_contain_text("Silent: muted at that time by always.")
    expect(page).to_have_url(re.compile("labels="))


def test_labels_that_are_none_are_pointed_out(browser: Browser, stage: Stage) -> None:
    page = browser.new_page()
    page.goto(f"{stage.url}/routing?labels={quote('team=db =')}")
    expect(page.get_by_role("alert").filter(has_text="is not a label")).to_be_visible()
    expect(page.locator(".node")).to_have_count(3)
    page.close()


def test_deliveries_are_searched_and_what_failed_is_sent_again(
    browser: Browser, stage: Stage, hook: Hook
) -> None:
    send(stage, received("DiskFull", team="db"), received("Slow", instance="b"))
    page = browser.new_page()  # its console says it when there is nothing left to send
    page.goto(stage.url + "/deliveries")
    dead = page.locator("[data-letter]")
    expect(dead).to_contain_text("DiskFull", timeout=SLOW)
    expect(dead).to_contain_text("400")
    expect(rows(page, "Slow")).to_contain_text("delivered", timeout=SLOW)
    page.get_by_label("Receiver", exact=True).select_option("databases")
    expect(rows(page, "Slow")).to_have_count(0)
    page.get_by_label("Receiver", exact=True).select_option("")
    page.get_by_role("searchbox", name="Filter deliveries").fill("instance=b")
    expect(rows(page)).to_have_count(1)
    rows(page).first.click()
    expect(page.locator(".detail")).to_contain_text("first notification")
    hook.refuses = False
    dead.get_by_role("button", name="Send again").click()
    expect(dead).to_have_count(0, timeout=SLOW)
    page.close()


def test_another_server_s_page_can_silence_nothing(stage: Stage) -> None:
    body = json.dumps({"matchers": ["a=b"], "ends_at": time.time() + 60}).encode()
    headers = {"content-type": "application/json", "origin": "http://evil.example"}
    request = urllib.request.Request(f"{stage.url}/data/silences", body, headers)
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 403
    assert stage.alerting.manager.silences.all() == []


def test_a_silence_of_everything_is_refused(stage: Stage) -> None:
    body = json.dumps({"matchers": ["a=~.*"], "ends_at": time.time() + 60}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{stage.url}/data/silences", body, headers)
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 400
    assert "every alert" in refused.value.read().decode()


RULE = """
groups:
- name: g
  rules:
  - {alert: Loaded, expr: node_load1 > 50, labels: {severity: critical}}
"""


def test_the_chart_of_a_rule_s_alert_shows_its_own_series_only(
    open_page: Open, stage: Stage, world: World
) -> None:
    now = round(time.time() * 1000)
    for name, load in (("calm", 1.0), ("busy", 99.0)):
        stage.append([(metric("node_load1", instance=name, job="node"), now, load)])
    stage.apply(RULE)
    deadline = time.monotonic() + 60
    while not (firing := stage.manager.alerts()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    world.firing = list(firing)
    page = open_page("/alerts")
    rows(page, "Loaded").click()
    panel = page.locator(".detail section.panel")
    expect(panel.locator(".legend .name")).to_have_text([re.compile("busy")], timeout=SLOW)


def _crowd(stage: Stage, world: World) -> list[ReceivedAlert]:
    """One of everything that the pages show."""
    world.firing = [alert("OwnRule", instance="d" * 300), alert("Slow", firing=False)]
    world.scraped = [target("good:1")]
    alerts = [
        received("DiskFull", "The disk is full", team="db", instance="x" * 300),
        received("ClusterDown", cluster="a"),
        received("PodDown", cluster="a", pod="1"),
        received("PodDown", cluster="a", pod="2"),
    ]
    send(stage, *alerts)
    for body in (
        {"matchers": ['alertname="DiskFull"'], "ends_at": time.time() + 3600, "comment": "why"},
        {"matchers": ["a=b"], "starts_at": time.time() + 60, "ends_at": time.time() + 9e4},
    ):
        request = urllib.request.Request(
            f"{stage.url}/data/silences",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30)
    return alerts


PATHS = ["/alerts", "/silences", "/alert", "/routing?labels=team%3Ddb", "/deliveries"]


def _show(page: Page, stage: Stage, path: str, crowd: list[ReceivedAlert]) -> None:
    which = f"?fingerprint={crowd[0].fingerprint}" if path == "/alert" else ""
    page.goto(stage.url + path + which)
    if path == "/alert":
        expect(page.get_by_label("Receiver databases")).to_be_visible(timeout=SLOW)
    elif path.startswith("/routing"):
        expect(page.locator("[data-end]")).to_be_visible(timeout=SLOW)
    else:
        rows(page).first.click(timeout=SLOW)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PATHS, "silence"])
def test_axe_finds_nothing_serious_on_the_pages_of_alerts(
    path: str, theme: str, browser: Browser, stage: Stage, world: World
) -> None:
    crowd = _crowd(stage, world)
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = context.new_page()
    if path == "silence":
        page.goto(stage.url + "/alerts")
        rows(page, "OwnRule").focus()
        page.keyboard.press("s")
        expect(page.get_by_role("dialog", name="Silence")).to_contain_text("Hides 1 alert")
    else:
        _show(page, stage, path, crowd)
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    serious = [
        (v["id"], [n["target"] for n in v["nodes"]][:3], v["nodes"][0]["failureSummary"])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_shows_the_pages_of_alerts_in_one_column(
    path: str, browser: Browser, stage: Stage, world: World
) -> None:
    crowd = _crowd(stage, world)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    _show(page, stage, path, crowd)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
