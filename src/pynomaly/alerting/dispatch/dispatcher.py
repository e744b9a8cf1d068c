"""From alerts to groups, and from the timers of groups into the pipeline."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge

from pynomaly.alerting.alertmanager.routes import Route
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.contract import Notification, Stage, Stopped
from pynomaly.alerting.dispatch.group import Group
from pynomaly.alerting.dispatch.timers import Timers
from pynomaly.alerting.pipeline.running import run
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY

log = logging.getLogger(__name__)

_GROUPS = Gauge(
    "pynomaly_alert_groups", "Groups of alerts that are told together.", registry=REGISTRY
)
_FLUSHES = CounterMetric(
    "pynomaly_alert_group_flushes",
    "Times that a group went through the pipeline; a failed one is tried again after the group "
    "interval.",
    ["outcome"],
    registry=REGISTRY,
)

Settled = Callable[[Iterable[str]], None]
Looked = Callable[[Group], None]
RenderLabels = Callable[[Notification], Labels]


class Dispatcher:
    """Places every alert in the groups of its routes, and tells each group at its times.

    ``settled`` is called with the fingerprints of alerts of whose end everybody has been told,
    ``looked`` with a group after each passage through the pipeline. ``render_labels`` gives the
    labels of a notification's route, whose values may be templates.

    A new group is told after its route's ``group_wait``, at once if its first alert is older than
    that, and then every ``group_interval`` for as long as it has alerts. Every group is told by
    itself; while that takes longer than the interval, the next time comes right after it.
    """

    def __init__(
        self,
        route: Route,
        stages: Sequence[Stage],
        clock: Clock,
        *,
        settled: Settled = lambda _: None,
        looked: Looked = lambda _: None,
        render_labels: RenderLabels = lambda notification: notification.route_labels,
    ) -> None:
        self.route = route
        self._stages = stages
        self._clock = clock
        self._settled = settled
        self._looked = looked
        self._render_labels = render_labels
        self._timers = Timers(clock)
        self._groups: dict[tuple[int, Labels], Group] = {}
        self._homes: dict[str, tuple[Group, ...]] = {}
        self._flushes: set[asyncio.Task[None]] = set()
        for outcome in ("ok", "failed"):
            _FLUSHES.labels(outcome)

    def start(self, alerts: Iterable[ReceivedAlert]) -> None:
        """Begin, with the alerts that there are."""
        self.receive(alerts)
        self._timers.start()

    async def close(self, *, patience: float = 0.0) -> None:
        """Begin nothing new; give what is being told so many seconds to end."""
        await self._timers.close()
        if self._flushes:
            await asyncio.wait(self._flushes, timeout=patience)
        for flush in list(self._flushes):
            flush.cancel()
        if self._flushes:
            await asyncio.wait(self._flushes)

    def receive(self, alerts: Iterable[ReceivedAlert]) -> None:
        """These are new or changed."""
        now = self._clock.now()
        for alert in alerts:
            homes = self._homes.get(alert.fingerprint)
            if homes is None or any(alert.fingerprint not in home.alerts for home in homes):
                routes = self.route.match(alert.labels)
                homes = tuple(self._home(alert, route, now) for route in routes)
                self._homes[alert.fingerprint] = homes
            for home in homes:
                home.alerts[alert.fingerprint] = alert
        _GROUPS.set(len(self._groups))

    def groups(self) -> Iterator[Group]:
        """Every group, in the order of their beginning."""
        return iter(self._groups.values())

    def group_of(self, route: Route, labels: Labels) -> Group | None:
        """The group that an alert of these labels is in by a route; None if there is none."""
        return self._groups.get((route.index, route.group_labels(labels)))

    def _home(self, alert: ReceivedAlert, route: Route, now: float) -> Group:
        """The group that an alert belongs to by a route; begins one if there is none."""
        labels = route.group_labels(alert.labels)
        group = self._groups.get((route.index, labels))
        if group is None:
            old = alert.starts_at + route.group_wait < now
            group = Group.of(route, labels, now if old else now + route.group_wait)
            self._groups[route.index, labels] = group
            self._set_timer(group, first=True)
        return group

    def _set_timer(self, group: Group, *, first: bool = False) -> None:
        """What nobody knows of yet does not wait behind what is looked at again."""
        self._timers.at(group.due, lambda due: self._ring(group, due), urgent=first)

    def _ring(self, group: Group, due: float) -> None:
        if group.ended:
            return
        now = self._clock.now()
        interval = group.route.group_interval
        # On its own grid, unless the process was held up for longer than that.
        group.due = due + interval if due + interval > now else now + interval
        self._set_timer(group)
        if group.busy:
            group.late = True
        else:
            self._begin(group, due if now - due < interval else now)

    def _begin(self, group: Group, at: float) -> None:
        group.busy = True
        flush = asyncio.create_task(self._flush(group, at), name=f"tell {group.key}")
        self._flushes.add(flush)
        flush.add_done_callback(self._flushes.discard)

    async def _flush(self, group: Group, at: float) -> None:
        while True:
            group.late = False
            told, now = dict(group.alerts), self._clock.now()
            notification = group.notification(at, now)
            if group.route.labels:
                group.route_labels = self._render_labels(notification)
                notification = replace(notification, route_labels=group.route_labels)
            ok = await self._pass(notification)
            group.trace = notification.trace
            self._looked(group)
            if ok:
                for fingerprint in notification.trace.waiting:
                    told.pop(fingerprint, None)
                self._drop(group, group.drop_resolved(told, now))
            if not group.late or group.ended:
                break
            at = self._clock.now()
        group.busy = False

    async def _pass(self, notification: Notification) -> bool:
        """Whether everybody knows now what there was to know."""
        try:
            result = await run(self._stages, notification)
        except Exception:
            log.exception("telling %s failed; it is tried again", notification.group_key)
            failed = True
        else:
            failed = isinstance(result, Stopped) and result.failed
        _FLUSHES.labels("failed" if failed else "ok").inc()
        return not failed

    def _drop(self, group: Group, fingerprints: Sequence[str]) -> None:
        if group.ended:
            del self._groups[group.route.index, group.labels]
            _GROUPS.set(len(self._groups))
        gone = [one for one in fingerprints if not self._is_held(one)]
        for one in gone:
            del self._homes[one]
        self._settled(gone)

    def _is_held(self, fingerprint: str) -> bool:
        """Whether some group still has to tell of an alert."""
        return any(fingerprint in home.alerts for home in self._homes[fingerprint])
