"""Alerts of our own rules, taken in as Prometheus would send them."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator
from dataclasses import replace

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.alerts.service import Alerts
from pynomaly.alerting.contract import AlertFeed
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import RecordsError

log = logging.getLogger(__name__)

SOURCE = "rules"

_RESEND = 60.0
"""Seconds after which an alert that fires on is sent again, as Prometheus's resend delay."""

_LIFE = 4 * _RESEND
"""Seconds for which an alert fires on although nobody says so, as with Prometheus."""


class RulesFeed:
    """Compares what the rules find with what was sent of it, and sends the difference.

    It looks at the state of the alerts, not at a stream of events, so a lost message loses no
    alert. An alert whose rule has not been evaluated well since the start fires on; one whose
    rule is gone is resolved.
    """

    def __init__(self, feed: AlertFeed, alerts: Alerts, clock: Clock, bus: Bus) -> None:
        self._feed = feed
        self._alerts = alerts
        self._clock = clock
        self._bus = bus
        self._sent: dict[str, tuple[Alert | None, float]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what fired before, and listen for changes; run ``check`` every few seconds."""
        now = self._clock.now()
        for alert in self._alerts.unsettled():
            if alert.source == SOURCE and not alert.resolved(now):
                self._sent[alert.fingerprint] = (None, now)
        self._listener = asyncio.create_task(self._listen(), name="alerts of rules")

    async def close(self) -> None:
        """Stop."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    async def check(self, _: float = 0.0) -> None:
        """Send what is new, what has ended, and what fires on for a while.

        Raises:
            RecordsError: it could not be stored; receivers are told all the same.
        """
        now = self._clock.now()
        changed = list(self._changes(now))
        if changed:
            await self._alerts.put(changed)

    def _changes(self, now: float) -> Iterator[ReceivedAlert]:
        firing: set[str] = set()
        ended: dict[str, Alert] = {}
        for alert in self._feed.recent():
            fingerprint = alert.fingerprint
            if alert.state is not AlertState.FIRING:
                ended[fingerprint] = alert
                continue
            firing.add(fingerprint)
            before, at = self._sent.get(fingerprint, (None, 0.0))
            again = before is not None and before.fired_at != alert.fired_at
            if before is None or again or now - at >= _RESEND:
                self._sent[fingerprint] = (alert, now)
                yield _received(alert, now + _LIFE, now)
        gone = [one for one in self._sent if one not in firing]
        unsettled = self._feed.unsettled() if gone else ()
        for fingerprint in gone:
            yield from self._end(fingerprint, ended.get(fingerprint), unsettled, now)

    def _end(
        self, fingerprint: str, ended: Alert | None, unsettled: Collection[str], now: float
    ) -> Iterator[ReceivedAlert]:
        known = self._alerts.get(fingerprint)
        if known is None:
            del self._sent[fingerprint]
        elif ended is None and known.name in unsettled:
            yield replace(known, ends_at=now + _LIFE, updated_at=now)
        else:
            del self._sent[fingerprint]
            ends_at = ended.resolved_at if ended is not None else now
            yield replace(known, ends_at=ends_at, updated_at=now, timeout=False)

    async def _listen(self) -> None:
        with self._bus.subscribe(["alerts"]) as subscription:
            while True:
                await subscription.next()
                try:
                    await self.check()
                except RecordsError as error:
                    log.warning("alerts of rules are not stored yet: %s", error)


def _received(alert: Alert, ends_at: float, now: float) -> ReceivedAlert:
    return ReceivedAlert(
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.fired_at or alert.active_at,
        ends_at=ends_at,
        updated_at=now,
        fingerprint=alert.fingerprint,
        generator_url=alert.generator_url,
        source=SOURCE,
    )
