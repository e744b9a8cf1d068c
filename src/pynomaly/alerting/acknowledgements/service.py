"""Who has taken which alert on: for as long as it fires, nobody is told of it again."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import Gauge

from pynomaly.alerting.acknowledgements import repository
from pynomaly.alerting.acknowledgements.acknowledgement import Acknowledgement
from pynomaly.alerting.firings.log import FiringLog, Known
from pynomaly.model.alert import Alert
from pynomaly.model.clock import Clock
from pynomaly.model.duration import format_duration
from pynomaly.model.times import utc
from pynomaly.observability import REGISTRY
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

_ACKNOWLEDGED = Gauge(
    "pynomaly_alerting_acknowledged_alerts",
    "Firings that somebody has acknowledged, of alerts that fire or ended a short while ago.",
    registry=REGISTRY,
)


class Acknowledgements:
    """Keeps them, by alert.

    One ends with the firing that it is about; that of an alert that flaps holds until it is calm.
    """

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        firings: FiringLog,
        *,
        retention: float,
    ) -> None:
        self._records = records
        self._commits = commits
        self._clock = clock
        self._firings = firings
        self._retention = retention
        self._kept: dict[str, Acknowledgement] = {}
        self._listeners: list[Callable[[], None]] = []

    async def start(self, known: Known) -> None:
        """Take up what is stored of alerts that are known.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        kept = await asyncio.to_thread(repository.load, self._records)
        self._kept = {one.fingerprint: one for one in kept if known(one.fingerprint)}
        for one in self._kept.values():  # the log of firings may not have been written since
            self._firings.acknowledged(one.fingerprint, one.at)
        self._tell()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this whenever one is added or withdrawn."""
        self._listeners.append(listener)

    def of(self, fingerprint: str, started_at: float) -> Acknowledgement | None:
        """The one that holds for an alert that fires since ``started_at``; None if none does."""
        kept = self._kept.get(fingerprint)
        if kept is None:
            return None
        # Two reports of one firing, merged, may move its beginning back but not forward.
        if started_at <= kept.started_at:
            return kept
        flap = self._firings.flapping.flap(fingerprint, self._clock.now())
        return kept if flap is not None and flap.since <= kept.at else None

    def why_no_repeat(self, alerts: Sequence[Alert], repeat_interval: float) -> str:
        """Why alerts that go on firing are not told again; empty unless all are acknowledged."""
        found = [self.of(alert.fingerprint, alert.fired_at) for alert in alerts]
        last = max((one for one in found if one), key=lambda one: one.at, default=None)
        if last is None or None in found:
            return ""
        every = format_duration(repeat_interval)
        return (
            f"{last.by or 'somebody'} acknowledged it at {utc(last.at)}, so that it is not "
            f"repeated every {every}"
        )

    async def keep(self, acknowledgement: Acknowledgement) -> None:
        """Keep it in place of the one of the same alert.

        Raises:
            RecordsError: it could not be stored; nothing has changed.
        """
        await self._commits.write(lambda s: repository.save(s, [acknowledgement]))
        self._kept[acknowledgement.fingerprint] = acknowledgement
        self._firings.acknowledged(acknowledgement.fingerprint, acknowledgement.at)
        self._tell()

    async def withdraw(self, acknowledgement: Acknowledgement) -> None:
        """Forget it: the alert is told again.

        Raises:
            RecordsError: it could not be stored; nothing has changed.
        """
        identity, started_at = acknowledgement.fingerprint, acknowledgement.started_at
        await self._commits.write(lambda s: repository.delete(s, identity, started_at))
        self._kept.pop(identity, None)
        self._firings.acknowledged(identity, None)
        self._tell()

    def forget(self, fingerprints: Iterable[str]) -> None:
        """These alerts are no more."""
        for fingerprint in fingerprints:
            self._kept.pop(fingerprint, None)
        _ACKNOWLEDGED.set(len(self._kept))

    async def prune(self, _: float = 0.0) -> None:
        """Forget those that are older than the retention; run it once an hour or so.

        Raises:
            RecordsError: the database refused it or is away.
        """
        oldest = self._clock.now() - self._retention
        # An alert may fire, and stay acknowledged, for longer than that.
        oldest = min([oldest, *(one.at for one in self._kept.values())])
        await self._commits.write(lambda session: repository.delete_old(session, oldest))

    def _tell(self) -> None:
        _ACKNOWLEDGED.set(len(self._kept))
        for listener in self._listeners:
            listener()
