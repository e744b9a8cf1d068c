"""The pages over samples in memory, served for real, and a host that behaves as told."""

import asyncio
import math
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.alerting.alertmanager.load import parse_alertmanager
from pynomaly.alerting.backtest.service import RoutingBacktests
from pynomaly.alerting.explain.service import Explainer
from pynomaly.alerting.maintenance import MaintenanceWindows
from pynomaly.calendar.service import Calendar
from pynomaly.detection.feedback import FeedbackKeeper, Handicaps
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.rules.repository import RuleRepository
from pynomaly.detection.rules.service import AnomalyRules
from pynomaly.detection.service import Progress
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.clock import Clock, SystemClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import MetricMetadata, SampleBatch
from pynomaly.promql.contract import Querier
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.backtest.service import Backtests
from pynomaly.rules.config import load_rules
from pynomaly.rules.evaluate import RuleState
from pynomaly.rules.group import GroupRunner
from pynomaly.rules.manager import RuleManager
from pynomaly.server.alerting import Alerting
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.samples.memory import MemorySamples
from pynomaly.storage.scheduler import Scheduler
from pynomaly.web.anomalies import AnomalyDeps
from pynomaly.web.app import create_app
from pynomaly.web.config import WebSettings
from pynomaly.web.deps import (
    AlertingDeps,
    Component,
    Health,
    Stats,
    Status,
    TargetHealth,
    TargetStatus,
    WebDeps,
)
from pynomaly.web.detection import DetectionDeps
from pynomaly.web.notes import RuleNote
from tests.product import unused_port

Samples = list[tuple[Labels, int, float]]


@dataclass
class World:
    """What the pages are told; tests change it."""

    samples: MemorySamples = field(default_factory=MemorySamples)
    firing: list[Alert] = field(default_factory=list)
    scraped: list[TargetStatus] = field(default_factory=list)
    health: Health = field(
        default_factory=lambda: Health(Status.OK, [Component("storage", Status.OK, "embedded")])
    )
    stats: Stats = field(default_factory=Stats)
    rules: str = ""
    """A rule file; its groups are evaluated."""
    routing: str = ""
    """An alertmanager.yml; by it alerts are routed, and without it not at all."""
    calendar: bool = False
    """Whether there is one."""
    notes: dict[str, Sequence[RuleNote]] = field(default_factory=dict)
    """What lint has found, by the name of the rule."""

    anomalies: AnomalyRepository | None = None
    progress: Progress = field(default_factory=Progress)
    judged: Sequence[Labels] = ()
    """The series of which anomalies are found."""
    detection: Callable[[Querier, Clock], DetectionDeps] | None = None
    """Makes what the pages of backtests and models stand on."""

    handicaps: Handicaps = field(default_factory=dict)
    """What feedback has led to."""
    anomaly_rules: list[AnomalyRule] = field(default_factory=list)
    """What is told of anomalies."""

    def anomaly_deps(self, clock: Clock, bus: Bus) -> AnomalyDeps | None:
        if self.anomalies is None:
            return None
        feedback = FeedbackKeeper(self.anomalies, clock, bus, self.samples, self._take)
        repository = RuleRepository(self.anomalies._records)
        rules = AnomalyRules([], repository, clock, self._take_rules)
        return AnomalyDeps(
            self.anomalies, feedback, lambda: self.progress, lambda: self.judged, rules
        )

    def _take_rules(self, rules: Sequence[AnomalyRule]) -> None:
        self.anomaly_rules = list(rules)

    def _take(self, handicaps: Handicaps) -> None:
        self.handicaps = handicaps

    def notes_of(self, runner: GroupRunner, state: RuleState) -> Sequence[RuleNote]:
        return self.notes.get(state.rule.name, ())

    def alerts(self) -> Sequence[Alert]:
        return self.firing

    def recent(self) -> Sequence[Alert]:
        return [alert for alert in self.firing if alert.state is AlertState.FIRING]

    def unsettled(self) -> Collection[str]:
        return ()

    def targets(self) -> Sequence[TargetStatus]:
        return self.scraped

    def health_now(self) -> Health:
        return self.health

    async def stats_now(self) -> Stats:
        return self.stats


