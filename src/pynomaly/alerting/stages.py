"""The steps of delivery."""

import logging
import time
from dataclasses import replace

from pynomaly.alerting.contract import (
    Channel,
    Notification,
    NotificationLog,
    Outcome,
    Stopped,
    Told,
)
from pynomaly.alerting.delivery.metrics import ATTEMPTS as _ATTEMPTS
from pynomaly.alerting.delivery.metrics import LATENCY as _LATENCY
from pynomaly.model.clock import Clock

log = logging.getLogger(__name__)

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0


class Truncate:
    """Leave out what is more than a receiver takes; firing alerts come first."""

    def __init__(self, max_alerts: int) -> None:
        self._max = max_alerts

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on with at most so many alerts (0: all)."""
        excess = len(notification.alerts) - self._max
        if not self._max or excess <= 0:
            return notification
        return replace(notification, alerts=notification.alerts[: self._max], truncated=excess)


class Deliver:
    """Try until it is delivered or cannot be, waiting twice as long each time, up to a minute."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        for outcome in Outcome:  # so that a rate over failures exists before the first of them
            _ATTEMPTS.labels(channel.name, outcome.value)

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Return when it is delivered, or stopped with the receiver's reason."""
        wait = _FIRST_WAIT
        while True:
            began = time.perf_counter()
            delivery = await self._channel.deliver(notification)
            _LATENCY.labels(self._channel.name).observe(time.perf_counter() - began)
            _ATTEMPTS.labels(self._channel.name, delivery.outcome.value).inc()
            if delivery.outcome is Outcome.DELIVERED:
                return notification
            what = (self._channel.name, notification.group_key, delivery.reason)
            if delivery.outcome is Outcome.PERMANENT:
                log.error("%s refused the notification of %s: %s", *what)
                return Stopped(f"{self._channel.name} refused it: {delivery.reason}")
            log.warning("%s did not take the notification of %s: %s", *what)
            await self._clock.sleep_until(self._clock.now() + wait)
            wait = min(2 * wait, _LONGEST_WAIT)


class Remember:
    """Write down what the receiver knows now."""

    def __init__(self, notifications: NotificationLog, clock: Clock) -> None:
        self._log = notifications
        self._clock = clock

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Save, then pass on."""
        await self._log.save(
            Told(
                notification.receiver,
                notification.group_key,
                notification.group_labels,
                self._clock.now(),
                tuple(notification.firing),
            )
        )
        return notification
