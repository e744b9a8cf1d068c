"""A query whose client has gone away is not worth finishing."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from pynomaly.model.errors import PynomalyError

Answer = TypeVar("Answer")


class ClientGone(PynomalyError):
    """Nobody reads this answer; the status is nginx's, for the access log."""

    status = 499
    kind = "canceled"


async def until_gone(request: Request, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Await ``work``, and cancel it when the client disconnects. Read the body before.

    Raises:
        ClientGone: it did; ``work`` has ended.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone("the client closed the connection before the answer was ready")
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
