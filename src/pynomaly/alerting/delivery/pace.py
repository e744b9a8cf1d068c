"""A channel is told at most so often."""

from pynomaly.alerting.delivery.metrics import PACED
from pynomaly.model.clock import Clock


class Pace:
    """Lets attempts through, at most so many a minute: those of a minute at once, then evenly.

    Who comes early waits, first come, first served. ``per_minute``: 0 for no limit.
    """

    def __init__(self, channel: str, per_minute: int, clock: Clock) -> None:
        self._waited = PACED.labels(channel)
        self._every = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._free_at = 0.0
        """When the whole minute's worth is free again; each turn moves it on."""

    async def turn(self, deadline: float) -> bool:
        """Return when it is this attempt's turn; False at once if that is after ``deadline``."""
        now = self._clock.now()
        free_at = max(self._free_at, now) + self._every
        wait = free_at - now - 60.0 if self._every else 0.0
        if wait > 0 and now + wait > deadline:
            return False
        self._free_at = free_at
        if wait > 0:
            self._waited.inc(wait)
            await self._clock.sleep_until(now + wait)
        return True
