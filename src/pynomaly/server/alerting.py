"""From the alerts of rules and senders to notifications, as the server runs it."""

from collections.abc import Mapping

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.templates import load_templates
from pynomaly.alerting.cluster.config import HERE, ClusterConfig
from pynomaly.alerting.cluster.service import Cluster
from pynomaly.alerting.config import AlertingSettings
from pynomaly.alerting.contract import AlertFeed
from pynomaly.alerting.delivery.dead_letters import DeadLetters
from pynomaly.alerting.delivery.service import DeliveryService
from pynomaly.alerting.dispatch.route_labels import RouteLabels
from pynomaly.alerting.maintenance import WATCHDOG, MaintenanceWindows
from pynomaly.alerting.manager import AlertManager, Setup
from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.noise.service import NoiseReports
from pynomaly.alerting.rules_feed import RulesFeed
from pynomaly.api.health import ComponentHealth, ComponentStatus
from pynomaly.calendar.service import Calendar
from pynomaly.model.clock import Clock
from pynomaly.server.health import ACTIVE, Check
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit


def windows_of(calendar: Calendar, settings: AlertingSettings) -> MaintenanceWindows:
    """The windows of maintenance; they spare what proves outside that alerting works."""
    heartbeat = settings.heartbeat
    return MaintenanceWindows(calendar, {WATCHDOG, *([heartbeat.alert] if heartbeat else [])})


def noise_of(settings: AlertingSettings) -> NoiseSettings:
    """What settings say of suppression, flapping and the noise report."""
    return NoiseSettings(settings.suppression_rules, settings.flapping, settings.firings_retention)


class Alerting:
    """The alert manager, what feeds it, and what delivers for it.

    ``retention``: seconds for which it is kept what was silenced, told and held back.
    ``rate_limits``: notifications a minute, by kind of channel. Run ``maintain`` every few
    seconds and ``collect_garbage`` every few minutes.
    """

    def __init__(
        self,
        records: Records,
        feed: AlertFeed,
        clock: Clock,
        bus: Bus,
        *,
        external_url: str,
        retention: float,
        rate_limits: Mapping[str, int],
        commits: GroupCommit | None = None,
        maintenance: MaintenanceWindows | None = None,
        noise: NoiseSettings | None = None,
    ) -> None:
        self._clock = clock
        self._external_url = external_url
        self._commits = commits or GroupCommit(records)
        self.manager = AlertManager(
            records,
            self._commits,
            clock,
            retention=retention,
            maintenance=maintenance,
            noise=noise,
        )
        self.delivery = DeliveryService(
            DeadLetters(records, self._commits, clock),
            self.manager.log,
            clock,
            external_url=external_url,
            rate_limits=rate_limits,
        )
        self.cluster = Cluster(
            self.manager.alerts, self.manager.silences, clock, self.manager.maintenance
        )
        self.reports = NoiseReports(self.manager.noise, records, clock)
        self._feed = RulesFeed(feed, self.manager.alerts, clock, bus)
        self.manager.silences.on_change(lambda: bus.publish("silences", {}))
        self.manager.noise.acknowledgements.on_change(lambda: bus.publish("alerts", {}))

    async def start(self, config: AlertmanagerConfig, cluster: ClusterConfig = HERE) -> None:
        """Take up what was before, and tell by this configuration; ``cluster``, if it names any.

        Raises:
            RecordsUnavailable: the database does not answer.
            ConfigError: a file of templates, or a channel, cannot be used.
        """
        await self.delivery.letters.start()
        await self.manager.start(self._setup(config, cluster))
        await self.cluster.apply(cluster)
        await self._feed.start()

    async def apply(self, config: AlertmanagerConfig, cluster: ClusterConfig = HERE) -> None:
        """Tell by another configuration from now on.

        Raises:
            ConfigError: a file of templates, or a channel, cannot be used; nothing has changed.
        """
        self.manager.apply(self._setup(config, cluster))
        await self.cluster.apply(cluster)

    async def close(self) -> None:
        """Take in and tell no more; what is not stored yet is stored."""
        await self._feed.close()
        await self.cluster.close()
        await self.manager.close()
        await self.manager.maintain()
        await self._commits.close()

    async def maintain(self, due: float) -> None:
        """Look whether a change of the rules' alerts was missed, and write what is not written.

        Raises:
            RecordsError: the database refused it or is away.
        """
        await self._feed.check(due)
        await self.cluster.check(due)
        await self.manager.maintain(due)
        await self.delivery.letters.maintain(due)

    def tells_nobody(self) -> bool:
        """Whether no receiver has a way to be told."""
        return not self.cluster.config and not any(self.manager.setup.ways.values())

    def _setup(self, config: AlertmanagerConfig, cluster: ClusterConfig) -> Setup:
        receivers = self.delivery.build(config)
        labels = RouteLabels(load_templates(config), self._external_url, self._clock)
        return Setup(
            config,
            receivers.ways,
            render_labels=labels,
            close=receivers.close,
            elsewhere=self.cluster.tellings if cluster else None,
        )


def of_members(cluster: Cluster) -> Check:
    """Degraded while an Alertmanager is away or refuses alerts, failed while all are away."""

    def check() -> ComponentHealth:
        if not cluster.config:
            return ComponentHealth(ComponentStatus.DISABLED, "alerts are routed here")
        members = cluster.members()
        if not members:
            return ComponentHealth(ComponentStatus.FAILED, "no Alertmanager was discovered")
        troubled = [member for member in members if member.trouble]
        if not troubled:
            return ACTIVE
        away = all(member.away for member in members)
        reasons = "; ".join(f"{member.base}: {member.trouble}" for member in troubled[:3])
        return ComponentHealth(
            ComponentStatus.FAILED if away else ComponentStatus.DEGRADED,
            f"{len(troubled)} of {len(members)} Alertmanagers: {reasons}",
        )

    return check
