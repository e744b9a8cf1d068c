"""The alerts there are: merged as they are sent again, stored before they are acknowledged."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge

from pynomaly.alerting.alerts import repository
from pynomaly.alerting.alerts.alert import ReceivedAlert, merge
from pynomaly.model.clock import Clock
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Records, RecordsError
from pynomaly.storage.records.group_commit import GroupCommit

log = logging.getLogger(__name__)

_RECEIVED = CounterMetric(
    "pynomaly_alerts_received",
    "Alerts received, by whether they were stored or only put off an end that was known.",
    ["kept"],
    registry=REGISTRY,
)
_KNOWN = Gauge(
    "pynomaly_alerts_known",
    "Alerts in memory: those that fire, and those that ended a short while ago.",
    registry=REGISTRY,
)

_MERGED_FOR = 1800.0
"""Seconds for which an ended alert is remembered, so that one sent again is merged with it."""

Received = Callable[[Sequence[ReceivedAlert]], None]


class Alerts:
    """Every alert by its fingerprint.

    A repetition that only puts the end off is not stored: an alert that is stored as firing has
    an end that is not known, and after a restart it is given another ``resolve_timeout``.
    """

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        *,
        resolve_timeout: float = 300.0,
        retention: float = 5 * 86_400.0,
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._retention = retention
        self._alerts: dict[str, ReceivedAlert] = {}
        self._settled: set[str] = set()
        self._storing: Counter[str] = Counter()
        self._unstored: set[str] = set()
        self._unsettled_rows: set[str] = set()
        self._received: list[Received] = []
        self._forgotten: list[Received] = []
        self.resolve_timeout = resolve_timeout

    async def start(self) -> None:
        """Take up the alerts of before, but those of whose end everybody was told.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        at_least = self._clock.now() + self.resolve_timeout
        for alert, resolved in await asyncio.to_thread(repository.load, self._records):
            if not resolved:
                # While nobody listened, nobody could say that it goes on.
                ends_at = max(alert.ends_at, at_least)
                alert = replace(alert, ends_at=ends_at, timeout=True)
            self._alerts[alert.fingerprint] = alert
        _KNOWN.set(len(self._alerts))

    def subscribe(self, received: Received, forgotten: Received | None = None) -> None:
        """Call these with alerts that are new or changed, and with those that are no more."""
        self._received.append(received)
        if forgotten is not None:
            self._forgotten.append(forgotten)

    def get(self, fingerprint: str) -> ReceivedAlert | None:
        """The alert as it is now; None if there is none."""
        return self._alerts.get(fingerprint)

    def all(self) -> list[ReceivedAlert]:
        """Every alert, also those that ended a short while ago."""
        return list(self._alerts.values())

    def unsettled(self) -> list[ReceivedAlert]:
        """Those that fire, and those of whose end somebody may still have to be told."""
        return [a for f, a in self._alerts.items() if f not in self._settled]

    async def put(self, alerts: Sequence[ReceivedAlert]) -> None:
        """Take alerts in; returns when they are stored.

        Who waits for alerts is told of them even if they could not be stored: better that
        somebody is called than nobody.

        Raises:
            RecordsError: the database refused them or is away; send them again.
        """
        now = self._clock.now()
        to_store = {}
        for alert in alerts:
            merged = self._merge(alert, now)
            if merged is not None:
                to_store[alert.fingerprint] = merged
        _RECEIVED.labels("stored").inc(len(to_store))
        _RECEIVED.labels("unchanged").inc(len(alerts) - len(to_store))
        try:
            if to_store:
                await self._store(list(to_store.values()))
        finally:
            # As they are now: while these were stored, some may have been sent again.
            newest = {a.fingerprint: self._alerts[a.fingerprint] for a in alerts}
            for received in self._received:
                received(list(newest.values()))

    def settle(self, fingerprints: Iterable[str]) -> None:
        """Everybody has been told that these ended; ``maintain`` writes it down."""
        new = set(fingerprints) - self._settled
        self._settled |= new
        self._unsettled_rows |= new

    async def maintain(self, _: float = 0.0) -> None:
        """Write what is not written yet; run it every few seconds.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        if self._unstored:
            await self._store([self._alerts[f] for f in self._unstored if f in self._alerts])
        if rows := self._unsettled_rows:
            self._unsettled_rows = set()
            now = self._clock.now()
            try:
                await self._commits.write(lambda s: repository.settle(s, rows, now))
            except RecordsError:
                self._unsettled_rows |= rows & self._settled
                raise

    def collect_garbage(self) -> None:
        """Forget alerts of whose end everybody was told, some time after it."""
        oldest = self._clock.now() - _MERGED_FOR
        old = [
            alert
            for f in self._settled
            if (alert := self._alerts.get(f)) is not None and alert.ends_at <= oldest
        ]
        for alert in old:
            del self._alerts[alert.fingerprint]
            self._settled.discard(alert.fingerprint)
        for forgotten in self._forgotten:
            forgotten(old)
        _KNOWN.set(len(self._alerts))

    async def prune(self, _: float = 0.0) -> None:
        """Forget what was settled longer ago than the retention; run it once an hour or so.

        Raises:
            RecordsError: the database refused it or is away.
        """
        oldest = self._clock.now() - self._retention
        await self._commits.write(lambda session: repository.delete_settled(session, oldest))

    def _merge(self, alert: ReceivedAlert, now: float) -> ReceivedAlert | None:
        """Keep an alert in memory; returns it as it is then if it must be stored."""
        fingerprint = alert.fingerprint
        old = self._alerts.get(fingerprint)
        if old is not None and old.overlaps(alert):
            alert = merge(old, alert, now)
        self._alerts[fingerprint] = alert
        if fingerprint in self._settled:
            if alert.resolved(now):  # Prometheus says so for a quarter of an hour
                return None
            self._settled.discard(fingerprint)
            self._unsettled_rows.discard(fingerprint)
            return alert
        being_stored = fingerprint in self._storing or fingerprint in self._unstored
        repeated = old is not None and not being_stored and _is_repetition(old, alert, now)
        return None if repeated else alert

    async def _store(self, alerts: Sequence[ReceivedAlert]) -> None:
        now = self._clock.now()
        fingerprints = [alert.fingerprint for alert in alerts]
        self._storing.update(fingerprints)
        try:
            await self._commits.write(lambda session: repository.save(session, alerts, now))
        except BaseException:
            self._unstored.update(fingerprints)
            raise
        else:
            self._unstored.difference_update(fingerprints)
        finally:
            self._storing.subtract(fingerprints)
            self._storing += Counter()  # drops those at zero
            _KNOWN.set(len(self._alerts))


def _is_repetition(old: ReceivedAlert, new: ReceivedAlert, now: float) -> bool:
    """Whether what is stored of ``old`` says all that must survive a restart of ``new``."""
    same = (
        old.annotations == new.annotations
        and old.starts_at == new.starts_at
        and old.generator_url == new.generator_url
        and old.source == new.source
    )
    if not same or old.resolved(now) or new.resolved(now):
        return same and old.ends_at == new.ends_at
    before, after = old.ends_at - old.updated_at, new.ends_at - new.updated_at
    return after <= 2 * before
