"""A server of HTTP on a real socket that answers as it is told, and a notification to send it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from pynomaly.alerting.channels.messages import Messages, shipped_templates
from pynomaly.alerting.contract import Notification
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels

HANG = 0
"""A status: the request is read and never answered."""

START = 1_700_000_000.0


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: str | dict[str, Any] = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Server:
    """``replies`` are given in order, then 200s. Every request is kept."""

    def __init__(self) -> None:
        self.url = ""
        self.replies: list[Reply] = []
        self.requests: list[Request] = []
        self._released = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.requests.append(Request(request.method, request.raw_path, headers, body))
        reply = self.replies.pop(0) if self.replies else Reply()
        if reply.status == HANG:
            await self._released.wait()
            return web.Response(status=500)
        if isinstance(reply.body, dict):
            return web.json_response(reply.body, status=reply.status, headers=reply.headers)
        return web.Response(status=reply.status, text=reply.body, headers=reply.headers)

    def release(self) -> None:
        self._released.set()


@asynccontextmanager
async def server(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    handler = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    handler.url = f"http{'s' if context else ''}://127.0.0.1:{port}"
    try:
        yield handler
    finally:
        handler.release()
        await runner.cleanup()


def alert(instance: str = "a", state: AlertState = AlertState.FIRING, **labels: str) -> Alert:
    found = Labels({"alertname": "Down", "instance": instance, "job": "api", **labels})
    annotations = Labels({"summary": f"{instance} is down", "runbook_url": "http://runbook"})
    resolved_at = START if state is AlertState.INACTIVE else 0.0
    at = START - 60
    return Alert(found, annotations, state, 0.0, at, at, resolved_at, "http://source")


def resolved(instance: str = "a") -> Alert:
    return alert(instance, AlertState.INACTIVE)


def notification(*alerts: Alert, **fields: Any) -> Notification:
    labels = Labels({"alertname": "Down"})
    fields = {"reason": "first notification", "id": "id-1", **fields}
    found = alerts or (alert(),)
    return Notification("team.x", '{}:{alertname="Down"}', labels, found, START, **fields)


def messages(clock: FakeClock | None = None) -> Messages:
    return Messages(shipped_templates(), "http://here", clock or FakeClock(START))
