"""Time is passed in: whatever evaluates, waits or expires takes a clock."""

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    async def sleep_until(self, at: float) -> None:
        """Return when ``now() >= at``."""
        ...


def now_ms(clock: Clock) -> int:
    """Milliseconds since the epoch, as samples carry them."""
    return round(clock.now() * 1000)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    async def sleep_until(self, at: float) -> None:
        """Sleep; a wall clock that jumps ahead is noticed within a second."""
        while (left := at - time.time()) > 0:  # noqa: ASYNC110 - time gives no events
            await asyncio.sleep(min(left, 1.0))


class FakeClock:
    """A clock that stands still until it is told to advance; wakes its sleepers in order."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        """Seconds since the epoch, as set."""
        return self._now

    async def sleep_until(self, at: float) -> None:
        """Wait until ``advance`` has moved the clock to ``at``."""
        if at <= self._now:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (at, self._count, waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking each sleeper at its own time and letting it run."""
        target = self._now + seconds
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= target:
            at, _, waiter = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not waiter.done():
                waiter.set_result(None)
            await _let_others_run()
        self._now = target
        await _let_others_run()


async def _let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
