"""What the two ports serve: the API that machines speak, and the pages that people see."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastapi import FastAPI

from pynomaly import __version__
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.backtest.service import RoutingBacktests
from pynomaly.alerting.explain.service import Explainer
from pynomaly.api import alert_noise as alert_noise_api
from pynomaly.api import alertmanager as alertmanager_api
from pynomaly.api import alerts as alerts_api
from pynomaly.api import app as api_app
from pynomaly.api import control, health, ingest, prometheus
from pynomaly.api import events as events_api
from pynomaly.api import notifications as notifications_api
from pynomaly.api import queries as queries_api
from pynomaly.api import routing as routing_api
from pynomaly.api import rules as rules_api
from pynomaly.api import rules_backtest as rules_backtest_api
from pynomaly.api import rules_lint as rules_lint_api
from pynomaly.api import storage as storage_api
from pynomaly.api.prometheus import admin as admin_api
from pynomaly.api.prometheus import exemplars as exemplars_api
from pynomaly.api.prometheus.status import Runtime
from pynomaly.calendar.service import Calendar
from pynomaly.ingest.push import PushDeps
from pynomaly.ingest.scrape.manager import ScrapeManager
from pynomaly.model.clock import Clock
from pynomaly.rules.backtest.service import Backtests
from pynomaly.rules.lint.service import RulesLint
from pynomaly.rules.manager import RuleManager
from pynomaly.server import prometheus_api
from pynomaly.server.administration import NothingHere, StoreAdministration
from pynomaly.server.alerting import Alerting
from pynomaly.server.backends import Backend
from pynomaly.server.detection import Detection
from pynomaly.server.files import NamedFiles
from pynomaly.server.health import HealthBoard
from pynomaly.server.sections import Configuration
from pynomaly.server.views import LintNotes, ProductStats, TargetView, health_view
from pynomaly.server.watched import Watching
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records
from pynomaly.web.app import create_app as create_web_app
from pynomaly.web.deps import AlertingDeps, WebDeps

_API_VERSION = "3.0.0"  # clients read it to know which of Prometheus's APIs is spoken


@dataclass(frozen=True)
class Parts:
    """The running product, as far as it is served. Times are epoch seconds.

    ``files`` and ``runtime`` are asked anew each time, since a reload changes them.
    """

    configuration: Configuration
    clock: Clock
    bus: Bus
    health: HealthBoard
    backend: Backend
    records: Records
    scraping: ScrapeManager
    rules: RuleManager
    backtests: Backtests
    lint: RulesLint
    alerting: Alerting
    detection: Detection
    watched: Watching
    calendar: Calendar
    files: Callable[[], NamedFiles]
    runtime: Callable[[], Runtime]
    reload: Callable[[], Awaitable[None]]
    began: float
    data_dir: Path
    api_url: str
    external_url: str

    @cached_property
    def explainer(self) -> Explainer:
        """Says who is told of an alert, and why."""
        return Explainer(self.alerting.manager, self.records, self.clock)

    @cached_property
    def routing(self) -> routing_api.RoutingDeps:
        """The routes in force, and what they would have told."""
        manager, clock = self.alerting.manager, self.clock

        def config() -> AlertmanagerConfig:
            return manager.setup.config

        backtests = RoutingBacktests(
            config, self.backend.judging, self.backtests, clock, manager.maintenance
        )
        return routing_api.RoutingDeps(config, backtests, clock)


def api_of(parts: Parts) -> FastAPI:
    """The API."""
    queries = prometheus.PrometheusDeps(
        querier=parts.backend.querier,
        reader=parts.backend.reader,
        clock=parts.clock,
        targets=parts.scraping,
        build=prometheus.BuildInfo(_API_VERSION, f"pynomaly-{__version__}"),
        executor=parts.backend.executor,
        ready=parts.health.ready,
    )
    seen = parts.backend.queries
    administration = _administration(parts)
    enabled = parts.configuration.server.enable_admin_api
    push = PushDeps(parts.backend.appender, parts.clock, parts.configuration.ingest)
    return api_app.create_app(
        [
            # First, since it is asked for most, and routes are tried in turn.
            ingest.router(push),
            prometheus.router(queries),
            prometheus.probes(parts.health.ready),
            exemplars_api.router(_exemplars(parts)),
            *prometheus_api.routers(_told(parts)),
            rules_api.router(parts.rules),
            rules_backtest_api.router(parts.backtests, parts.clock),
            rules_lint_api.router(parts.lint),
            alertmanager_api.router(
                alertmanager_api.AlertmanagerDeps(parts.alerting.manager, parts.clock, parts.began)
            ),
            notifications_api.router(parts.alerting.delivery),
            routing_api.router(parts.routing),
            alerts_api.router(
                parts.rules,
                parts.alerting.manager,
                parts.explainer,
                parts.clock,
            ),
            alert_noise_api.router(parts.alerting, parts.clock),
            parts.detection.for_api(parts.clock),
            events_api.router(parts.calendar, parts.clock),
            *parts.watched.for_api(parts.clock),
            health.router(parts.health),
            control.router(parts.reload),
            admin_api.router(administration, parts.health.ready, enabled=enabled),
            storage_api.router(parts.backend.verify, administration.count),
            *([queries_api.router(seen)] if seen else []),
        ]
    )


def pages_of(parts: Parts) -> FastAPI:
    """The pages."""
    return create_web_app(
        WebDeps(
            querier=parts.backend.querier,
            reader=parts.backend.reader,
            bus=parts.bus,
            clock=parts.clock,
            health=lambda: health_view(parts.health),
            alerts=parts.rules,
            rules=parts.rules,
            backtests=parts.backtests,
            notes=LintNotes(parts.lint),
            targets=TargetView(parts.scraping),
            stats=_stats(parts),
            version=__version__,
            api_url=parts.api_url,
            runbooks=_runbooks(),
            external_url=parts.external_url,
            settings=parts.configuration.web,
            alerting=AlertingDeps(
                parts.alerting.manager,
                parts.alerting.delivery,
                parts.explainer,
                parts.alerting.reports,
                parts.routing.backtests,
                parts.alerting.cluster.members,
            ),
            anomalies=parts.detection.for_pages(),
            detection=parts.watched.for_pages(),
            calendar=parts.calendar,
        )
    )


def _exemplars(parts: Parts) -> exemplars_api.ExemplarDeps:
    backend = parts.backend
    return exemplars_api.ExemplarDeps(backend.exemplars, backend.executor, parts.health.ready)


def _told(parts: Parts) -> prometheus_api.Told:
    return prometheus_api.Told(
        configuration=parts.configuration,
        backend=parts.backend,
        clock=parts.clock,
        ready=parts.health.ready,
        scraping=parts.scraping,
        files=parts.files,
        runtime=parts.runtime,
        alertmanagers=parts.alerting.cluster.addresses,
        api_url=parts.api_url,
        external_url=parts.external_url,
    )


def _administration(parts: Parts) -> StoreAdministration | NothingHere:
    if parts.backend.store is None:
        return NothingHere(str(parts.configuration.prometheus.url))
    return StoreAdministration(parts.backend.store, parts.records)


def _stats(parts: Parts) -> ProductStats:
    backend = parts.backend
    return ProductStats(backend.own_querier, backend.stored, parts.clock, parts.data_dir)


def _runbooks() -> Path | None:
    """The runbooks: beside the package in a checkout, inside it where it was installed."""
    package = Path(__file__).parents[1]
    places = (package / "runbooks", package.parents[1] / "docs" / "runbooks")
    return next((place for place in places if place.is_dir()), None)
