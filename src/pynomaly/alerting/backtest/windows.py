"""The windows of maintenance that a replay passes through."""

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.maintenance import MaintenanceWindows, told_before
from pynomaly.calendar.events import Event, Occurrence

_Begin = attrgetter("starts_at")


class PastWindows:
    """Says which windows hold an alert at a time, without asking each of them each time.

    Of one event, no two occurrences overlap by more than one.
    """

    def __init__(self, maintenance: MaintenanceWindows, since: float, until: float) -> None:
        self._maintenance = maintenance
        by_event: dict[str, list[Occurrence]] = {}
        for window in maintenance.between(since, until):
            by_event.setdefault(window.event.id, []).append(window)
        self._events = [sorted(windows, key=_Begin) for windows in by_event.values()]
        self._known: dict[str, list[Sequence[Occurrence]]] = {}

    def concern(self, alert: ReceivedAlert) -> bool:
        """Whether any of them could hold an alert."""
        return bool(self._of(alert))

    def holding(self, alert: ReceivedAlert, at: float) -> list[Event]:
        """The events of those that hold an alert at a time; its end, if it was told of, passes."""
        found = [window for windows in self._of(alert) if (window := _at(windows, at))]
        if alert.resolved(at) and told_before(alert.starts_at, found):
            return []
        return [window.event for window in found]

    def _of(self, alert: ReceivedAlert) -> list[Sequence[Occurrence]]:
        known = self._known.get(alert.fingerprint)
        if known is None:
            holds = self._maintenance.holds
            known = [each for each in self._events if holds(each[0], alert.labels)]
            self._known[alert.fingerprint] = known
        return known


def _at(windows: Sequence[Occurrence], at: float) -> Occurrence | None:
    before = windows[max(0, bisect_right(windows, at, key=_Begin) - 2) :][:2]
    return next((window for window in before if window.active(at)), None)
