"""What the pages need from the rest of the product."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pynomaly.alerting.backtest.service import RoutingBacktests
from pynomaly.alerting.cluster.member import Member
from pynomaly.alerting.delivery.service import DeliveryService
from pynomaly.alerting.explain.service import Explainer
from pynomaly.alerting.manager import AlertManager
from pynomaly.alerting.noise.service import NoiseReports
from pynomaly.calendar.service import Calendar
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.promql.contract import Querier
from pynomaly.rules.backtest.service import Backtests
from pynomaly.rules.group import GroupRunner
from pynomaly.storage.bus import Bus
from pynomaly.storage.samples.contract import SampleReader
from pynomaly.web.alerts.board import AlertSource
from pynomaly.web.anomalies import AnomalyDeps
from pynomaly.web.config import WebSettings
from pynomaly.web.detection import DetectionDeps
from pynomaly.web.notes import RuleNotes, no_notes


class Status(StrEnum):
    """How a part of the product is."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the product; ``detail`` is one line for people."""

    name: str
    status: Status
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The product as a whole, and its parts."""

    status: Status
    components: Sequence[Component] = ()


class TargetHealth(StrEnum):
    """How the last scrape of a target went, in Prometheus's words."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """A scraped target. ``last_scrape`` is epoch seconds, 0 when there was none yet."""

    job: str
    instance: str
    url: str
    health: TargetHealth
    last_scrape: float = 0.0
    duration_seconds: float = 0.0
    last_error: str = ""
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers of the product itself; ``None`` is "not known" and is shown as such.

    ``samples_per_second`` over the last minute; ``query_p95_seconds`` over the last minutes;
    ``top_metrics`` are names with their number of series, greatest first.
    """

    series: int | None = None
    samples_per_second: float | None = None
    query_p95_seconds: float | None = None
    disk_bytes: int | None = None
    disk_free_bytes: int | None = None
    memory_bytes: int | None = None
    uptime_seconds: float | None = None
    top_metrics: Sequence[tuple[str, int]] = ()


class TargetSource(Protocol):
    """Where the scraped targets come from."""

    def targets(self) -> Sequence[TargetStatus]:
        """Every target that is scraped."""
        ...


class RuleSource(Protocol):
    """Where the rules come from."""

    def groups(self) -> Sequence[GroupRunner]:
        """Every group with its rules, in the order of the files."""
        ...


class NoRules:
    """Nothing is evaluated."""

    def groups(self) -> Sequence[GroupRunner]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class AlertingDeps:
    """What the pages of alerts stand on; without ``rerouting`` there are no backtests of it.

    ``alertmanagers``: those that alerts are sent to, which then route and deliver.
    """

    manager: AlertManager
    deliveries: DeliveryService
    explainer: Explainer
    reports: NoiseReports
    rerouting: RoutingBacktests | None = None
    alertmanagers: Callable[[], Sequence[Member]] = tuple


@dataclass(frozen=True, slots=True)
class WebDeps:
    """Everything that ``create_app`` is given.

    The pages listen to the bus topics ``samples`` (published after each commit), ``alerts``
    (published when an alert changed), ``silences``, ``anomalies`` and ``events``; the contents of
    the messages do not matter.
    ``alerts`` are those of rules. ``alerting`` routes them, and those of others; without it there
    are no silences, and nobody is told.
    ``runbooks`` is a folder of Markdown files named by alert; without it they have no pages.
    ``notes`` says what lint has found on a rule. ``backtests`` tries rules on stored history;
    without it a rule's page does not offer that.
    ``calendar`` has the events that are drawn on charts; without it there are none.
    ``external_url`` is where notifications say that the pages are; a page itself links to its
    own server instead, by whatever name it was reached.
    """

    querier: Querier
    reader: SampleReader
    bus: Bus
    clock: Clock
    health: Callable[[], Health]
    alerts: AlertSource
    targets: TargetSource
    stats: Callable[[], Awaitable[Stats]]
    version: str
    api_url: str
    runbooks: Path | None = None
    external_url: str = ""
    rules: RuleSource = field(default_factory=NoRules)
    notes: RuleNotes = no_notes
    backtests: Backtests | None = None
    alerting: AlertingDeps | None = None
    anomalies: AnomalyDeps | None = None
    detection: DetectionDeps | None = None
    calendar: Calendar | None = None
    settings: WebSettings = field(default_factory=WebSettings)
