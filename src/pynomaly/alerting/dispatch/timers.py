"""Many timers on one clock, with one task."""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any

from pynomaly.model.clock import Clock

Ring = Callable[[float], None]


_Heap = list[tuple[float, int, Ring]]

_AT_ONCE = 20
"""Timers that ring before others get their turn."""


class Timers:
    """Calls back at given times (epoch seconds), in their order, on the event loop.

    Where many are due at once, those that are urgent come first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._urgent: _Heap = []
        self._heap: _Heap = []
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

    def at(self, due: float, ring: Ring, *, urgent: bool = False) -> None:
        """Call ``ring(due)`` at that time, or as soon as possible if it is past."""
        if due < self._next():
            self._earlier.set()
        heapq.heappush(self._urgent if urgent else self._heap, (due, next(self._numbers), ring))

    async def _run(self) -> None:
        while True:
            self._earlier.clear()
            now = self._clock.now()
            _ring(self._urgent, now, len(self._urgent))
            _ring(self._heap, now, _AT_ONCE)
            if self._next() <= now:
                await asyncio.sleep(0)
            else:
                await self._sleep()

    def _next(self) -> float:
        """When the next one is due."""
        return min((heap[0][0] for heap in (self._urgent, self._heap) if heap), default=math.inf)

    async def _sleep(self) -> None:
        """Until the first timer is due, or an earlier one was set."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._earlier.wait())]
        if (due := self._next()) < math.inf:
            waits.append(asyncio.create_task(self._until(due)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _until(self, due: float) -> None:
        await self._clock.sleep_until(due)


def _ring(heap: _Heap, now: float, most: int) -> None:
    for _ in range(most):
        if not heap or heap[0][0] > now:
            return
        due, _, ring = heapq.heappop(heap)
        ring(due)
