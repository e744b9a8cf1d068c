"""Many timers on one clock, with one task."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any

from pynomaly.model.clock import Clock

Ring = Callable[[float], None]


class Timers:
    """Calls back at given times (epoch seconds), in their order, on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Ring]] = []
        self._numbers = itertools.count()
        self._earlier = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ring."""
        self._task = asyncio.create_task(self._run(), name="alert group timers")

    async def close(self) -> None:
        """Ring no more. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def at(self, due: float, ring: Ring) -> None:
        """Call ``ring(due)`` at that time, or as soon as possible if it is past."""
        if not self._heap or due < self._heap[0][0]:
            self._earlier.set()
        heapq.heappush(self._heap, (due, next(self._numbers), ring))

    async def _run(self) -> None:
        while True:
            now = self._clock.now()
            while self._heap and self._heap[0][0] <= now:
                due, _, ring = heapq.heappop(self._heap)
                ring(due)
            self._earlier.clear()
            await self._sleep()

    async def _sleep(self) -> None:
        """Until the first timer is due, or an earlier one was set."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._earlier.wait())]
        if self._heap:
            waits.append(asyncio.create_task(self._until(self._heap[0][0])))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _until(self, due: float) -> None:
        await self._clock.sleep_until(due)
