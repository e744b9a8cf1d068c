"""A receiver of webhooks on a real socket, that fails as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Receiver:
    """Keeps every payload. ``answers`` holds the next statuses: 0 hangs, then 200 for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.attempts: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._released = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        payload = await request.json()
        self.attempts.append(payload)
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            await self._released.wait()
            return web.Response(status=500)
        if status == 302:
            return web.Response(status=302, headers={"location": self.url})
        if status == 200:
            self.taken.append(payload)
        return web.Response(status=status, text="" if status == 200 else "not today")

    async def until(self, taken: int) -> None:
        async with asyncio.timeout(60):
            while len(self.taken) < taken:
                await asyncio.sleep(0.01)

    async def until_idle(self) -> None:
        """Give the sockets a moment of real time; the callers wait for a condition around it."""
        await asyncio.sleep(0.02)

    def told(self) -> list[tuple[str, list[str]]]:
        """The status of each payload, and of each of its alerts."""
        return [(p["status"], [a["status"] for a in p["alerts"]]) for p in self.taken]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    handler = Receiver()
    app = web.Application()
    app.router.add_post("/hook", handler.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    handler.url = f"http://{host}:{port}/hook"
    try:
        yield handler
    finally:
        handler._released.set()
        await runner.cleanup()
