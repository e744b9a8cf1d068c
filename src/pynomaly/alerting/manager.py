"""Alertmanager in this process: every part, built from a configuration and rebuilt by a reload."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.routes import Route, build_routes
from pynomaly.alerting.alerts.alert import ReceivedAlert
from pynomaly.alerting.alerts.service import Alerts
from pynomaly.alerting.dispatch.dispatcher import Dispatcher, RenderLabels
from pynomaly.alerting.dispatch.group import Group
from pynomaly.alerting.dispatch.order import label_order
from pynomaly.alerting.explain.explanation import Telling
from pynomaly.alerting.explain.journal import VerdictJournal
from pynomaly.alerting.inhibition.inhibitor import Inhibitor
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.noise.control import NoiseControl
from pynomaly.alerting.notifications.log import NotificationLog
from pynomaly.alerting.pipeline.stages import Parts, Way, pipeline
from pynomaly.alerting.silences.service import Silences
from pynomaly.alerting.silences.silencer import Silencer
from pynomaly.model.clock import Clock
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

log = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds that deliveries under way are given to end when the server stops or reloads."""

Ways = Mapping[str, Sequence[Way]]
"""The ways to tell each receiver, by its name."""

Elsewhere = Callable[[ReceivedAlert], tuple[Telling, ...]]
"""Where those stand with an alert that route and deliver in our stead."""


class Setup:
    """A configuration and what was made of it: routes, ways to tell, intervals, inhibition.

    ``elsewhere`` is given where alerts go to Alertmanagers, which do all of that.
    """

    def __init__(
        self,
        config: AlertmanagerConfig,
        ways: Ways,
        *,
        render_labels: RenderLabels = lambda notification: notification.route_labels,
        close: Callable[[], Awaitable[None]] | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.config = config
        self.elsewhere = elsewhere
        self.route: Route = build_routes(config)
        self.ways = ways
        self.intervals = config.intervals
        self.inhibitor = Inhibitor(config.rules_of_inhibition)
        self.render_labels = render_labels
        self._close = close

    async def close(self) -> None:
        """Give up what the ways to tell hold open."""
        if self._close is not None:
            await self._close()


class AlertManager:
    """Takes alerts in and tells receivers, by the configuration that is in force.

    ``maintenance``: the windows that hold alerts back; without it there are none.
    """

    def __init__(
        self,
        records: Records,
        commits: GroupCommit,
        clock: Clock,
        *,
        retention: float,
        maintenance: MaintenanceWindows | None = None,
        noise: NoiseSettings | None = None,
    ) -> None:
        self._clock = clock
        self.maintenance = maintenance or MaintenanceWindows()
        self.alerts = Alerts(records, commits, clock, retention=retention)
        self.silences = Silences(records, commits, clock, retention=retention)
        self.silencer = Silencer(self.silences, clock)
        self.log = NotificationLog(records, commits, clock, retention=retention)
        self.journal = VerdictJournal(commits, clock, retention=retention)
        self.noise = NoiseControl(records, commits, clock, self.alerts, noise or NoiseSettings())
        self.alerts.subscribe(self._receive, self._forget)
        self._dispatcher: Dispatcher | None = None
        self._setup: Setup | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def setup(self) -> Setup:
        """The configuration in force; there is one after ``start``."""
        assert self._setup is not None
        return self._setup

    @property
    def dispatcher(self) -> Dispatcher:
        """The groups; there are some after ``start``."""
        assert self._dispatcher is not None
        return self._dispatcher

    async def start(self, setup: Setup) -> None:
        """Take up what was before, and go on telling.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        self.alerts.resolve_timeout = setup.config.global_.resolve_timeout
        await self.silences.start()
        await self.log.start()
        await self.alerts.start()
        await self.noise.start()
        self.apply(setup)

    def apply(self, setup: Setup) -> None:
        """Go on by another configuration; what is being told under the old one is told."""
        if self._dispatcher is not None:
            self._retire(self._dispatcher, self.setup)
        self._setup = setup
        self.alerts.resolve_timeout = setup.config.global_.resolve_timeout
        alerts = self.alerts.all()
        setup.inhibitor.observe(alerts)  # first, so that nobody is told what is inhibited
        parts = Parts(
            inhibitor=setup.inhibitor,
            intervals=setup.intervals,
            silencer=self.silencer,
            maintenance=self.maintenance,
            log=self.log,
            noise=self.noise,
            clock=self._clock,
        )
        self._dispatcher = Dispatcher(
            setup.route,
            pipeline(parts, setup.ways),
            self._clock,
            settled=self.alerts.settle,
            looked=self._looked,
            render_labels=setup.render_labels,
        )
        self._dispatcher.start(self.alerts.unsettled())

    def sorted_groups(self) -> list[Group]:
        """The groups by their labels and receivers, as Alertmanager lists them."""
        groups = self.dispatcher.groups()
        return sorted(groups, key=lambda group: (label_order(group.labels), group.route.receiver))

    def muted_by(self, route: Route, at: float) -> tuple[str, ...]:
        """The names of the intervals by which a route tells nothing at a time."""
        intervals, active = self.setup.intervals, route.active_time_intervals
        if active and not intervals.mutes(active, at):
            return active
        return intervals.mutes(route.mute_time_intervals, at)

    def fires(self, name: str) -> bool:
        """Whether an alert of this name fires, held back or not."""
        now = self._clock.now()
        return any(a.name == name and not a.resolved(now) for a in self.alerts.all())

    async def close(self) -> None:
        """Tell no more; what was not told yet is found again after a restart."""
        if self._dispatcher is not None:
            self._retire(self._dispatcher, self.setup)
        if self._closing:
            await asyncio.wait(self._closing)

    async def maintain(self, due: float = 0.0) -> None:
        """Write what is not written yet; run it every few seconds.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        await self.alerts.maintain(due)
        await self.log.maintain(due)
        await self.journal.maintain(due)
        await self.noise.maintain(due)

    async def collect_garbage(self, due: float = 0.0) -> None:
        """Forget what is over; run it every few minutes.

        Raises:
            RecordsError: the database refused it or is away; it is tried again the next time.
        """
        self.alerts.collect_garbage()
        await self.silences.collect_garbage(due)
        for part in (self.alerts, self.log, self.journal, self.noise):
            await part.prune(due)

    def _receive(self, alerts: Sequence[ReceivedAlert]) -> None:
        self.setup.inhibitor.observe(alerts)
        self.noise.firings.receive(alerts)
        self.dispatcher.receive(alerts)

    def _forget(self, alerts: Sequence[ReceivedAlert]) -> None:
        self.setup.inhibitor.forget(alerts)
        self.silencer.forget(alert.fingerprint for alert in alerts)
        self.noise.forget(alerts)

    def _looked(self, group: Group) -> None:
        self.journal.looked(group)
        self.noise.firings.looked(group)

    def _retire(self, dispatcher: Dispatcher, setup: Setup) -> None:
        async def close() -> None:
            await dispatcher.close(patience=_PATIENCE)
            await setup.close()

        closing = asyncio.create_task(close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
