"""The page of anomalies in a real browser."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from web_stage import Stage, World, line, metric

from pynomaly.detection.events import PEERS, Anomaly, anomaly_id
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.service import TOPIC, Progress
from pynomaly.detection.verdicts import BAND, verdict_labels
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records, RecordsSettings

pytestmark = pytest.mark.needs("chromium")

Open = Callable[[str], Page]
SLOW = 30_000
QUEUE = metric("queue_length", queue="mail", service="shop")
WORKERS = metric("queue_workers", queue="mail", service="shop")
LOAD = metric("load", instance="db-1")


def anomaly(
    labels: Labels, ago: float, *, ended: float = 0.0, score: float = 0.75, cause: str = "residual"
) -> Anomaly:
    at = time.time() - ago
    return Anomaly(
        id=anomaly_id(labels, at),
        labels=labels,
        started_at=at,
        peaked_at=at,
        ended_at=time.time() - ended if ended else 0.0,
        score=score,
        confidence=0.99,
        value=90.0,
        expected=40.0,
        lower=30.0,
        upper=50.0,
        direction="above",
        cause=cause,
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = RecordsSettings.model_validate({"url": None})
    records = Records.open(settings, tmp_path)
    crowd = [metric("other", n=str(n)) for n in range(100)]
    yield World(anomalies=AnomalyRepository(records), progress=Progress(120, 7), judged=crowd)
    records.close()


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    it = Stage(world)
    now = time.time()
    it.append(line(QUEUE, lambda t: 90.0 if now - t < 600 else 40.0))
    for name, value in zip(BAND, (40.0, 30.0, 50.0), strict=True):
        it.append(line(verdict_labels(QUEUE, name), lambda _, v=value: v, seconds=900))  # type: ignore[misc]
    it.start()
    yield it
    it.stop()


def keep(world: World, *anomalies: Anomaly) -> None:
    assert world.anomalies is not None
    world.anomalies.save(anomalies)


def item(page: Page, anomaly: Anomaly) -> str:
    return f'[data-row="{anomaly.id}"]'


def test_without_anomalies_it_says_how_many_series_are_judged(open_page: Open) -> None:
    page = open_page("/anomalies")
    expect(page.locator("#answer")).to_have_text("Nothing")
    expect(page.locator(".empty")).to_contain_text("120 series are judged; 7 are still learning")
    expect(page.locator("#rate")).to_contain_text("None began in the last seven days.")


def test_where_nothing_is_judged_yet_nothing_is_claimed(open_page: Open, world: World) -> None:
    world.progress = Progress()
    page = open_page("/anomalies")
    expect(page.locator("#answer")).to_contain_text("Not known")
    expect(page.locator(".empty")).to_contain_text("No series is judged yet")


def test_anomalies_stand_by_service_the_gravest_first_with_chart_and_words(
    open_page: Open, world: World
) -> None:
    mild, grave = anomaly(WORKERS, 1500, score=0.62), anomaly(QUEUE, 600, score=0.9)
    over, other = anomaly(QUEUE, 4000, ended=1800, score=0.95), anomaly(LOAD, 100)
    keep(world, mild, grave, over, other)
    page = open_page("/anomalies")
    expect(page.locator("#answer")).to_have_text("3 anomalies last, 1 critical")
    rows = page.locator("#list [data-row]")
    expect(rows).to_have_count(6)
    texts = rows.all_inner_texts()
    assert [re.split(r"\s+", text)[0] for text in texts] == [
        *("critical", "critical", "warning", "critical"),
        *("high", "high"),
    ]
    assert "shop" in texts[0]
    assert "no service" in texts[4]
    # The gravest is open.
    detail = page.locator(".detail")
    expect(detail).to_contain_text("90 where 40 was expected (30 to 50)")
    chart = page.locator(f'[aria-labelledby="h-anomaly-{grave.id}"]')
    expect(chart).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=SLOW)
    expect(chart.locator(".legend .name")).to_have_text(
        [re.compile("queue_length"), "expected", "band from", "band to"]
    )
    assert chart.locator(".js-fill").count() == 1  # the band


def test_what_moved_with_it_and_when_it_last_looked_so_are_linked(
    open_page: Open, world: World
) -> None:
    now, with_it = anomaly(QUEUE, 600), anomaly(WORKERS, 240)
    before = anomaly(QUEUE, 86_400, ended=86_000)
    keep(world, now, with_it, before)
    page = open_page(f"/anomalies?open={now.id}")
    company = page.locator(".company")
    expect(company.locator(".moved li")).to_have_count(1)
    expect(company.locator(".moved")).to_contain_text("6 min later")
    expect(company).to_contain_text("24 h ago: 90 where 40 was expected")
    company.get_by_role("link", name="24 h ago").click()
    expect(page.locator(item(page, before))).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".company")).to_contain_text("Never, as far as anomalies are kept.")


POD = [metric("cpu", pod=f"shop-{n}", service="shop", team="sales") for n in range(3)]


def together(world: World, ago: float = 600) -> list[Anomaly]:
    """Three pods of a service that began within a minute; the first is the rarest."""
    rows = [
        replace(
            anomaly(labels, ago - 20 * n, score=0.9 - n / 10, cause=PEERS),
            peer=f"pod=shop-{n}",
            siblings=9,
            siblings_median=42.0,
        )
        for n, labels in enumerate(POD)
    ]
    keep(world, *rows)
    return rows


def test_what_moved_together_is_one_row_with_its_series_and_what_they_share(
    open_page: Open, world: World
) -> None:
    rows = together(world)
    keep(world, anomaly(LOAD, 500))
    page = open_page("/anomalies")
    expect(page.locator("#answer")).to_have_text("2 anomalies last, 1 critical")
    row = page.locator(item(page, rows[0]))
    expect(row).to_contain_text("3 series cpu")
    expect(row).to_contain_text("team=sales")
    members = page.locator(".moved-member")
    expect(members).to_have_count(3)
    expect(members.first).to_contain_text("unlike its 9 siblings (pod=shop-0), median 42")
    chart = page.locator(f'[aria-labelledby="h-anomaly-{rows[2].id}"]')
    expect(chart).to_be_visible(timeout=SLOW)
    standing = page.locator(".standing li")
    expect(standing.first).to_contain_text("3 of 3 here, 3 of 103 judged")
    expect(page.locator(".detail")).to_contain_text("Among its siblings")
    members.first.locator("summary").click()
    expect(members.first).not_to_have_attribute("open", re.compile(".*"))


def test_what_a_person_says_of_what_moved_together_is_said_of_each(
    open_page: Open, world: World
) -> None:
    rows = together(world)
    page = open_page("/anomalies")
    page.get_by_role("button", name="False alarm").click()
    expect(page.locator(item(page, rows[0]))).to_contain_text("false alarm")
    assert world.handicaps == dict.fromkeys(POD, 1.0)


def test_a_cell_of_the_heat_map_leads_to_the_series_that_moved_together(
    open_page: Open, world: World
) -> None:
    hour = time.time() // 3600 * 3600
    together(world, time.time() - (hour - 7200 + 60))
    keep(world, anomaly(LOAD, 10))
    page = open_page("/anomalies")
    page.get_by_role("button", name="Anomalies by hour: data as a table").click()
    page.locator("#rate tbody tr").last.get_by_role("button").click()
    expect(page.locator("#list .member")).to_have_count(1)
    expect(page.locator("#list .member")).to_contain_text("3 series")
    expect(page.locator(".moved-member")).to_have_count(3)


def test_a_person_says_that_it_was_false_and_that_has_effect(open_page: Open, world: World) -> None:
    one = anomaly(QUEUE, 600)
    keep(world, one)
    page = open_page("/anomalies")
    page.get_by_role("button", name="False alarm").click()
    expect(page.locator(item(page, one))).to_contain_text("false alarm")
    expect(page.locator("#answer")).to_have_text("Nothing now")
    assert world.handicaps == {QUEUE: 1.0}
    page.get_by_role("button", name="Real", exact=True).click()
    expect(page.locator(item(page, one))).to_contain_text("marked as real")
    assert world.handicaps == {}
    page.reload()
    pressed = page.locator(".detail .button[aria-pressed=true]")
    expect(pressed).to_have_text("Real")


def test_what_was_said_is_taken_back_by_saying_it_again(open_page: Open, world: World) -> None:
    one = anomaly(QUEUE, 600)
    keep(world, one, replace(anomaly(QUEUE, 90_000, ended=89_000), feedback="false"))
    page = open_page("/anomalies")
    expect(page.locator(".company")).to_contain_text("1 of 1 like it was marked false: one like it")
    page.get_by_role("button", name="False alarm", exact=True).click()
    expect(page.locator(item(page, one))).to_contain_text("false alarm")
    page.get_by_role("button", name="False alarm", exact=True).click()
    expect(page.locator(item(page, one))).to_contain_text("lasts")


def test_a_rule_is_made_of_an_anomaly_and_removed(open_page: Open, world: World) -> None:
    keep(world, replace(anomaly(QUEUE, 600), direction="below"))
    page = open_page("/anomalies")
    page.get_by_role("button", name="Never tell falls of this").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Only rises")).to_have_attribute(
        "aria-pressed", "true"
    )
    dialog.get_by_role("button", name='queue="mail"').click()  # of every queue
    dialog.get_by_role("textbox", name="Comment").fill("it empties at night")
    dialog.get_by_role("button", name="Make the rule").click()
    expect(dialog).to_be_hidden()
    (rule,) = world.anomaly_rules
    assert sorted(rule.matchers) == ['__name__="queue_length"', 'service="shop"']
    assert (rule.direction, rule.comment) == ("above", "it empties at night")
    rules = page.locator("#rules")
    rules.get_by_text("Rules of what is told: 1").click()
    expect(rules).to_contain_text("tells only what is above expected")
    rules.get_by_role("button", name="Remove the rule").click()
    expect(rules).to_contain_text("Every series is told of.")
    assert world.anomaly_rules == []


def test_a_rule_that_changes_nothing_is_refused_in_words(open_page: Open) -> None:
    page = open_page("/anomalies")
    page.locator("#rules summary").click()
    page.get_by_role("button", name="Make a rule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Matchers").fill("service=shop")
    dialog.get_by_role("button", name="Make the rule").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This changes nothing")


def test_what_is_not_told_is_marked_and_found(open_page: Open, world: World) -> None:
    note = "No sample for 4 min, where one came every 30 s; its 12 siblings go on."
    untold = replace(anomaly(LOAD, 60), told=False)
    keep(world, untold, replace(anomaly(QUEUE, 600), cause="series_stopped", note=note))
    page = open_page("/anomalies")
    expect(page.locator("#answer")).to_have_text("1 anomaly lasts")
    expect(page.locator(item(page, untold))).to_contain_text("not told")
    expect(page.locator(".detail")).to_contain_text(note)
    expect(page.locator(".detail")).not_to_contain_text("At its peak")
    page.get_by_role("button", name="Not told", exact=True).click()
    expect(page.locator("#list .member")).to_have_count(1)
    expect(page.locator("#list .member")).to_contain_text("load")


def test_new_anomalies_appear_by_themselves(open_page: Open, world: World, stage: Stage) -> None:
    page = open_page("/anomalies")
    expect(page.locator(".empty")).to_be_visible()
    one = anomaly(QUEUE, 1)
    keep(world, one)
    stage.publish(TOPIC, {"anomalies": [one.id]})
    expect(page.locator(item(page, one))).to_be_visible(timeout=SLOW)
    keep(world, one.closed(time.time()))
    stage.publish(TOPIC, {"anomalies": [one.id]})
    expect(page.locator(item(page, one))).to_contain_text("over", timeout=SLOW)


def test_from_a_cell_of_the_heat_map_to_its_anomalies(open_page: Open, world: World) -> None:
    hour = time.time() // 3600 * 3600
    there = anomaly(QUEUE, time.time() - (hour - 7200 + 60), ended=time.time() - (hour - 7000))
    elsewhere = anomaly(LOAD, time.time() - (hour - 7200 + 90), ended=time.time() - (hour - 7000))
    keep(world, there, elsewhere, anomaly(QUEUE, 10))
    page = open_page("/anomalies")
    page.wait_for_selector("#rate .canvas[data-drawn]", timeout=SLOW)
    # Rows are ordered by their number: shop has two.
    plot = page.locator("#rate .nsewdrag").bounding_box()
    assert plot is not None
    page.mouse.click(plot["x"] + plot["width"] * (168 - 2.5) / 168, plot["y"] + 10)
    expect(page.locator(item(page, there))).to_be_visible()
    expect(page.locator("#list .member")).to_have_count(1)
    assert "service=shop" in page.url
    page.reload()
    expect(page.locator("#list .member")).to_have_count(1)


def test_the_heat_map_is_a_table_as_well_and_reached_by_keys(open_page: Open, world: World) -> None:
    keep(world, anomaly(QUEUE, 10), anomaly(LOAD, 86_400, ended=86_000))
    page = open_page("/anomalies")
    page.get_by_role("button", name="Anomalies by hour: data as a table").click()
    cells = page.locator("#rate tbody tr")
    expect(cells).to_have_count(2)
    cells.last.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#list .member")).to_have_count(1)
    expect(page.locator("#list .member")).to_contain_text("load")


def test_a_filter_is_in_the_address(open_page: Open, world: World) -> None:
    keep(world, anomaly(QUEUE, 60), anomaly(LOAD, 50, ended=20, score=0.9))
    page = open_page("/anomalies")
    page.get_by_role("button", name="Over", exact=True).click()
    expect(page.locator("#list .member")).to_have_count(1)
    page.reload()
    expect(page.locator("#list .member")).to_contain_text("load")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator(".empty")).to_contain_text("No anomaly matches")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    theme: str, browser: Browser, stage: Stage, world: World
) -> None:
    said = anomaly(LOAD, 50, ended=20)
    grave = anomaly(WORKERS, 180, score=0.95)
    keep(world, anomaly(QUEUE, 600), grave, said)
    pods = together(world, 3000)
    assert world.anomalies is not None
    world.anomalies.judge(said.id, "false")
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = context.new_page()
    page.goto(f"{stage.url}/anomalies?open={grave.id}&open={pods[0].id}")
    page.wait_for_selector("#rate .canvas[data-drawn]", timeout=SLOW)
    page.get_by_role("button", name="Anomalies by hour: data as a table").click()
    expect(page.locator(".company .moved li")).to_have_count(2)
    expect(page.locator(".moved-member .canvas")).to_have_count(3)
    found = Axe().run(page).response["violations"]
    serious = [
        (v["id"], v["nodes"][0]["failureSummary"])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


def test_a_phone_shows_one_column(browser: Browser, stage: Stage, world: World) -> None:
    one = anomaly(QUEUE, 600)
    keep(world, one, anomaly(metric("x" * 120, service="s" * 300), 480))
    pods = together(world, 6000)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{stage.url}/anomalies?open={one.id}&open={pods[0].id}")
    page.wait_for_selector("#rate .canvas[data-drawn]", timeout=SLOW)
    expect(page.locator(".company .moved li")).to_have_count(1)
    expect(page.locator(".moved-member .canvas")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_thousand_anomalies_do_not_break_the_list(open_page: Open, world: World) -> None:
    def one(n: int) -> Anomaly:
        return anomaly(metric("m", service=f"s{n % 40}", n=str(n)), 60 + n // 40 * 400)

    keep(world, *map(one, range(1000)))
    page = open_page("/anomalies")
    expect(page.locator("#answer")).to_have_text("1000 anomalies last")
    expect(page.locator("#list > .list > .note")).to_contain_text("The first 500 of 1040")
    page.wait_for_selector("#rate .canvas[data-drawn]", timeout=SLOW)
    expect(page.locator("#rate .ytick")).to_have_count(21)  # twenty services and the others
