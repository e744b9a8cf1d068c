"""Try, and try again."""

import asyncio
import logging
import time
from dataclasses import replace

import xxhash

from pynomaly.alerting.contract import (
    Attempt,
    Channel,
    Delivery,
    Notification,
    Outcome,
    Stopped,
)
from pynomaly.alerting.delivery.metrics import ATTEMPTS, LATENCY, known
from pynomaly.alerting.delivery.pace import Pace
from pynomaly.model.clock import Clock
from pynomaly.model.duration import format_duration

log = logging.getLogger(__name__)

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_AT_ONCE = 16
"""Attempts by one channel; others wait for theirs before its time begins to count."""

_MOST_ATTEMPTS_KEPT = 50


class Deliver:
    """Try until it is delivered, cannot be, or its deadline is over.

    It waits for twice as long each time, from a second to a minute, a little more or less by the
    notification's id, so that what failed together does not come again together; and for as long
    as the receiver asks for.
    """

    def __init__(self, channel: Channel, clock: Clock, pace: Pace | None = None) -> None:
        self._channel = channel
        self._clock = clock
        self._pace = pace or Pace(channel.name, 0, clock)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        known(channel.name)

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on, with the attempts and what the channel remembers, when it is delivered."""
        attempts: list[Attempt] = []
        wait = _FIRST_WAIT
        while True:
            if not await self._pace.turn(notification.deadline):
                reason = "its channel is told at most so often a minute (alerting.rate_limits)"
                return self._stopped(notification, reason, attempts)
            attempt, delivery = await self._try(notification)
            self._report(notification, attempt, attempts)
            attempts = [*attempts, attempt][-_MOST_ATTEMPTS_KEPT:]
            if delivery.outcome is Outcome.DELIVERED:
                kept = notification.memory if delivery.memory is None else delivery.memory
                return replace(notification, attempts=tuple(attempts), memory=kept)
            if delivery.outcome is Outcome.PERMANENT:
                return Stopped(delivery.reason, failed=True, attempts=tuple(attempts))
            pause = max(wait * _spread(notification.id), delivery.retry_after)
            at = self._clock.now() + pause
            if at >= notification.deadline:
                return self._stopped(notification, delivery.reason, attempts)
            await self._clock.sleep_until(at)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _try(self, notification: Notification) -> tuple[Attempt, Delivery]:
        async with self._slots:
            at, began = self._clock.now(), time.perf_counter()
            delivery = await self._channel.deliver(notification)
            seconds = time.perf_counter() - began
        LATENCY.labels(self._channel.name).observe(seconds)
        ATTEMPTS.labels(self._channel.name, delivery.outcome.value).inc()
        return Attempt(at, seconds, delivery.outcome, delivery.reason), delivery

    def _stopped(self, notification: Notification, reason: str, attempts: list[Attempt]) -> Stopped:
        tried = format_duration(round(max(0.0, self._clock.now() - notification.at)))
        return Stopped(
            f"not delivered within {tried}: {reason}", failed=True, attempts=tuple(attempts)
        )

    def _report(self, notification: Notification, attempt: Attempt, before: list[Attempt]) -> None:
        """The first failure and every other kind of it; the same again would fill the log."""
        again = bool(before) and before[-1].reason == attempt.reason
        if attempt.outcome is Outcome.DELIVERED:
            if attempt.reason:
                log.warning("%s: %s", self._channel.name, attempt.reason)
        elif not again:
            log.warning(
                "%s did not take the notification of %s for %s: %s",
                self._channel.name,
                notification.group_key,
                notification.receiver,
                attempt.reason,
            )


def _spread(identity: str) -> float:
    """Between 0.75 and 1.25, the same for the same id."""
    return 0.75 + xxhash.xxh32_intdigest(identity.encode()) / 2**33
