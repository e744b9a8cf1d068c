"""The same streams through Debian's Alertmanager and through ours: every notification alike."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from differential_alerts import SECONDS, Scenario, Step
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.api.alertmanager import AlertmanagerDeps, router
from pynomaly.api.errors import install
from pynomaly.model.clock import SystemClock
from pynomaly.server.alerting import Alerting
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records, RecordsSettings
from tests.product import unused_port

SEEDS = range(6)
TOLERANCE = 0.9
"""Seconds between two that are told the same; a tick is one."""

Note = tuple[float, dict[str, Any]]


class Sink:
    """Takes webhooks of one alert manager, with the time at which each came."""

    def __init__(self) -> None:
        self.notes: list[tuple[float, str, dict[str, Any]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.notes.append((time.time(), request.match_info["name"], await request.json()))
        return web.Response()


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[Sink, str]]:
    found = Sink()
    app = web.Application()
    app.router.add_post("/{name}", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield found, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class NoRules:
    """Nothing fires by rules of our own."""

    def recent(self) -> list[Any]:
        return []

    def unsettled(self) -> list[str]:
        return []


@asynccontextmanager
async def ours(config: str, folder: Path) -> AsyncIterator[str]:
    clock = SystemClock()
    records = Records.open(RecordsSettings(), folder)
    alerting = Alerting(
        records,
        NoRules(),
        clock,
        Bus(clock),
        external_url="http://x",
        retention=1e6,
        rate_limits={},
    )
    await alerting.start(parse_alertmanager(config, "test.yml", folder))
    app = FastAPI()
    install(app)
    app.include_router(router(AlertmanagerDeps(alerting.manager, clock, 0.0)))
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    port = unused_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
        await alerting.close()
        records.close()


@asynccontextmanager
async def theirs(config: str, folder: Path, program: str) -> AsyncIterator[str]:
    (folder / "alertmanager.yml").write_text(config)
    port = unused_port()
    options = [
        f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


async def ready(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with http.get(f"{url}/api/v2/status") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


class Sender:
    """Sends the steps of a scenario to one alert manager."""

    def __init__(self, http: aiohttp.ClientSession, url: str, began: float) -> None:
        self.http, self.url, self.began = http, url, began
        self.silences: list[str] = []

    async def send(self, step: Step) -> None:
        if step.alerts:
            bodies = [self._alert(alert) for alert in step.alerts]
            await self._post("/api/v2/alerts", bodies)
        for silence in step.silences:
            body = {
                "matchers": silence["matchers"], "comment": "c", "createdBy": "me",
                "startsAt": self._time(silence["start"]), "endsAt": self._time(silence["end"]),
            }  # fmt: skip
            self.silences.append((await self._post("/api/v2/silences", body))["silenceID"])
        for number in step.expire:
            async with self.http.delete(f"{self.url}/api/v2/silence/{self.silences[number]}") as _:
                pass

    async def _post(self, path: str, body: Any) -> Any:
        async with self.http.post(self.url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None) if path.endswith("silences") else None

    def _alert(self, alert: dict[str, Any]) -> dict[str, Any]:
        body = {"labels": alert["labels"], "annotations": alert["annotations"]}
        body["startsAt"] = self._time(alert["start"])
        if alert["end"] is not None:
            body["endsAt"] = self._time(alert["end"])
        return body

    def _time(self, seconds: float) -> str:
        return datetime.fromtimestamp(self.began + seconds, UTC).isoformat()


async def run(seed: int, folder: Path, program: str) -> tuple[list[str], int]:
    """The differences between the two, and how many notifications there were."""
    scenario = Scenario(seed)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        sinks, urls = [], []
        for name in ("theirs", "ours"):
            place = folder / name
            place.mkdir(parents=True)
            found, hook = await stack.enter_async_context(sink())
            config = scenario.config(hook)
            manager = theirs(config, place, program) if name == "theirs" else ours(config, place)
            urls.append(await stack.enter_async_context(manager))
            sinks.append(found)
        for url in urls:
            await ready(http, url)
        began = time.time() // 1 + 2
        senders = [Sender(http, url, began) for url in urls]
        for second, step in enumerate(scenario.steps):
            await asyncio.sleep(max(0.0, began + second - time.time()))
            await asyncio.gather(*(sender.send(step) for sender in senders))
        await asyncio.sleep(max(0.0, began + SECONDS - time.time()))
        first, second_ = (_by_place(found, began) for found in sinks)
    text = scenario.config("")
    found_differences = [f"{text}\n{difference}" for difference in differences(first, second_)]
    return found_differences, len(sinks[0].notes)


def _by_place(found: Sink, began: float) -> dict[tuple[str, str], list[Note]]:
    """The notifications of each group at each receiver, in order."""
    places: dict[tuple[str, str], list[Note]] = {}
    for at, name, payload in found.notes:
        notes = places.setdefault((name, payload["groupKey"]), [])
        notes.append((round(at - began, 2), _comparable(payload, began)))
    return places


def _comparable(payload: dict[str, Any], began: float) -> dict[str, Any]:
    kept = {
        name: payload[name]
        for name in (
            "receiver", "status", "groupLabels", "commonLabels", "commonAnnotations",
            "truncatedAlerts", "version",
        )
    }  # fmt: skip
    kept["alerts"] = [
        {
            "status": alert["status"],
            "labels": alert["labels"],
            "annotations": alert["annotations"],
            "startsAt": _seconds(alert["startsAt"], began),
            "endsAt": _seconds(alert["endsAt"], began),
        }
        for alert in payload["alerts"]
    ]
    return kept


def _seconds(text: str, began: float) -> int:
    """Whole seconds since the beginning; an end by timeout is some milliseconds later."""
    if text.startswith("0001"):
        return -1
    fraction = text.rstrip("Z").partition(".")[2]
    short = text if len(fraction) <= 6 else text[: text.index(".") + 7] + "Z"
    return round(datetime.fromisoformat(short).timestamp() - began)


def differences(
    first: dict[tuple[str, str], list[Note]], second: dict[tuple[str, str], list[Note]]
) -> list[str]:
    found = []
    for place in sorted(first.keys() | second.keys()):
        one, two = first.get(place, []), second.get(place, [])
        said = ([n for _, n in one], [n for _, n in two])
        late = any(abs(a[0] - b[0]) > TOLERANCE for a, b in zip(one, two, strict=False))
        if said[0] != said[1] or late:
            lines = [f"{place}", *(f"  theirs {_short(n)}" for n in one)]
            found.append("\n".join([*lines, *(f"  ours   {_short(n)}" for n in two)]))
    return found


def _short(note: Note) -> str:
    at, payload = note
    alerts = " ".join(
        f"{a['labels']['i']}{'!' if a['status'] == 'resolved' else ''}"
        f"({a['annotations']['note']}{a['startsAt']}-{a['endsAt']})"
        for a in payload["alerts"]
    )
    return f"{at:5} {payload['status']} {alerts}"


@pytest.mark.needs("alertmanager")
async def test_random_streams_give_the_same_notifications(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    path = program("alertmanager")
    results = await asyncio.gather(*(run(s, tmp_path / str(s), path) for s in SEEDS))
    faults = []
    for seed, (found, _) in zip(SEEDS, results, strict=True):
        if found:  # a machine that was held up for half a second differs once, not twice
            found, _ = await run(seed, tmp_path / f"{seed} again", path)
        faults += [f"seed {seed}\n{text}" for text in found]
    assert not faults, "\n\n".join(faults)
    assert sum(count for _, count in results) > 10 * len(SEEDS)
