"""Hold back what another alert keeps quiet."""

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.inhibition.inhibitor import Inhibitor
from pynomaly.alerting.pipeline.holding import without
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.clock import Clock


class Inhibit:
    """Alerts that a firing alert inhibits go no further; the resolved among them neither."""

    def __init__(self, inhibitor: Inhibitor, clock: Clock) -> None:
        self._inhibitor = inhibitor
        self._clock = clock

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on what is not inhibited."""
        now = self._clock.now()
        held: dict[str, Verdict] = {}
        for alert in notification.alerts:
            found = self._inhibitor.inhibited_by(alert.fingerprint, alert.labels, now)
            if found is not None:
                reason = f"inhibited by the alert {found.source} ({found.rule})"
                held[alert.fingerprint] = Verdict("inhibit", reason, (found.source,))
        return without(notification, held, "every alert is inhibited")
