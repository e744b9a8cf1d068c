"""Alerts that are told together, and when they are told next."""

from dataclasses import dataclass, field

from pynomaly.alerting.alertmanager.routes import Route
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.contract import Notification
from pynomaly.alerting.dispatch.order import alert_order
from pynomaly.alerting.verdict import Trace
from pynomaly.gotemplate.literals import quoted as go_quoted
from pynomaly.model.labels import Labels

LEAST_PATIENCE = 10.0
"""Seconds for which a delivery is tried at least, however short the group interval is."""


@dataclass(slots=True, eq=False)
class Group:
    """The alerts of one route with the same values of its ``group_by`` labels.

    ``due``: when it is told next, epoch seconds. ``trace`` is of its last passage through the
    pipeline, and so are ``route_labels``. ``ended``: nothing is left to tell; another group takes
    its place when need be.
    """

    route: Route
    labels: Labels
    key: str
    due: float
    alerts: dict[str, ReceivedAlert] = field(default_factory=dict)
    trace: Trace | None = None
    route_labels: Labels = field(default_factory=Labels)
    busy: bool = False
    late: bool = False
    ended: bool = False

    @classmethod
    def of(cls, route: Route, labels: Labels, due: float) -> "Group":
        """A new one; ``labels`` are those of ``group_by``."""
        return cls(route, labels, group_key(route, labels), due)

    def notification(self, at: float, now: float) -> Notification:
        """What there is to tell by the time ``at`` on the group's grid; alerts are as of ``now``.

        The labels of the route are as they are written: templates.
        """
        route = self.route
        return Notification(
            receiver=route.receiver,
            group_key=self.key,
            group_labels=self.labels,
            alerts=tuple(alert.at(now) for alert in self.sorted_alerts()),
            at=at,
            deadline=now + max(route.group_interval, LEAST_PATIENCE),
            route_labels=route.labels,
            route=route.id,
            repeat_interval=route.repeat_interval,
            mute_time_intervals=route.mute_time_intervals,
            active_time_intervals=route.active_time_intervals,
            trace=Trace(now),
        )

    def sorted_alerts(self) -> list[ReceivedAlert]:
        """In the order in which they are told."""
        return sorted(self.alerts.values(), key=lambda alert: alert_order(alert.labels))

    def drop_resolved(self, told: dict[str, ReceivedAlert], now: float) -> list[str]:
        """Leave out what was told as resolved and has not been received again since.

        Returns their fingerprints. The group has ended when none is left.
        """
        dropped = [
            fingerprint
            for fingerprint, alert in told.items()
            if alert.resolved(now) and self.alerts.get(fingerprint) is alert
        ]
        for fingerprint in dropped:
            del self.alerts[fingerprint]
        self.ended = not self.alerts
        return dropped


def group_key(route: Route, labels: Labels) -> str:
    """Alertmanager's: the matchers on the way to the route, and the group's labels."""
    inner = ", ".join(f"{name}={go_quoted(value)}" for name, value in labels.pairs)
    return f"{route.key}:{{{inner}}}"
