"""From alerts to notifications: who must be told what, in order, once."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import Counter, Gauge

from pynomaly.alerting.contract import (
    AlertFeed,
    Notification,
    NotificationLog,
    Stage,
    Stopped,
)
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY
from pynomaly.storage.bus import Bus

log = logging.getLogger(__name__)

_QUEUED = Gauge(
    "pynomaly_notifications_queued",
    "Notifications that wait for a receiver; more than 0 for long: look at the receiver.",
    registry=REGISTRY,
)
_DROPPED = Counter(
    "pynomaly_notifications_dropped",
    "Notifications given up since too many waited for their receiver, oldest first.",
    registry=REGISTRY,
)

_MOST_QUEUED = 100
"""Notifications of one group; a receiver that is away for so many changes misses the oldest."""

Fingerprint = str


@dataclass(slots=True, eq=False)
class _Group:
    key: str
    labels: Labels
    known: dict[Fingerprint, Alert] = field(default_factory=dict)
    """The firing alerts as of the last notification, queued or delivered."""
    told_at: float = 0.0
    queue: deque[Notification] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None


class Notifier:
    """Compares what fires with what a receiver was told, and tells the difference.

    It looks at the state of the alerts, not at a stream of events, so a lost message loses no
    notification. Notifications of one group are delivered one after the other; groups do not wait
    for each other. A crash between a delivery and its note repeats that one notification.
    """

    def __init__(
        self,
        feed: AlertFeed,
        stages: Sequence[Stage],
        notifications: NotificationLog,
        clock: Clock,
        bus: Bus,
        *,
        receiver: str,
        group_by: Sequence[str] = ("alertname",),
        repeat_interval: float = 4 * 3600.0,
    ) -> None:
        self._feed = feed
        self._stages = stages
        self._log = notifications
        self._clock = clock
        self._bus = bus
        self._receiver = receiver
        self._group_by = tuple(group_by)
        self._repeat = repeat_interval
        self._groups: dict[str, _Group] = {}
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what was told before, and listen for changes.

        Besides, run ``check`` every few seconds by the scheduler: it repeats, and finds what a
        lost message of the bus would have said.
        """
        for told in await self._log.load(self._receiver):
            if all(self._group_labels(alert) == told.group_labels for alert in told.firing):
                known = {alert.fingerprint: alert for alert in told.firing}
                group = _Group(told.group_key, told.group_labels, known, told.at)
                self._groups[told.group_key] = group
        self._listener = asyncio.create_task(self._listen(), name="notifier")

    async def close(self) -> None:
        """Stop. What is not delivered yet is found again after a restart."""
        tasks = [self._listener, *(group.worker for group in self._groups.values())]
        for task in filter(None, tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def check(self, due: float) -> None:
        """Compare, and queue what must be told; returns before it is delivered."""
        now = self._clock.now()
        recent = self._feed.recent()
        ended = {a.fingerprint: a for a in recent if a.state is not AlertState.FIRING}
        firing = {a.fingerprint: a for a in recent if a.state is AlertState.FIRING}
        for alert in firing.values():
            labels = self._group_labels(alert)
            self._groups.setdefault(_key(labels), _Group(_key(labels), labels))
        unsettled = self._feed.unsettled()
        for group in list(self._groups.values()):
            mine = {f: a for f, a in firing.items() if self._group_labels(a) == group.labels}
            for fingerprint, alert in group.known.items():
                if alert.name in unsettled:  # nobody knows yet, so it goes on
                    mine.setdefault(fingerprint, alert)
            self._compare(group, mine, ended, now)
        self._forget_idle()

    def _compare(
        self,
        group: _Group,
        firing: dict[Fingerprint, Alert],
        ended: Mapping[Fingerprint, Alert],
        now: float,
    ) -> None:
        gone = [ended.get(f) or _ended(a, now) for f, a in group.known.items() if f not in firing]
        started = firing.keys() - group.known.keys()
        group.known = firing
        if started or gone:
            reason = f"{len(started)} started to fire, {len(gone)} resolved"
        elif firing and not group.queue and now - group.told_at >= self._repeat:
            reason = f"fires on after the repeat interval of {self._repeat:g} s"
        else:
            return
        group.told_at = now
        alerts = (*sorted(firing.values(), key=lambda a: a.labels), *gone)
        self._queue(
            group, Notification(self._receiver, group.key, group.labels, alerts, now, reason)
        )

    def _queue(self, group: _Group, notification: Notification) -> None:
        if len(group.queue) >= _MOST_QUEUED:
            del group.queue[1]  # the first is being delivered
            _DROPPED.inc()
            log.error("too many notifications wait for %s; one is given up", self._receiver)
        group.queue.append(notification)
        self._count()
        if group.worker is None or group.worker.done():
            group.worker = asyncio.create_task(self._work(group), name=f"notify {group.key}")

    async def _work(self, group: _Group) -> None:
        while group.queue:
            await self._run(group.queue[0])
            group.queue.popleft()
            self._count()

    async def _run(self, notification: Notification) -> None:
        key = notification.group_key
        try:
            for stage in self._stages:
                passed = await stage(notification)
                if isinstance(passed, Stopped):
                    log.info("notification of %s: %s", key, passed.reason)
                    return
                notification = passed
        except Exception:
            log.exception("the notification of %s failed", key)

    async def _listen(self) -> None:
        with self._bus.subscribe(["alerts"]) as subscription:
            while True:
                await subscription.next()
                await self.check(self._clock.now())

    def _forget_idle(self) -> None:
        idle = [g.key for g in self._groups.values() if not g.known and not g.queue]
        for key in idle:
            del self._groups[key]

    def _count(self) -> None:
        _QUEUED.set(sum(len(group.queue) for group in self._groups.values()))

    def _group_labels(self, alert: Alert) -> Labels:
        return alert.labels.keep(self._group_by)


def _key(labels: Labels) -> str:
    """The key in Alertmanager's form: the route's matchers, which are none, and the labels."""
    return "{}:" + (str(labels) or "{}")


def _ended(alert: Alert, now: float) -> Alert:
    return replace(alert, state=AlertState.INACTIVE, resolved_at=now)
