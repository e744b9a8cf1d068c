"""Say nothing that was said before."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

from pynomaly.alerting.contract import Notification, Stopped
from pynomaly.alerting.notifications.entry import Entry, Intent, Place, State
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.verdict import Telling
from pynomaly.model.alert import Alert
from pynomaly.model.duration import format_duration

_ROUNDING = 1e-3
"""Seconds. Ticks are sums of floats; an interval that is a multiple of theirs must not miss one."""

_REMEMBERED = 1800.0
"""Half the seconds for which everything is remembered at least."""


class Reason(StrEnum):
    """Why a notification goes out, in Alertmanager's words."""

    FIRST = "first notification"
    NEW_ALERTS = "new alerts added"
    SOME_RESOLVED = "some alerts resolved"
    ALL_RESOLVED = "all alerts resolved"
    REPEAT = "repeat interval elapsed"


def why_tell(
    entry: Entry | None, state: State, *, send_resolved: bool, since: float
) -> Reason | None:
    """Why a state must be told after what was told before (None: nothing); None if not.

    ``since``: what was told at this time or earlier (epoch seconds) is repeated. As Alertmanager's
    ``DedupStage.needsUpdate``.
    """
    told = State() if entry is None else entry.state
    if entry is None or not entry.at:
        return Reason.FIRST if state.firing else None
    if not state.firing <= told.firing:
        return Reason.NEW_ALERTS if told.firing else Reason.FIRST
    if not state.firing:
        # Also without send_resolved: the log must know that they fire no more.
        return Reason.ALL_RESOLVED if told.firing else None
    if send_resolved and not state.resolved <= told.resolved:
        return Reason.SOME_RESOLVED
    return Reason.REPEAT if entry.at <= since + _ROUNDING else None


NoRepeat = Callable[[Sequence[Alert], float], str]
"""Why firing alerts are not told again after so many seconds; empty if they are."""


class Deduplicate:
    """Pass on what the notification log says must be told; note that it is about to be.

    ``no_repeat`` is asked before something is told that the receiver knows.
    """

    def __init__(
        self,
        log: NotificationLog,
        *,
        send_resolved: bool,
        no_repeat: NoRepeat = lambda alerts, repeat_interval: "",
    ) -> None:
        self._log = log
        self._send_resolved = send_resolved
        self._no_repeat = no_repeat

    async def __call__(self, notification: Notification) -> Notification | Stopped:
        """Pass on with a reason and an id."""
        place = Place(notification.receiver, notification.integration, notification.group_key)
        entry = self._log.get(place)
        since = notification.at - notification.repeat_interval
        state = notification.state
        reason = why_tell(entry, state, send_resolved=self._send_resolved, since=since)
        if reason is None:
            return _nothing_new(notification, entry)
        if reason is Reason.REPEAT and entry is not None:
            why_not = self._no_repeat(notification.firing, notification.repeat_interval)
            if why_not:
                await self._remember_longer(place, entry, notification)
                return _not_told(notification, entry, why_not)
        begun = entry.intent if entry is not None else None
        repeated = begun is not None and begun.state == state
        intent = Intent(
            begun.id if begun and repeated else str(uuid.uuid4()), notification.at, state
        )
        await self._log.begin(place, intent, expires_at=forget_at(notification))
        memory = entry.memory if entry is not None and reason is not Reason.FIRST else {}
        return replace(notification, reason=reason.value, id=intent.id, memory=memory)

    async def _remember_longer(
        self, place: Place, entry: Entry, notification: Notification
    ) -> None:
        """Else what was told would be forgotten for want of repetitions, and told as new."""
        longest = forget_at(notification)
        if entry.expires_at < notification.at + (longest - notification.at) / 2:
            await self._log.finish(place, replace(entry, expires_at=longest), [])


def forget_at(notification: Notification) -> float:
    """When the log may forget what is told now (epoch seconds): by then it was told again."""
    tick = notification.deadline - notification.at
    return notification.at + 2 * max(notification.repeat_interval, tick, _REMEMBERED)


def _nothing_new(notification: Notification, entry: Entry | None) -> Stopped:
    if entry is None or not entry.at:
        reason = "everything was resolved before anybody was told"
    else:
        told = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="seconds")
        reason = f"nothing changed since the notification of {told}"
        if notification.state.firing:
            reason += f"; it is repeated after {format_duration(notification.repeat_interval)}"
    return _not_told(notification, entry, reason)


def _not_told(notification: Notification, entry: Entry | None, reason: str) -> Stopped:
    before = entry.notification_id if entry is not None else ""
    telling = Telling(notification.integration, reason, notification_id=before)
    notification.trace.tellings.append(telling)
    return Stopped(reason)
