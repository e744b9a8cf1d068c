"""The whole product: every part built in dependency order, undone in reverse.

``start`` is one long list on purpose: whoever wonders what there is and what stands on what reads
it from top to bottom. Each step pushes its own undoing, so that a start that fails half-way, or is
interrupted, leaves nothing behind.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import Counter, Gauge

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.audit import AuditLog
from pynomaly.access.gate import Gate
from pynomaly.alerting.heartbeat import Heartbeat
from pynomaly.api.prometheus.status import Runtime
from pynomaly.ingest.host import HostCollector
from pynomaly.ingest.host.process import register_process_metrics
from pynomaly.ingest.registry import SelfObservation, Source
from pynomaly.ingest.scrape.manager import ScrapeManager
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.observability import REGISTRY
from pynomaly.rules.backtest.service import Backtests
from pynomaly.rules.config import RuleGroup
from pynomaly.rules.evaluate import explore_link
from pynomaly.rules.lint.service import RulesLint
from pynomaly.rules.manager import RuleManager
from pynomaly.rules.template import Outside
from pynomaly.server import effective
from pynomaly.server.alerting import Alerting, noise_of, of_members, windows_of
from pynomaly.server.applications import Parts, api_of, pages_of
from pynomaly.server.backends import Backend, Site, open_backend
from pynomaly.server.calendar import keep_calendar
from pynomaly.server.detection import detect
from pynomaly.server.files import NamedFiles, load_named_files
from pynomaly.server.health import HealthBoard, of_attempts, of_job, of_scraping, of_trouble
from pynomaly.server.listener import Listener, bind
from pynomaly.server.sections import Configuration
from pynomaly.server.watched import watch_queries
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records
from pynomaly.storage.scheduler import Scheduler

log = logging.getLogger(__name__)

_RELOADS = Counter(
    "pynomaly_config_reloads",
    "Reloads of the configuration; after a refused one everything goes on as before.",
    ["outcome"],
    registry=REGISTRY,
)
_RELOADED = Gauge(
    "pynomaly_config_last_reload_successful",
    "Whether the last reload of the configuration was taken (1) or refused (0).",
    registry=REGISTRY,
)

_RELOADED_AT = Gauge(
    "pynomaly_config_last_reload_success_timestamp_seconds",
    "When the configuration in force was read.",
    registry=REGISTRY,
)

Say = Callable[[str], None]

_NOTIFICATION_SECONDS = 5.0
_ALERTMANAGERS_SECONDS = 15.0
_ALERTS_TIDY_SECONDS = 300.0
_AUDIT_FLUSH_SECONDS = 10.0
_RECORDS_CHECK_SECONDS = 10.0
_LINT_SECONDS = 600.0
_DAY = 86_400.0


class Service:
    """The product in this process. ``reread`` gives the configuration anew, for a reload."""

    def __init__(
        self, configuration: Configuration, reread: Callable[[], Configuration], clock: Clock
    ) -> None:
        self._configuration = configuration
        self._reread = reread
        self._clock = clock
        self._undo = AsyncExitStack()
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self.health = HealthBoard()
        self._reload_error: str | None = None
        self._count_reload(None)
        self.health.add("configuration", of_trouble(lambda: self._reload_error))
        self._began, self._refused_at = clock.now(), 0.0
        self.data_dir: Path = configuration.server.data_dir
        self.api_url = self.web_url = self.external_url = self.place = ""

    async def start(self, say: Say) -> None:
        """Return when queries are answered, samples taken in and pages shown.

        Raises:
            PynomalyError: something cannot start; call ``stop`` all the same.
        """
        configuration, clock = self._configuration, self._clock
        files = await asyncio.to_thread(load_named_files, configuration)
        for warning in files.warnings:
            log.warning(warning)
        self._in_force(files)
        self._take_ports()
        self._bus = Bus(clock)
        self._scheduler = Scheduler(clock)
        self._undo.push_async_callback(self._scheduler.close)
        self._backend = await self._open_backend(say)
        self.place = self._backend.place
        records = self._records = await self._open_records()
        audit = await self._keep_audit(records)
        self._calendar = await keep_calendar(self._site(), records)
        await self._observe_itself()
        self._rules = await self._evaluate_rules(files)
        self._backtests = self._look_back()
        self._lint = self._look_at_rules()
        self._alerting = await self._notify(records, files)
        self._detection = await detect(self._site(), self._backend, records, self._calendar)
        self._watched = await watch_queries(
            self._site(), self._backend, records, self._detection, self._calendar
        )
        self._scraping = await self._scrape(files)
        self._schedule_upkeep(records, audit)
        say("Opening the doors …")
        await self._listen(audit)
        self.health.set_ready(True)

    async def stop(self) -> None:
        """Undo everything in reverse order; what was acknowledged is stored."""
        self.health.set_ready(False)
        await self._undo.aclose()

    def reload_soon(self) -> None:
        """Reload in the background and log what is wrong; for SIGHUP."""
        task = asyncio.create_task(self._reload_and_log())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def reload(self) -> None:
        """Read the files again: what is scraped, and the rules. No sample is lost.

        Raises:
            ConfigError: a file cannot be used; everything goes on as before.
        """
        async with self._reloading:
            try:
                await self._apply_files()
            except PynomalyError as error:
                self._reload_error = f"The last reload was refused: {error}"
                self._refused_at = self._clock.now()
                self._count_reload("error")
                raise
            self._reload_error, self._refused_at = None, 0.0
            self._count_reload("ok")
            log.info("configuration reloaded")

    async def _apply_files(self) -> None:
        configuration = await asyncio.to_thread(self._reread)
        files = await asyncio.to_thread(load_named_files, configuration)
        await self._rules.apply(
            self._groups(files), default_interval=configuration.rules.evaluation_interval
        )
        await self._scraping.apply(files.prometheus)
        await self._alerting.apply(files.alertmanager, files.cluster)
        for warning in files.warnings:
            log.warning(warning)
        self._calendar.configure(configuration.calendar)
        suppression = self._alerting.manager.noise.suppression
        suppression.configure(configuration.alerting.suppression_rules)
        await self._detection.rules.configure(configuration.components.anomaly_detection.rules)
        await self._watched.apply(configuration)
        self._in_force(files)

    def _in_force(self, files: NamedFiles) -> None:
        self._files, self._read_at = files, self._clock.now()
        _RELOADED_AT.set(self._read_at)

    def _count_reload(self, outcome: str | None) -> None:
        for known in ("ok", "error"):  # both from the beginning, so that the first is an increase
            _RELOADS.labels(known).inc(known == outcome)
        _RELOADED.set(self._reload_error is None)

    async def _reload_and_log(self) -> None:
        try:
            await self.reload()
        except PynomalyError as error:
            log.error("the configuration was not reloaded: %s", error)

    def _take_ports(self) -> None:
        server = self._configuration.server
        self._api_socket = bind(server.host, server.api_port, "--api-port")
        self._undo.callback(self._api_socket.close)
        self._web_socket = bind(server.host, server.web_port, "--web-port")
        self._undo.callback(self._web_socket.close)
        self.api_url = _url(server.host, self._api_socket)
        self.web_url = _url(server.host, self._web_socket)
        self.external_url = server.external_url or self.web_url

    async def _open_backend(self, say: Say) -> Backend:
        peer = self._configuration.prometheus.url
        say(f"Working on {peer} …" if peer else f"Opening the store in {self.data_dir} …")
        backend = await open_backend(self._site())
        if reason := self.health.reason("prometheus"):
            say(f"{reason} Rules begin when it is there.")
        return backend

    def _site(self) -> Site:
        return Site(
            self._configuration,
            self.data_dir,
            self._clock,
            self._bus,
            self._scheduler,
            self.health,
            self._undo,
        )

    async def _open_records(self) -> Records:
        settings = self._configuration.storage.records
        records = await asyncio.to_thread(Records.open, settings, self.data_dir)
        self._undo.push_async_callback(asyncio.to_thread, records.close)
        return records

    async def _keep_audit(self, records: Records) -> AuditLog:
        days = self._configuration.access.audit_retention_days
        audit = AuditLog(records, self._clock, retention_days=days)
        self._undo.push_async_callback(asyncio.to_thread, audit.close)
        return audit

    async def _evaluate_rules(self, files: NamedFiles) -> RuleManager:
        rules = RuleManager(
            self._backend.judging,
            self._backend.appender,
            self._bus,
            self._clock,
            self._scheduler,
            link=explore_link(self.external_url),
            outside=Outside(self._configuration.rules.external_labels, self.external_url),
            default_interval=self._configuration.rules.evaluation_interval,
            elsewhere=self._backend.elsewhere,
        )
        self._undo.push_async_callback(rules.close)
        await rules.apply(self._groups(files))
        self.health.add("rules", of_attempts("rules", rules.rules))
        return rules

    def _look_back(self) -> Backtests:
        configuration = self._configuration
        return Backtests(
            self._backend.judging,
            configuration.rules.backtest,
            query=configuration.query,
            default_interval=configuration.rules.evaluation_interval,
            outside=Outside(configuration.rules.external_labels, self.external_url),
        )

    def _look_at_rules(self) -> RulesLint:
        def groups() -> list[RuleGroup]:
            return [runner.group for runner in self._rules.groups()]

        lint = RulesLint(groups, self._backend.judging, self._backend.reader, self._clock)
        self._scheduler.every("rules lint", _LINT_SECONDS, lint.look)
        return lint

    def _groups(self, files: NamedFiles) -> list[RuleGroup]:
        return [*self._backend.rule_groups, *files.rule_groups]

    async def _notify(self, records: Records, files: NamedFiles) -> Alerting:
        settings = self._configuration.alerting
        alerting = Alerting(
            records,
            self._rules,
            self._clock,
            self._bus,
            external_url=self.external_url,
            retention=settings.retention,
            rate_limits=settings.rate_limits,
            noise=noise_of(settings),
            maintenance=windows_of(self._calendar, settings),
        )
        self._undo.push_async_callback(alerting.close)
        await alerting.start(files.alertmanager, files.cluster)
        self._scheduler.every("alertmanagers", _ALERTMANAGERS_SECONDS, alerting.cluster.look)
        self.health.add("alertmanagers", of_members(alerting.cluster))
        job = self._scheduler.every("notifications", _NOTIFICATION_SECONDS, alerting.maintain)
        tidy = alerting.manager.collect_garbage
        self._scheduler.every("alerts retention", _ALERTS_TIDY_SECONDS, tidy)
        self.health.add("alerting", of_job(job))
        if alerting.tells_nobody():
            self.health.disable("alerting", "no receiver is configured; alerts are only shown")
        if settings.heartbeat is not None:
            heartbeat = Heartbeat(settings.heartbeat, alerting.manager.fires, self._clock)
            self._undo.push_async_callback(heartbeat.close)
            beats = self._scheduler.every("heartbeat", settings.heartbeat.interval, heartbeat.beat)
            self.health.add("heartbeat", of_job(beats))
        return alerting

    async def _scrape(self, files: NamedFiles) -> ScrapeManager:
        settings = self._configuration.components.metrics.scrape
        appender = self._backend.appender
        scraping = ScrapeManager(appender, self._clock, self._scheduler, settings)
        self._undo.push_async_callback(scraping.close)
        await scraping.apply(files.prometheus)
        self.health.add("scraping", of_scraping(scraping.targets))
        return scraping

    async def _observe_itself(self) -> None:
        for collector in register_process_metrics(REGISTRY):
            self._undo.callback(REGISTRY.unregister, collector)
        settings = self._configuration.host_metrics
        host = self._configuration.server.host
        instance = f"{host}:{self._api_socket.getsockname()[1]}"
        sources = [Source("pynomaly", instance, REGISTRY.collect)]
        if settings.enabled:
            collector = HostCollector(settings)
            sources.append(Source("node", socket.gethostname(), collector.collect))
        observation = SelfObservation(self._backend.own, sources)
        try:
            await observation(self._clock.now())  # so that the first rules find something
        except PynomalyError as error:
            log.warning("own samples are not stored: %s", error)
        job = self._scheduler.every("self observation", settings.interval, observation)
        self.health.add("host_metrics", of_job(job))

    def _schedule_upkeep(self, records: Records, audit: AuditLog) -> None:
        async def flush_audit(_: float) -> None:
            await asyncio.to_thread(audit.flush)

        async def ping_records(_: float) -> None:
            await asyncio.to_thread(records.ping)

        async def prune_audit(_: float) -> None:
            await asyncio.to_thread(audit.prune)

        self._scheduler.every("audit flush", _AUDIT_FLUSH_SECONDS, flush_audit)
        self._scheduler.every("audit retention", _DAY, prune_audit)
        job = self._scheduler.every("records check", _RECORDS_CHECK_SECONDS, ping_records)
        self.health.add("records", of_job(job))
        for name in ("slo_monitoring", "capacity_planning", "alert_correlation"):
            self.health.disable(name, "comes with a later version")

    def applications(self) -> tuple[FastAPI, FastAPI]:
        """The API and the pages, without the access control that ``start`` puts before them."""
        parts = Parts(
            configuration=self._configuration,
            clock=self._clock,
            bus=self._bus,
            health=self.health,
            backend=self._backend,
            records=self._records,
            scraping=self._scraping,
            rules=self._rules,
            backtests=self._backtests,
            lint=self._lint,
            alerting=self._alerting,
            detection=self._detection,
            watched=self._watched,
            calendar=self._calendar,
            files=lambda: self._files,
            runtime=self._runtime,
            reload=self.reload,
            began=self._began,
            data_dir=self.data_dir,
            api_url=self.api_url,
            external_url=self.external_url,
        )
        return api_of(parts), pages_of(parts)

    def _runtime(self) -> Runtime:
        retention = effective.storage_retention(self._configuration)
        return Runtime(self._began, self._read_at, self._refused_at, retention)

    async def _listen(self, audit: AuditLog) -> None:
        server = self._configuration.server
        sockets = (self._api_socket, self._web_socket)
        gate = Gate(
            self._configuration.access,
            host=server.host,
            ports=[s.getsockname()[1] for s in sockets],
            allowed_hosts=server.allowed_hosts,
            trusted_proxies=server.trusted_proxies,
        )
        for app, sock in zip(self.applications(), sockets, strict=True):
            listener = Listener(AccessMiddleware(app, gate, audit), sock)
            self._undo.push_async_callback(listener.close)
            await listener.start()


def _url(host: str, sock: socket.socket) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{sock.getsockname()[1]}"
