"""The socket, the evaluation behind it, and the routes, without a browser."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_stage import METADATA, Stage, World, alert, host, metric
from websockets.asyncio.client import ClientConnection, connect

from pynomaly.access.asgi import Require
from pynomaly.model.clock import SystemClock
from pynomaly.promql.contract import QueryResult
from pynomaly.storage.bus import Bus
from pynomaly.web.alerts.board import expression_of
from pynomaly.web.app import create_app
from pynomaly.web.config import WebSettings
from pynomaly.web.deps import Health, Status, WebDeps
from pynomaly.web.lookup import rank
from pynomaly.web.panels import PanelSpec, nice_step

LOAD = {"queries": [{"expr": "node_load1"}], "last": 300, "step": 15}


@pytest.fixture
def live() -> Iterator[Stage]:
    stage = Stage(World())
    stage.append(host(seconds=900), METADATA)
    stage.start()
    yield stage
    stage.stop()


def socket(stage: Stage, **more: Any) -> connect:
    return connect(f"ws://127.0.0.1:{stage.port}/ws", max_size=None, **more)


async def until(ws: ClientConnection, topic: str, **data: Any) -> dict[str, Any]:
    """The next message of a topic whose data has these values."""
    async with asyncio.timeout(30):
        while True:
            message = json.loads(await ws.recv())
            found = message["data"]
            if message["topic"] == topic and data.items() <= found.items():
                return message


async def ask(ws: ClientConnection, *watch: str, **panels: Any) -> dict[str, str]:
    await ws.send(json.dumps({"watch": list(watch), "panels": panels}))
    topics: dict[str, str] = (await until(ws, "subscribed"))["data"]["panels"]
    return topics


def load(instance: str, value: float) -> list[tuple[Any, int, float]]:
    labels = metric("node_load1", instance=instance, job="node")
    return [(labels, round(time.time() * 1000), value)]


async def test_a_panel_begins_whole_and_goes_on_by_what_is_new(live: Stage) -> None:
    async with socket(live) as ws:
        topic = (await ask(ws, a=LOAD))["a"]
        whole = await until(ws, topic, kind="figure")
        assert len(whole["data"]["figure"]["data"][0]["y"]) == 21
        live.append(load("localhost", 41.5))
        while True:
            more = await until(ws, topic, kind="delta")
            assert more["data"]["after"] >= whole["data"]["grid"]["end"]
            if more["data"]["edge"]["y"] == [41.5]:
                break
        assert more["seq"] > whole["seq"]


async def test_two_pages_that_show_the_same_are_evaluated_once(live: Stage) -> None:
    async with socket(live) as one, socket(live) as two:
        topics = [(await ask(ws, x=LOAD))["x"] for ws in (one, two)]
        assert topics[0] == topics[1]
        await until(two, topics[1], kind="figure")
        live.append(load("localhost", 7.5))
        edges = []
        for ws in (one, two):
            while True:
                message = await until(ws, topics[0], kind="delta")
                if message["data"]["edge"]["y"] == [7.5]:
                    break
            edges.append((message["seq"], message["data"]["edge"]))
        assert edges[0][1]["y"] == edges[1][1]["y"]


async def test_a_new_series_makes_the_figure_anew(live: Stage) -> None:
    async with socket(live) as ws:
        topic = (await ask(ws, a=LOAD))["a"]
        await until(ws, topic, kind="figure")
        live.append(load("other", 1.0))
        while True:
            message = await until(ws, topic, kind="figure")
            if len(message["data"]["figure"]["data"]) == 2:
                return


async def test_a_table_is_live(live: Stage) -> None:
    async with socket(live) as ws:
        topic = (await ask(ws, t={**LOAD, "kind": "table"}))["t"]
        await until(ws, topic, kind="table")
        live.append(load("localhost", 123.25))
        while True:
            message = await until(ws, topic, kind="table")
            if message["data"]["rows"][0][2] == "123.25":
                assert message["data"]["columns"] == ["__name__", "instance", "job"]
                return


async def test_an_expression_that_is_wrong_says_where(live: Stage) -> None:
    async with socket(live) as ws:
        spec = {**LOAD, "queries": [{"expr": "node_load1"}, {"expr": "1 + rat(x)"}]}
        topic = (await ask(ws, a=spec))["a"]
        data = (await until(ws, topic, kind="figure"))["data"]
        assert len(data["figure"]["data"]) == 1
        assert [(e["query"], e["position"]) for e in data["errors"]] == [(1, [1, 5])]


async def test_snapshots_come_when_they_change(live: Stage) -> None:
    async with socket(live) as ws:
        await ask(ws, "alerts")
        assert (await until(ws, "alerts"))["data"]["firing"] == 0
        live.world.firing = [alert("A"), alert("B", firing=False), alert("W", severity="none")]
        live.publish("alerts")
        data = (await until(ws, "alerts", firing=1))["data"]
        assert data["pending"] == 1
        assert [a["name"] for a in data["alerts"]] == ["A", "B", "W"]


async def test_who_takes_nothing_is_told_to_resync(live: Stage) -> None:
    """What a slow page missed is dropped, not kept; it starts over when it reads again."""
    async with socket(live, compression=None, max_queue=1) as ws:
        await ask(ws, "alerts")
        ws.transport.pause_reading()
        # One message is larger than the buffers between the two; more than the queue follow.
        for i in range(600):
            live.world.firing = [alert("A", note=str(i) * 200, instance=str(n)) for n in range(40)]
            live.loop.call_soon_threadsafe(
                live.bus.publish, "web:alerts", {"firing": i, "padding": "x" * 60_000}
            )
        await asyncio.sleep(0.5)
        ws.transport.resume_reading()
        await until(ws, "resync")
        await ask(ws, "alerts")
        await until(ws, "alerts", firing=40)


async def test_a_request_that_makes_no_sense_is_refused_in_words(live: Stage) -> None:
    async with socket(live) as ws:
        for request, word in [
            ("{", "JSON"),
            ('{"watch": ["nothing"]}', "unknown topics: nothing"),
            ('{"panels": {"a": {"queries": [], "last": 300}}}', "at least 1"),
            (json.dumps({"panels": {"a": {**LOAD, "step": 0.1, "last": 86400}}}), "44 s or more"),
        ]:
            await ws.send(request)
            assert word in (await until(ws, "refused"))["data"]["message"]
        await ask(ws, "alerts")


async def test_the_number_of_pages_and_panels_is_bounded() -> None:
    stage = Stage(World(), WebSettings(max_clients=2, max_live_panels=1, max_panels_per_client=2))
    stage.start()
    try:
        async with socket(stage) as one, socket(stage) as two, socket(stage) as three:
            await ask(one, a=LOAD)
            other = {**LOAD, "last": 600}
            await two.send(json.dumps({"panels": {"b": other}}))
            assert (await until(two, "subscribed"))["data"]["refused"] == ["b"]
            await one.send(json.dumps({"panels": {str(i): LOAD for i in range(3)}}))
            assert "too many panels" in (await until(one, "refused"))["data"]["message"]
            await three.wait_closed()
            assert three.close_code == 1013
            await ask(one)
            assert "b" in await ask(two, b=other)
    finally:
        stage.stop()


async def test_a_foreign_origin_gets_no_socket(live: Stage) -> None:
    with pytest.raises(Exception, match="403"):
        async with socket(live, origin="http://evil.example"):
            pass


def test_a_panel_that_does_not_move_is_answered_once(live: Stage) -> None:
    now = round(time.time() * 1000)
    spec = {"queries": [{"expr": "node_load1"}], "start": now - 600_000, "end": now, "step": 60}
    data = httpx.post(f"{live.url}/data/panel", json=spec).json()
    assert data["stats"]["series"] == [1]
    assert data["edge"] is None
    assert data["grid"] == {"start": now - 600_000, "end": now, "step": 60_000}


def test_a_panel_without_sense_is_refused(live: Stage) -> None:
    spec = {"queries": [{"expr": "up"}], "start": 5, "end": 4}
    answer = httpx.post(f"{live.url}/data/panel", json=spec)
    assert answer.status_code == 400
    assert answer.json() == {"error": "'end' must be later than 'start'"}


def test_names_are_looked_up(live: Stage) -> None:
    def get(path: str, **params: str) -> Any:
        return httpx.get(f"{live.url}/lookup/{path}", params=params).json()

    assert get("metrics", text="load")[0] == {
        "name": "node_load1",
        "type": "gauge",
        "help": "1 minute load average.",
    }
    assert get("labels", metric="node_load1") == ["instance", "job"]
    assert get("values", label="mode", metric="node_cpu_seconds_total", text="id") == ["idle"]


def test_names_that_begin_with_what_is_typed_come_first() -> None:
    assert rank("cpu", ["a_cpu", "acpu", "cpu_x", "mem"]) == ["cpu_x", "a_cpu", "acpu"]
    assert rank("node cpu", ["cpu_of_node", "node_mem"]) == ["cpu_of_node"]


def test_static_files_are_cached_for_good_and_compressed(live: Stage) -> None:
    text = httpx.get(live.url).text
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        answer = httpx.get(live.url + path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]
    plotly = httpx.get(live.url + re.findall(r'"(/static/plotly[^"]+)"', text)[0])
    assert plotly.headers["content-encoding"] == "gzip"
    assert httpx.get(f"{live.url}/static/../app.py").status_code == 404


def test_health_is_for_machines(live: Stage) -> None:
    answer = httpx.get(f"{live.url}/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    live.world.health = Health(Status.DOWN)
    assert httpx.get(f"{live.url}/health").status_code == 503


def test_what_a_label_says_cannot_become_a_script(live: Stage) -> None:
    live.world.firing = [alert("</script><script>alert(1)</script>")]
    assert "</script><script>alert(1)" not in httpx.get(f"{live.url}/alerts").text


async def test_every_route_asks_for_permission() -> None:
    class Nothing:
        async def instant(self, *_: Any, **__: Any) -> QueryResult:
            raise AssertionError

        range = instant

    clock = SystemClock()
    world = World()
    deps = WebDeps(
        querier=Nothing(),
        reader=world.samples,
        bus=Bus(clock),
        clock=clock,
        health=world.health_now,
        alerts=world,
        targets=world,
        stats=world.stats_now,
        version="0",
        api_url="",
    )
    unguarded = []
    for route in create_app(deps).routes:
        dependencies = getattr(route, "dependencies", [])
        if not any(isinstance(d.dependency, Require) for d in dependencies):
            unguarded.append(route)
    assert unguarded == []


def test_the_step_suits_the_range() -> None:
    assert [nice_step(s) for s in (300, 3600, 86400)] == [5.0, 15.0, 300.0]


def test_a_moving_range_lies_on_multiples_of_its_step() -> None:
    spec = PanelSpec.model_validate(LOAD)
    assert spec.bounds(1_700_000_007_123) == (1_699_999_695_000, 1_699_999_995_000, 15_000)


def test_variables_of_an_expression_are_filled_in() -> None:
    spec = PanelSpec.model_validate(
        {"queries": [{"expr": "rate(x[$__rate_interval]) $__interval $__range"}], "last": 86400}
    )
    assert spec.expression(0) == "rate(x[315s]) 300s 86400s"


def test_the_expression_of_an_alert_is_found_in_its_link() -> None:
    assert expression_of("http://x/explore?q=up%20%3D%3D%200") == "up == 0"
    assert expression_of("http://x/graph?g0.expr=a%2Bb&g0.tab=1") == "a+b"
    assert expression_of("") == ""


async def test_pages_close_cleanly_with_the_server(live: Stage) -> None:
    async with socket(live) as ws:
        await ask(ws, "alerts", a=LOAD)
        await asyncio.to_thread(live.stop)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(10):
                await ws.wait_closed()
        assert ws.close_code is not None


def test_a_runbook_can_be_read_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "TargetDown.md").write_text("# Look at <the> target")
    (tmp_path / "secret.md").write_text("secret")
    stage = Stage(World(), runbooks=folder)
    stage.start()
    try:
        page = httpx.get(f"{stage.url}/runbooks/TargetDown")
        assert "# Look at &lt;the&gt; target" in page.text
        for name in ("Other", "..%2Fsecret", "TargetDown.md"):
            assert httpx.get(f"{stage.url}/runbooks/{name}").status_code == 404
    finally:
        stage.stop()
