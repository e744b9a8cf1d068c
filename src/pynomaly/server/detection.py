"""Wires the judge of every series, the anomalies that it finds, and what people say of them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from pynomaly.api.anomalies import router
from pynomaly.api.anomaly_rules import router as rules_router
from pynomaly.calendar.service import Calendar
from pynomaly.detection.budget import Telling
from pynomaly.detection.events import Anomaly
from pynomaly.detection.feedback import FeedbackKeeper, Handicaps, Teach
from pynomaly.detection.joint import Relations
from pynomaly.detection.repository import AnomalyLog, AnomalyRepository
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.rules.repository import RuleRepository
from pynomaly.detection.rules.service import AnomalyRules
from pynomaly.detection.service import Judge, Progress
from pynomaly.detection.shared_events import SharedEvents
from pynomaly.detection.told_events import ToldEvents
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.server.backends import Backend, Site
from pynomaly.server.health import of_job
from pynomaly.server.sections import Configuration
from pynomaly.storage.records import Records
from pynomaly.web.anomalies import AnomalyDeps

STATE_FILE = "detection-state.npz"

_SAVE_SECONDS = 1800.0
_RATIO_SECONDS = 60.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Detection:
    """Anomalies, what people say of them, and how many series are judged."""

    anomalies: AnomalyRepository
    feedback: FeedbackKeeper
    progress: Callable[[], Progress]
    series: Callable[[], Sequence[Labels]]
    events: SharedEvents
    heeding: list[Callable[[Handicaps], None]]
    rules: AnomalyRules
    taking: list[Callable[[Sequence[AnomalyRule]], None]]
    teaching: list[Teach]

    async def heed(
        self,
        take: Callable[[Handicaps], None],
        rules: Callable[[Sequence[AnomalyRule]], None],
        lessons: Teach,
    ) -> None:
        """What people say of anomalies counts for this judge, too, and their rules do."""
        self.heeding.append(take)
        self.taking.append(rules)
        self.teaching.append(lessons)
        await self.feedback.take_up()
        await self.rules.take_up()

    def for_api(self, clock: Clock) -> APIRouter:
        """The routes that tell of anomalies, and of the rules for them."""
        routes = APIRouter()
        routes.include_router(rules_router(self.rules))
        routes.include_router(router(self.anomalies, self.feedback, clock, self.series))
        return routes

    def for_pages(self) -> AnomalyDeps:
        """What the page of anomalies stands on."""
        return AnomalyDeps(self.anomalies, self.feedback, self.progress, self.series, self.rules)


async def detect(
    site: Site, backend: Backend, records: Records, calendar: Calendar | None = None
) -> Detection:
    """Judge every series from now on, if that is enabled, heeding what people said before.

    ``calendar``: what its events exclude is not learnt from, or not told of.
    """
    settings = site.configuration.components.anomaly_detection
    relations = Relations(settings.joint.within, by=settings.peers.by)
    anomalies = AnomalyRepository(records, relations, calendar)
    events = await asyncio.to_thread(SharedEvents, anomalies)
    keep_anomalies(anomalies, site)
    judge: Judge | None = None
    if site.configuration.components.anomaly_detection.enabled:
        judge = await judge_series(site, backend, events, calendar)
        told = ToldEvents(anomalies, backend.appender)
        site.scheduler.every("anomaly events", settings.interval, told.write)
    else:
        site.health.disable("anomaly_detection", "components.anomaly_detection.enabled")

    heeding: list[Callable[[Handicaps], None]] = [judge.take_handicaps] if judge else []

    def apply(decades: Handicaps) -> None:
        for take in heeding:
            take(decades)

    teaching: list[Teach] = [judge.take_lessons] if judge else []

    def teach(judged: Sequence[Anomaly], tellings: Sequence[Telling]) -> None:
        for take in teaching:
            take(judged, tellings)

    feedback = FeedbackKeeper(anomalies, site.clock, site.bus, backend.appender, apply, teach)
    await feedback.take_up()
    site.scheduler.every("anomaly feedback", _RATIO_SECONDS, feedback.write)
    progress = (lambda: judge.progress) if judge else Progress
    series = judge.series if judge else tuple
    taking: list[Callable[[Sequence[AnomalyRule]], None]] = [judge.take_rules] if judge else []

    def hold(made: Sequence[AnomalyRule]) -> None:
        for take in taking:
            take(made)

    rules = AnomalyRules(
        settings.rules,
        RuleRepository(records),
        site.clock,
        hold,
        judge.matched if judge else tuple,
    )
    await rules.take_up()
    return Detection(
        anomalies, feedback, progress, series, events, heeding, rules, taking, teaching
    )


async def judge_series(
    site: Site, backend: Backend, anomalies: AnomalyLog, calendar: Calendar | None = None
) -> Judge:
    """Judge every series from now on; the site's undoing saves what was learnt."""
    settings = site.configuration.components.anomaly_detection
    settings = settings.model_copy(update={"timezone": judging_zone(site.configuration)})
    judge = Judge(
        backend.judging,
        backend.appender,
        settings,
        anomalies=anomalies,
        bus=site.bus,
        state_file=site.data_dir / STATE_FILE,
        calendar=calendar,
    )
    await judge.start()
    site.undo.push_async_callback(judge.close)
    job = site.scheduler.every("detection", settings.interval, judge)
    site.scheduler.every("detection state", _SAVE_SECONDS, judge.save)
    site.health.add("anomaly_detection", of_job(job))
    return judge


def judging_zone(configuration: Configuration) -> str:
    """The zone whose hours and weekdays seasons follow: the calendar's, unless another is given."""
    settings = configuration.components.anomaly_detection
    given = "timezone" in settings.model_fields_set
    return settings.timezone if given else configuration.calendar.time_zone


def keep_anomalies(anomalies: AnomalyRepository, site: Site) -> None:
    """Drop anomalies that ended longer ago than samples are kept."""
    days = site.configuration.global_.data_retention_days

    async def prune(_: float) -> None:
        await asyncio.to_thread(anomalies.forget, site.clock.now() - days * _DAY)

    site.scheduler.every("anomalies retention", _DAY, prune)
