"""Everything that makes less noise, as the alert manager runs it."""

from collections.abc import Sequence

from pynomaly.alerting.acknowledgements.service import Acknowledgements
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.alerts.service import Alerts
from pynomaly.alerting.firings.log import FiringLog
from pynomaly.alerting.flapping.detector import FlappingDetector
from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.suppression.service import Suppression
from pynomaly.model.clock import Clock
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit


class NoiseControl:
    """Suppression rules, flapping detection, acknowledgements, and the log of firings."""

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        alerts: Alerts,
        settings: NoiseSettings,
    ) -> None:
        retention = settings.firings_retention
        self._alerts = alerts
        self.flapping = FlappingDetector(settings.flapping)
        self.firings = FiringLog(
            records, commits, clock, alerts.get, self.flapping, retention=retention
        )
        self.acknowledgements = Acknowledgements(
            records, commits, clock, self.firings, retention=retention
        )
        self.suppression = Suppression(records, commits, clock, settings.suppression_rules)

    async def start(self) -> None:
        """Take up what is stored; the alerts have been taken up before.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        await self.firings.start()
        self.firings.receive(self._alerts.all())
        await self.acknowledgements.start(self._alerts.get)
        await self.suppression.start()

    def forget(self, alerts: Sequence[ReceivedAlert]) -> None:
        """These alerts are no more."""
        fingerprints = [alert.fingerprint for alert in alerts]
        self.firings.forget(alerts)
        self.acknowledgements.forget(fingerprints)
        self.suppression.forget(fingerprints)

    async def maintain(self, due: float = 0.0) -> None:
        """Write what is not written yet; run it every few seconds.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        await self.suppression.maintain(due)
        await self.firings.maintain(due)

    async def prune(self, due: float = 0.0) -> None:
        """Forget what is older than the retention; run it once an hour or so.

        Raises:
            RecordsError: the database refused it or is away.
        """
        await self.firings.prune(due)
        await self.acknowledgements.prune(due)
