"""Alertmanagers that write down what they are sent, and what tells them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.alerts.service import Alerts
from pynomaly.alerting.cluster.config import AlertmanagerBlock, ClusterConfig
from pynomaly.alerting.cluster.service import Cluster
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.alerting.rules_feed import SOURCE
from pynomaly.alerting.silences.service import Silences
from pynomaly.model.alert import fingerprint
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit
from tests.alerting.alerting_story import Plan


class FakeAlertmanager:
    """Takes alerts and silences; ``status`` is what it answers to both."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.batches: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.silences: dict[str, dict[str, Any]] = {}

    def told(self) -> list[str]:
        """The instance of every alert, in order."""
        return [alert["labels"].get("instance", "") for batch in self.batches for alert in batch]

    async def take(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.status == 200:
            self.batches.append(await request.json())
        return web.Response(status=self.status, text="" if self.status == 200 else "not today")

    async def show_status(self, _: web.Request) -> web.Response:
        return web.json_response({"cluster": {"status": "ready"}}, status=self.status)

    async def list_silences(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.silences.values()), status=self.status)

    async def set_silence(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status)
        found = await request.json()
        if found["comment"] == "refuse me":
            return web.json_response("a comment is expected", status=400)
        identity = found.setdefault("id", f"silence-{len(self.silences)}")
        status, at = {"state": "active"}, found["startsAt"]
        self.silences[identity] = {**found, "status": status, "updatedAt": at}
        return web.json_response({"silenceID": identity})

    async def expire(self, request: web.Request) -> web.Response:
        found = self.silences.get(request.match_info["id"])
        if found is None:
            return web.json_response("silence not found", status=404)
        found["endsAt"] = found["startsAt"]
        return web.Response()


@asynccontextmanager
async def fake_alertmanager() -> AsyncIterator[FakeAlertmanager]:
    fake = FakeAlertmanager()
    app = web.Application(client_max_size=1 << 30)
    for prefix in ("", "/am"):
        app.router.add_post(f"{prefix}/api/v2/alerts", fake.take)
        app.router.add_get(f"{prefix}/api/v2/status", fake.show_status)
        app.router.add_get(f"{prefix}/api/v2/silences", fake.list_silences)
        app.router.add_post(f"{prefix}/api/v2/silences", fake.set_silence)
        app.router.add_delete(f"{prefix}/api/v2/silence/{{id}}", fake.expire)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()


def config(*urls: str, **fields: Any) -> ClusterConfig:
    """Each address as it stands in a file."""
    blocks = tuple(AlertmanagerBlock.model_validate(url) for url in urls)
    return ClusterConfig(blocks=blocks, **fields)


@dataclass
class Rig:
    """Alerts, silences, and the cluster that is told of them, on a clock that stands still."""

    clock: FakeClock
    alerts: Alerts
    silences: Silences
    cluster: Cluster
    plan: Plan

    async def push(self, *alerts: ReceivedAlert) -> None:
        await self.alerts.put(alerts)

    def alert(self, instance: str, ends_in: float = 240.0, **changes: Any) -> ReceivedAlert:
        labels = Labels({"alertname": "Down", "instance": instance})
        now = self.clock.now()
        fields: dict[str, Any] = {
            "labels": labels,
            "annotations": Labels({"summary": "it is down"}),
            "starts_at": 1_700_000_000.0,
            "ends_at": now + ends_in,
            "updated_at": now,
            "fingerprint": fingerprint(labels),
            "generator_url": "http://here/explore",
            "source": SOURCE,
        }
        return ReceivedAlert(**{**fields, **changes})


@asynccontextmanager
async def rig(records: Records) -> AsyncIterator[Rig]:
    clock = FakeClock()
    commits = GroupCommit(records)
    alerts = Alerts(records, commits, clock)
    silences = Silences(records, commits, clock, retention=86_400.0)
    plan = Plan()
    cluster = Cluster(alerts, silences, clock, MaintenanceWindows(plan))
    try:
        yield Rig(clock, alerts, silences, cluster, plan)
    finally:
        await cluster.close()
        await commits.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
