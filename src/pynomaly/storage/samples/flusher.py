"""When the head goes to the engine: as soon as it is full, else some seconds after a commit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger(__name__)


class Flusher:
    """The task that flushes. For the event loop only.

    ``flush`` tells whether it worked; after it did not there is a pause of the interval.
    """

    def __init__(self, flush: Callable[[], Awaitable[bool]], interval: float) -> None:
        self._flush = flush
        self._interval = interval
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="flush")

    def committed(self, *, full: bool) -> None:
        """The head holds something, or all that it is to hold."""
        self._some.set()
        if full:
            self._full.set()

    async def close(self) -> None:
        """Stop; a flush that runs in a thread goes on there."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._interval)
            self._some.clear()
            self._full.clear()
            if not await self._worked():
                await asyncio.sleep(self._interval)
                self._some.set()

    async def _worked(self) -> bool:
        try:
            return await self._flush()
        except Exception:
            # The outermost guard: the samples are in the log, and the next flush may work.
            log.exception("handing samples to the engine failed")
            return False
