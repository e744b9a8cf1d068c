"""Slack's two methods on a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class SlackApi:
    """``calls``: the method and the body of each. Each new message gets the next ``ts``."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._messages = 0

    async def answer(self, request: web.Request) -> web.Response:
        method, body = request.path.rsplit("/", 1)[-1], await request.json()
        self.calls.append((method, body))
        if method == "chat.postMessage":
            self._messages += 1
        ts = body.get("ts", f"{self._messages}.0")
        return web.json_response({"ok": True, "channel": "C1", "ts": ts})


@asynccontextmanager
async def slack_api() -> AsyncIterator[SlackApi]:
    handler = SlackApi()
    app = web.Application()
    app.router.add_post("/api/{method}", handler.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    handler.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/chat.postMessage"
    try:
        yield handler
    finally:
        await runner.cleanup()
