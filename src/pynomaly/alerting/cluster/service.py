"""Tells Alertmanagers of alerts, as Prometheus's notifier does."""

import asyncio
import logging
from collections.abc import Sequence

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.alerts.service import Alerts
from pynomaly.alerting.channels.http import Unreachable
from pynomaly.alerting.cluster import metrics
from pynomaly.alerting.cluster.config import ClusterConfig
from pynomaly.alerting.cluster.errors import ClusterAway
from pynomaly.alerting.cluster.member import RESEND, Member
from pynomaly.alerting.cluster.silences import ClusterSilences
from pynomaly.alerting.cluster.way import Way
from pynomaly.alerting.explain.explanation import Telling
from pynomaly.alerting.maintenance import MaintenanceWindows, told_before
from pynomaly.alerting.silences.service import Silences
from pynomaly.model.clock import Clock

log = logging.getLogger(__name__)

_RESOLVED_FOR = 900.0
"""Seconds for which it is said again that an alert has ended, as Prometheus."""

_PATIENCE = 3.0
"""Seconds that queues are given to empty when the server stops or reloads."""


class Cluster:
    """The Alertmanagers of the configuration in force; none, as long as it names none.

    Every one is told of every alert: of what is new or changed at once, and of what fires, or
    ended within a quarter of an hour, again every minute. What begins in a window of
    ``maintenance`` is told when that is over; what they know of already is not taken from them,
    since they would say that it has ended. Run ``check`` every few seconds and ``look`` about
    four times a minute.
    """

    def __init__(
        self,
        alerts: Alerts,
        silences: Silences,
        clock: Clock,
        maintenance: MaintenanceWindows | None = None,
    ) -> None:
        self._maintenance = maintenance or MaintenanceWindows()
        self._alerts = alerts
        self._silences = silences
        self._clock = clock
        self._ways: list[Way] = []
        self._offered: dict[str, ReceivedAlert] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.config = ClusterConfig()
        alerts.subscribe(self._receive, self._forget)

    async def apply(self, config: ClusterConfig) -> None:
        """Go on by another configuration; who is told as before is not interrupted."""
        before, self.config = self._ways, config
        metrics.CAPACITY.set(config.queue_capacity)
        self._ways = self._renewed(before, config)
        for way in before:
            if way not in self._ways:
                self._retire(way)
        await self._silences.keep_in(ClusterSilences(self.members) if config else None)
        await self.look()
        await self.check()

    async def close(self) -> None:
        """Send what waits, if that does not take long; then send no more."""
        for way in self._ways:
            self._retire(way)
        self._ways = []
        if self._closing:
            await asyncio.wait(self._closing)

    def members(self) -> list[Member]:
        """Every Alertmanager that is told."""
        return [member for way in self._ways for member in way.members]

    def addresses(self) -> tuple[list[str], list[str]]:
        """Where alerts are sent, and where they would be if relabelling did not drop it."""
        active = [member.url for member in self.members()]
        return active, [url for way in self._ways for url in way.found.dropped]

    async def check(self, _: float = 0.0) -> None:
        """Send again what is due; run it every few seconds."""
        if not self._ways:
            return
        ended_after = self._clock.now() - _RESOLVED_FOR
        alerts = [alert for alert in self._alerts.all() if alert.ends_at > ended_after]
        told = [alert for alert in alerts if not self._waits(alert)]
        for member in self.members():
            member.remind(told)

    async def look(self, _: float = 0.0) -> None:
        """Look who is there, and what is silenced; run it about four times a minute."""
        if not self._ways:
            return
        await asyncio.gather(*(way.refresh() for way in self._ways))
        members = self.members()
        metrics.DISCOVERED.set(len(members))
        await asyncio.gather(*map(_ask_how_it_is, members))
        try:
            await self._silences.refresh()
        except ClusterAway as error:
            log.debug("silences are as they were: %s", error)  # the health of members says it

    def tellings(self, alert: ReceivedAlert) -> tuple[Telling, ...]:
        """Where each Alertmanager stands with an alert."""
        ended_after = self._clock.now() - _RESOLVED_FOR
        return tuple(_telling(m, alert, alert.ends_at > ended_after) for m in self.members())

    def _receive(self, alerts: Sequence[ReceivedAlert]) -> None:
        if not self._ways:
            return
        now = self._clock.now()
        told = [alert for alert in alerts if not self._waits(alert)]
        changed = [a for a in told if _differs(self._offered.get(a.fingerprint), a, now)]
        self._offered.update({alert.fingerprint: alert for alert in changed})
        for member in self.members():
            member.offer(changed)

    def _waits(self, alert: ReceivedAlert) -> bool:
        """Whether it began in a window of maintenance that still lasts."""
        windows = self._maintenance.windows(alert.labels, self._clock.now())
        return bool(windows) and not told_before(alert.starts_at, windows)

    def _forget(self, alerts: Sequence[ReceivedAlert]) -> None:
        for alert in alerts:
            self._offered.pop(alert.fingerprint, None)
        for member in self.members():
            member.forget(alerts)

    def _renewed(self, before: Sequence[Way], config: ClusterConfig) -> list[Way]:
        left, ways = list(before), []
        for block in config.blocks:
            kept = next((way for way in left if way.serves(block, config)), None)
            if kept is not None:
                left.remove(kept)
            ways.append(kept or Way(block, config, self._clock))
        return ways

    def _retire(self, way: Way) -> None:
        closing = asyncio.create_task(way.close(_PATIENCE))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _ask_how_it_is(member: Member) -> None:
    try:
        await member.ask("GET", "/status")
    except Unreachable:
        return  # the member knows it, and says so


def _differs(before: ReceivedAlert | None, now: ReceivedAlert, at: float) -> bool:
    """Whether somebody who knows one should be told of the other at once."""
    if before is None or before.annotations != now.annotations:
        return True
    if now.resolved(at):
        return before.ends_at != now.ends_at
    return before.resolved(now.updated_at) or before.starts_at != now.starts_at


def _telling(member: Member, alert: ReceivedAlert, matters: bool) -> Telling:
    told_at = member.told_at(alert.fingerprint)
    if not member.takes(alert):
        reason = "relabelling (alert_relabel_configs) drops it"
    elif member.trouble:
        reason = f"it is tried again within a minute: {member.trouble}"
    elif not matters:
        reason = "it ended more than a quarter of an hour ago"
    else:
        reason = "it is told every minute" if told_at else "it has not been told yet"
    tells = matters and member.takes(alert)
    repeats_at = told_at + RESEND if tells and told_at else 0.0
    return Telling(member.base, tells, reason, told_at, repeats_at, None)
