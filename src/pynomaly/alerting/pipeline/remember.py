"""Write down what the receiver knows now."""

from collections.abc import Callable

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.notifications.entry import Entry
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.deduplicate import forget_at
from pynomaly.alerting.pipeline.tell import place_of, sent
from pynomaly.alerting.verdict import Telling


class Remember:
    """The notification log learns what was told, or need not be; ``told`` is called with it."""

    def __init__(
        self, log: NotificationLog, told: Callable[[Notification], None] = lambda _: None
    ) -> None:
        self._log = log
        self._told = told

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Save, then pass on."""
        entry = Entry(
            state=notification.state,
            at=notification.at,
            expires_at=forget_at(notification),
            notification_id=notification.id,
            memory=notification.memory,
        )
        history = [sent(notification)] if notification.attempts else []
        await self._log.finish(place_of(notification), entry, history)
        if history:
            self._told(notification)
        notification.trace.tellings.append(
            Telling(
                notification.integration,
                notification.reason if history else "resolved alerts are not sent",
                told=bool(history),
                notification_id=notification.id,
            )
        )
        return notification
