"""Hold back what somebody silenced."""

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.pipeline.holding import without
from pynomaly.alerting.silences.silencer import Silencer
from pynomaly.alerting.verdict import Verdict


class Silence:
    """Alerts that an active silence matches go no further."""

    def __init__(self, silencer: Silencer) -> None:
        self._silencer = silencer

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on what is not silenced."""
        held: dict[str, Verdict] = {}
        for alert in notification.alerts:
            ids = self._silencer.silenced_by(alert.fingerprint, alert.labels)
            if ids:
                reason = f"silenced by {' and '.join(ids)}"
                held[alert.fingerprint] = Verdict("silence", reason, ids)
        return without(notification, held, "every alert is silenced")
