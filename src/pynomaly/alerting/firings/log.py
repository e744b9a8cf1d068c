"""Follows alerts as they begin and end, and counts what is told of them and done about them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy.orm import Session

from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.contract import Notification
from pynomaly.alerting.dispatch.group import Group
from pynomaly.alerting.firings import repository
from pynomaly.alerting.firings.firing import Firing, FiringKey
from pynomaly.alerting.firings.repository import Cell, Count
from pynomaly.alerting.flapping.detector import FlappingDetector
from pynomaly.alerting.pipeline.deduplicate import Reason
from pynomaly.model.alert import Alert
from pynomaly.model.clock import Clock
from pynomaly.storage.records import Records, RecordsError
from pynomaly.storage.records.group_commit import GroupCommit

AGAIN_WITHIN = 3600.0
"""Seconds; see ``Firing.again``."""

_AT_ONCE = 2_000
"""Rows of one write, so that alerts which are taken in meanwhile need not wait long."""

Known = Callable[[str], ReceivedAlert | None]


class FiringLog:
    """Every firing of every alert.

    ``known`` gives an alert as it is now. What happens is written by ``maintain``; when the
    process dies before that, numbers of notifications of the last seconds are lost, and no firing
    is, since alerts that fire are received again.
    """

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        known: Known,
        flapping: FlappingDetector,
        *,
        retention: float,
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._known = known
        self._retention = retention
        self.flapping = flapping
        self._last: dict[str, Firing] = {}
        self._open: set[str] = set()
        self._counting: dict[str, float] = {}
        self._changed: dict[FiringKey, Firing] = {}
        self._told: defaultdict[Cell, list[int]] = defaultdict(lambda: [0, 0])

    async def start(self) -> None:
        """Take up what is stored.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        since = self._clock.now() - max(AGAIN_WITHIN, self.flapping.settings.window)
        changes: defaultdict[str, list[float]] = defaultdict(list)
        flapping: dict[str, float | None] = {}
        for firing in await asyncio.to_thread(repository.load, self._records, since):
            identity = firing.fingerprint
            self._last[identity] = firing
            changes[identity].append(firing.started_at)
            if firing.ended_at is not None:
                changes[identity].append(firing.ended_at)
            self._open.discard(identity)
            if firing.ended_at is None:
                self._open.add(identity)
            if not firing.again:
                self._counting[identity] = firing.started_at
            before = flapping.get(identity)
            flapping[identity] = (before or firing.started_at) if firing.flapping else None
        for identity, times in changes.items():
            self.flapping.restore(identity, times, flapping[identity])

    def receive(self, alerts: Iterable[ReceivedAlert]) -> None:
        """These are new or changed."""
        now = self._clock.now()
        for alert in alerts:
            last = self._last.get(alert.fingerprint)
            fires = last is not None and last.ended_at is None
            if alert.ends_at <= now:
                if last is not None and fires:
                    self._end(last, alert.ends_at)
            elif last is None or not fires:
                self._begin(alert, now)
            elif alert.starts_at > last.started_at:  # nobody said that it had ended before
                self._end(last, alert.starts_at)
                self._begin(alert, now)

    def told(self, notification: Notification) -> None:
        """A notification went out."""
        repeats = notification.reason == Reason.REPEAT
        for name in {alert.name for alert in notification.alerts}:
            count = self._told[Cell(name, notification.receiver, int(notification.at // 3600))]
            count[0] += 1
            count[1] += repeats
        firing = self._last.get(occasion(notification).fingerprint)
        if firing is not None:
            firing.notifications += 1
            self._changed[firing.key] = firing

    def looked(self, group: Group) -> None:
        """A group went through the pipeline: what a silence held back was silenced."""
        for fingerprint, verdict in group.trace.held.items() if group.trace is not None else ():
            firing = self._last.get(fingerprint)
            if verdict.stage == "silence" and firing is not None and firing.silenced_at is None:
                firing.silenced_at = self._clock.now()
                self._changed[firing.key] = firing

    def acknowledged(self, fingerprint: str, at: float | None) -> None:
        """Somebody has taken an alert on, or (None) thought better of it."""
        firing = self._last.get(fingerprint)
        if firing is not None and (at is None or at >= firing.started_at):
            firing.acknowledged_at = at
            self._changed[firing.key] = firing

    def forget(self, alerts: Sequence[ReceivedAlert]) -> None:
        """These alerts are no more."""
        oldest = self._clock.now() - AGAIN_WITHIN
        for alert in alerts:
            last = self._last.get(alert.fingerprint)
            if last is not None and last.ended_at is not None:
                del self._last[alert.fingerprint]
            if self._counting.get(alert.fingerprint, oldest) <= oldest:
                self._counting.pop(alert.fingerprint, None)

    async def maintain(self, _: float = 0.0) -> None:
        """Notice what ended without a word, and write what happened; run it every few seconds.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        self._notice_ends()
        self.flapping.calm_down(self._clock.now())
        await self._write_told()
        while self._changed:
            batch = dict(list(self._changed.items())[:_AT_ONCE])
            for key in batch:
                del self._changed[key]
            try:
                await self._commits.write(_saving(list(batch.values())))
            except RecordsError:
                self._changed = batch | self._changed
                raise

    async def prune(self, _: float = 0.0) -> None:
        """Forget what is older than the retention; run it once an hour or so.

        Raises:
            RecordsError: the database refused it or is away.
        """
        oldest = self._clock.now() - self._retention
        await self._commits.write(lambda session: repository.delete(session, oldest))

    def _begin(self, alert: ReceivedAlert, now: float) -> None:
        identity, at = alert.fingerprint, alert.starts_at
        counting = self._counting.get(identity)
        again = counting is not None and 0 <= at - counting < AGAIN_WITHIN
        if not again:
            self._counting[identity] = at
        firing = Firing(
            identity,
            at,
            alert.name,
            alert.labels.get("severity", ""),
            # Of one that began long ago and is new here, nothing happened now.
            flapping=self.flapping.changed(identity, min(at, now), fires=True),
            again=again,
        )
        self._last[identity] = firing
        self._open.add(identity)
        self._changed[firing.key] = firing

    def _end(self, firing: Firing, at: float) -> None:
        firing.ended_at = max(at, firing.started_at)
        self._open.discard(firing.fingerprint)
        self._changed[firing.key] = firing
        self.flapping.changed(firing.fingerprint, firing.ended_at, fires=False)

    def _notice_ends(self) -> None:
        now = self._clock.now()
        for identity in list(self._open):
            alert = self._known(identity)
            if alert is None or alert.resolved(now):
                self._end(self._last[identity], now if alert is None else alert.ends_at)

    async def _write_told(self) -> None:
        told, self._told = self._told, defaultdict(lambda: [0, 0])
        if not told:
            return
        counts = {cell: Count(*count) for cell, count in told.items()}
        try:
            await self._commits.write(lambda s: repository.add_notifications(s, counts))
        except RecordsError:
            for cell, (notifications, repeats) in told.items():
                self._told[cell][0] += notifications
                self._told[cell][1] += repeats
            raise


def occasion(notification: Notification) -> Alert:
    """The alert that a notification is put down to.

    That of a repetition is the one that fires longest, else it is the one that changed last.
    """
    firing = notification.firing
    if notification.reason == Reason.REPEAT and firing:
        return min(firing, key=lambda alert: alert.fired_at)
    if notification.reason in (Reason.SOME_RESOLVED, Reason.ALL_RESOLVED) or not firing:
        return max(notification.alerts, key=lambda alert: alert.resolved_at)
    return max(firing, key=lambda alert: alert.fired_at)


def _saving(firings: Sequence[Firing]) -> Callable[[Session], None]:
    return lambda session: repository.save(session, firings)