class Stage:
    """The pages on a port, in a thread with a loop of its own; can be stopped and started."""

    def __init__(
        self, world: World, settings: WebSettings | None = None, *, runbooks: Path | None = None
    ) -> None:
        self.runbooks = runbooks
        self.world = world
        self.settings = settings or WebSettings(tick_seconds=0.2, idle_tick_seconds=1.0)
        self.port = unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.bus: Bus
        self._server: uvicorn.Server | None = None

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(30), "the server did not start"

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self.loop = asyncio.get_running_loop()
        clock = SystemClock()
        self.bus = Bus(clock)
        async with self._planning(clock) as calendar, self._routing(clock, calendar) as alerting:
            self.calendar = calendar
            await self._serve_pages(clock, alerting, ready)

    @asynccontextmanager
    async def _planning(self, clock: Clock) -> AsyncIterator[Calendar | None]:
        if not self.world.calendar:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            records = Records.open(RecordsSettings(), Path(folder))
            calendar = Calendar(records, clock, bus=self.bus)
            await calendar.start()
            yield calendar
            await calendar.close()
            records.close()

    @asynccontextmanager
    async def _routing(
        self, clock: Clock, calendar: Calendar | None
    ) -> AsyncIterator[AlertingDeps | None]:
        if not self.world.routing:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            records = Records.open(RecordsSettings(), Path(folder))
            self.alerting = Alerting(
                records,
                self.world,
                clock,
                self.bus,
                external_url=self.url,
                retention=86_400.0,
                rate_limits={},
                maintenance=MaintenanceWindows(calendar),
            )
            config = parse_alertmanager(self.world.routing, "alertmanager.yml", Path(folder))
            await self.alerting.start(config)
            manager = self.alerting.manager
            explainer = Explainer(manager, records, clock)
            yield AlertingDeps(
                manager,
                self.alerting.delivery,
                explainer,
                self.alerting.reports,
                self._rerouting(clock),
                self.alerting.cluster.members,
            )
            await self.alerting.close()
            self._queries.shutdown()
            records.close()

    def _rerouting(self, clock: Clock) -> RoutingBacktests:
        self._queries = ThreadPoolExecutor(1)
        querier = LocalQuerier(self.world.samples, self._queries)
        rules = Backtests(querier, default_interval=60.0)
        return RoutingBacktests(lambda: self.alerting.manager.setup.config, querier, rules, clock)

    async def _serve_pages(
        self, clock: Clock, alerting: AlertingDeps | None, ready: threading.Event
    ) -> None:
        with ThreadPoolExecutor(2) as executor:
            querier = LocalQuerier(self.world.samples, executor)
            scheduler = Scheduler(clock)
            self.manager = RuleManager(
                querier, self.world.samples, self.bus, clock, scheduler, default_interval=0.5
            )
            await self.manager.apply(load_rules(self.world.rules, "rules.yml"))
            deps = WebDeps(
                querier=querier,
                reader=self.world.samples,
                bus=self.bus,
                clock=clock,
                health=self.world.health_now,
                alerts=self.world,
                targets=self.world,
                stats=self.world.stats_now,
                version="0.0.0",
                api_url="http://127.0.0.1:8090",
                settings=self.settings,
                runbooks=self.runbooks,
                rules=self.manager,
                notes=self.world.notes_of,
                backtests=Backtests(querier, default_interval=60.0),
                alerting=alerting,
                anomalies=self.world.anomaly_deps(clock, self.bus),
                detection=self.world.detection and self.world.detection(querier, clock),
                calendar=self.calendar,
            )
            gate = Gate(AccessSettings(), ports=[self.port])
            app = AccessMiddleware(create_app(deps), gate, None)
            config = uvicorn.Config(
                app, host="127.0.0.1", port=self.port, log_level="warning", ws="websockets-sansio"
            )
            self._server = uvicorn.Server(config)
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started:
                await asyncio.sleep(0.01)
                if serving.done():
                    await serving
            ready.set()
            await serving
            await self.manager.close()
            await scheduler.close()

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(30)
            self._server = None

    def publish(self, topic: str, data: Any = None) -> None:
        self.loop.call_soon_threadsafe(self.bus.publish, topic, data)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it where the server runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def apply(self, rules: str) -> None:
        """Evaluate this rule file from now on."""
        applying = self.manager.apply(load_rules(rules, "rules.yml"))
        asyncio.run_coroutine_threadsafe(applying, self.loop).result(30)

    def append(self, rows: Samples, metadata: Sequence[MetricMetadata] = ()) -> None:
        storing = self.world.samples.append(SampleBatch.of(rows, metadata))
        # In a thread, for Playwright keeps a loop running in this one.
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(asyncio.run, storing).result()
        if self._server is not None:
            self.publish("samples", {"samples": len(rows)})


