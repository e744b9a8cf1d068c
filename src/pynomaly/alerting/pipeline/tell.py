"""Deliver by one integration, or write down why it could not be."""

from collections.abc import Sequence
from dataclasses import replace

from pynomaly.alerting.contract import Notification, Outcome, Stage, Stopped
from pynomaly.alerting.notifications.entry import Place
from pynomaly.alerting.notifications.history import Sent
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.running import run
from pynomaly.alerting.verdict import Telling


class Tell:
    """Send what fires, and what is resolved to those who want to know."""

    def __init__(
        self, log: NotificationLog, delivery: Sequence[Stage], *, send_resolved: bool
    ) -> None:
        self._log = log
        self._delivery = delivery
        self._send_resolved = send_resolved

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on, with the attempts, when it is delivered or there was nothing to deliver."""
        alerts = notification.alerts if self._send_resolved else tuple(notification.firing)
        if not alerts:  # it is remembered all the same, so that a new one is told as such
            return notification
        told = await run(self._delivery, replace(notification, alerts=alerts))
        if isinstance(told, Stopped):
            return await self._give_up(notification, told)
        return replace(notification, attempts=told.attempts, memory=told.memory)

    async def _give_up(self, notification: Notification, stopped: Stopped) -> Stopped:
        await self._log.fail(place_of(notification), sent(notification, stopped))
        notification.trace.tellings.append(
            Telling(
                notification.integration,
                stopped.reason,
                told=True,
                failed=stopped.failed,
                notification_id=notification.id,
            )
        )
        return stopped


def place_of(notification: Notification) -> Place:
    """Who is told of what."""
    return Place(notification.receiver, notification.integration, notification.group_key)


def sent(notification: Notification, stopped: Stopped | None = None) -> Sent:
    """What the history keeps of a notification."""
    attempts = stopped.attempts if stopped is not None else notification.attempts
    last = attempts[-1].outcome if attempts else Outcome.RETRYABLE
    return Sent(
        id=notification.id,
        at=notification.at,
        place=place_of(notification),
        route=notification.route,
        group_labels=notification.group_labels,
        reason=notification.reason,
        outcome=Outcome.DELIVERED if stopped is None else last,
        attempts=attempts,
        state=notification.state,
    )
