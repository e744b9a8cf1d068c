"""Hold back what is being worked on."""

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.maintenance import MaintenanceWindows, told_before, verdict_of
from pynomaly.alerting.pipeline.holding import without
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.alert import AlertState
from pynomaly.model.clock import Clock


class Maintenance:
    """Alerts that fire go no further while a window of maintenance concerns them.

    The end of an alert that was told of before the window does: who was called out hears that it
    is over.
    """

    def __init__(self, windows: MaintenanceWindows, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on what no window holds."""
        now = self._clock.now()
        held: dict[str, Verdict] = {}
        for alert in notification.alerts:
            windows = self._windows.windows(alert.labels, now)
            verdict = verdict_of(windows)
            ended = alert.state is not AlertState.FIRING
            if verdict is None or (ended and told_before(alert.active_at, windows)):
                continue
            held[alert.fingerprint] = verdict
        return without(notification, held, "every alert is held by maintenance")