def metric(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def line(
    labels: Labels, value: Callable[[float], float], *, seconds: int = 3600, step: int = 15
) -> Samples:
    """Samples of one series up to now; ``value`` is given epoch seconds."""
    now = time.time()
    times = [now - age for age in range(seconds, -1, -step)]
    return [(labels, round(t * 1000), value(t)) for t in times]


def host(instance: str = "localhost", *, seconds: int = 3600, step: int = 15) -> Samples:
    """A calm host under node_exporter's names."""
    at = time.time() - seconds

    def wave(period: float, low: float, high: float) -> Callable[[float], float]:
        return lambda t: (
            low + (high - low) * (0.5 + 0.4 * math.sin(t / period) + 0.1 * math.sin(t * 1.7))
        )

    def counter(per_second: float, period: float) -> Callable[[float], float]:
        return lambda t: per_second * ((t - at) + period * (1 - math.cos((t - at) / period)) * 0.6)

    gib = 2.0**30
    series: list[tuple[Labels, Callable[[float], float]]] = [
        (metric("node_memory_MemTotal_bytes"), lambda t: 16 * gib),
        (metric("node_memory_MemAvailable_bytes"), wave(900, 7 * gib, 10 * gib)),
        (metric("node_load1"), wave(300, 0.3, 2.1)),
    ]
    for cpu in "01":
        series.append((metric("node_cpu_seconds_total", cpu=cpu, mode="idle"), counter(0.6, 400)))
        series.append((metric("node_cpu_seconds_total", cpu=cpu, mode="user"), counter(0.2, 300)))
    for device, rate in (("eth0", 4e5), ("lo", 1e5)):
        for way, share in (("receive", 1.0), ("transmit", 0.4)):
            name = f"node_network_{way}_bytes_total"
            series.append((metric(name, device=device), counter(rate * share, 500 * share)))
    for way in ("read", "written"):
        name = f"node_disk_{way}_bytes_total"
        series.append((metric(name, device="sda"), counter(2e6, 700)))
    for mount, used in (("/", 0.62), ("/data", 0.81)):
        labels = {"mountpoint": mount, "fstype": "ext4", "device": "sda1"}
        series.append((metric("node_filesystem_size_bytes", **labels), lambda t: 200 * gib))
        free = (1 - used) * 200 * gib
        series.append((metric("node_filesystem_avail_bytes", **labels), lambda t, f=free: f))  # type: ignore[misc]
    samples: Samples = []
    for labels, value in series:
        named = labels.with_(instance=instance, job="node")
        samples += line(named, value, seconds=seconds, step=step)
    return samples


METADATA = [
    MetricMetadata("node_load1", "gauge", "1 minute load average."),
    MetricMetadata("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode."),
]


def alert(name: str, *, firing: bool = True, since: float = 240.0, **labels: str) -> Alert:
    now = time.time()
    expr = "up%20%3D%3D%200"
    return Alert(
        labels=Labels({"alertname": name, "severity": "critical", **labels}),
        annotations=Labels(
            {
                "summary": f"{name} on {labels.get('instance', 'a host')}",
                "runbook_url": "https://example.com/runbooks/it",
            }
        ),
        state=AlertState.FIRING if firing else AlertState.PENDING,
        value=0.0,
        active_at=now - since,
        fired_at=now - since + 60 if firing else 0.0,
        generator_url=f"http://127.0.0.1:8080/explore?q={expr}",
    )


def target(instance: str, *, error: str = "", job: str = "node") -> TargetStatus:
    return TargetStatus(
        job=job,
        instance=instance,
        url=f"http://{instance}/metrics",
        health=TargetHealth.DOWN if error else TargetHealth.UP,
        last_scrape=time.time() - 3,
        duration_seconds=0.0123,
        last_error=error,
        labels=Labels({"instance": instance, "job": job}),
    )
