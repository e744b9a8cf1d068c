"""Of an alert that flaps, tell that it does; of its end when it is calm."""

from dataclasses import replace

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.alerting.flapping.detector import Flap, FlappingDetector
from pynomaly.alerting.pipeline.holding import Told
from pynomaly.alerting.suppression.rule import is_critical
from pynomaly.alerting.verdict import Verdict
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.model.times import utc

STAGE = "flapping"
ANNOTATION = "flapping"


class Flapping:
    """Alerts that flap are told with an annotation that says so, and as firing until they are calm.

    It does nothing unless the settings have ``hold``. Nothing is held back that a receiver does
    not know of yet.
    """

    def __init__(self, detector: FlappingDetector, told: Told, clock: Clock) -> None:
        self._detector = detector
        self._told = told
        self._clock = clock

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on, with what flaps marked."""
        if not self._settings.hold:
            return notification
        now = self._clock.now()
        found = {
            alert.fingerprint: flap
            for alert in notification.alerts
            if (flap := self._detector.flap(alert.fingerprint, now)) is not None
        }
        if not found:
            return notification
        told = self._told(notification.receiver, notification.group_key)
        alerts = []
        for alert in notification.alerts:
            flap = found.get(alert.fingerprint)
            if flap is not None and alert.fingerprint in told and waits(alert, self._settings):
                notification.trace.wait(alert.fingerprint, verdict(flap))
                alert = _as_firing(alert)
            alerts.append(alert if flap is None else _marked(alert, flap))
        return replace(notification, alerts=tuple(alerts))

    @property
    def _settings(self) -> FlappingSettings:
        return self._detector.settings


def waits(alert: Alert, settings: FlappingSettings) -> bool:
    """Whether the end of an alert that flaps is told only when it is calm."""
    ended = alert.state is not AlertState.FIRING
    return ended and settings.hold and (settings.hold_critical or not is_critical(alert.labels))


def verdict(flap: Flap) -> Verdict:
    """Why its end is not told yet, in words."""
    return Verdict(STAGE, f"{flap}; its end is told when it is calm, at {utc(flap.calm_at)}")


def _as_firing(alert: Alert) -> Alert:
    return replace(alert, state=AlertState.FIRING, resolved_at=0.0)


def _marked(alert: Alert, flap: Flap) -> Alert:
    says = f"{str(flap)[0].upper()}{str(flap)[1:]}, so its end is told when it is calm."
    return replace(alert, annotations=Labels({**alert.annotations, ANNOTATION: says}))
