"""Hold everything back at times at which a route is mute, or not active."""

from pynomaly.alerting.alertmanager.intervals import Intervals
from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.pipeline.holding import hold_all
from pynomaly.alerting.verdict import Verdict


class TimeActive:
    """A route with ``active_time_intervals`` tells nothing outside of them."""

    def __init__(self, intervals: Intervals) -> None:
        self._intervals = intervals

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on during an active interval, and where the route names none."""
        names = notification.active_time_intervals
        if not names or self._intervals.mutes(names, notification.at):
            return notification
        reason = f"the route is active only during {', '.join(names)}"
        return hold_all(notification, Verdict("time_active", reason, names))


class TimeMute:
    """A route tells nothing during its ``mute_time_intervals``."""

    def __init__(self, intervals: Intervals) -> None:
        self._intervals = intervals

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on outside of every mute interval."""
        muting = tuple(self._intervals.mutes(notification.mute_time_intervals, notification.at))
        if not muting:
            return notification
        reason = f"the route is muted during {', '.join(muting)}"
        return hold_all(notification, Verdict("time_mute", reason, muting))
