"""An HTTP server that answers as it is told, and remembers what it was asked."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    form: dict[str, str]
    headers: dict[str, str]
    body: bytes


Reply = web.Response | Callable[[web.Request], Any]


@dataclass
class FakePeer:
    """Replies are taken from ``replies`` in order, the last one again and again."""

    url: str = ""
    replies: deque[Reply] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def then(self, *replies: Reply) -> None:
        """From now on reply with these."""
        self.replies = deque(replies)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        form = dict(request.query)
        if request.content_type == "application/x-www-form-urlencoded":
            form |= {key: str(value) for key, value in (await request.post()).items()}
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.path, form, headers, body))
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        if callable(reply):
            answer: web.StreamResponse = await reply(request)
            return answer
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


def success(kind: str, result: Any, **more: Any) -> web.Response:
    """An answer of Prometheus's."""
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return web.Response(body=orjson.dumps(body), content_type="application/json")


def failure(status: int, kind: str, message: str) -> web.Response:
    """An error of Prometheus's."""
    body = {"status": "error", "errorType": kind, "error": message}
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


@asynccontextmanager
async def serving() -> AsyncIterator[FakePeer]:
    """Listen on a free port."""
    peer = FakePeer()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", peer.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    peer.url = f"http://127.0.0.1:{port}"
    try:
        yield peer
    finally:
        peer.hold.set()
        await runner.cleanup()
