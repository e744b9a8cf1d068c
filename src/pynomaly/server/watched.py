"""Wires the watched queries: their models, their scores, their anomalies, and their training."""

from functools import partial

from fastapi import APIRouter

from pynomaly.api import anomaly_backtest, detection_models
from pynomaly.calendar.service import Calendar
from pynomaly.detection.backtest.service import DetectionBacktests
from pynomaly.detection.watched.config import WatchedQuery
from pynomaly.detection.watched.models import ModelFiles, ModelRepository
from pynomaly.detection.watched.service import WatchedQueries
from pynomaly.model.clock import Clock
from pynomaly.server.backends import Backend, Site
from pynomaly.server.detection import Detection, judging_zone
from pynomaly.server.sections import AnomalyDetectionComponent, Configuration
from pynomaly.storage.records import Records
from pynomaly.web.detection import DetectionDeps

MODELS_FOLDER = "detection-models"

_UPKEEP_SECONDS = 3600.0
_UPKEEP = "watched queries upkeep"


class Watching:
    """The watched queries of the configuration, each with its job."""

    def __init__(self, queries: WatchedQueries, backtests: DetectionBacktests, site: Site) -> None:
        self.queries = queries
        self._backtests = backtests
        self._site = site
        self._jobs: dict[str, WatchedQuery] = {}

    async def begin(self) -> None:
        """Judge from now on; train what has no model."""
        self._schedule()
        self._site.scheduler.every(_UPKEEP, _UPKEEP_SECONDS, self.queries.upkeep)
        await self.queries.upkeep(self._site.clock.now())

    def for_api(self, clock: Clock) -> list[APIRouter]:
        """The routes of models and of backtests."""
        return [
            detection_models.router(self.queries),
            anomaly_backtest.router(self._backtests, clock),
        ]

    def for_pages(self) -> DetectionDeps:
        """What their pages stand on."""
        return DetectionDeps(self.queries, self._backtests)

    async def apply(self, configuration: Configuration) -> None:
        """Watch what the configuration names now; unchanged queries go on as they are."""
        settings = configuration.components.anomaly_detection
        wanted = {each.name: each for each in _queries(settings)}
        for name, query in list(self._jobs.items()):
            if wanted.get(name) != query:
                await self._site.scheduler.cancel(_job(name))
                del self._jobs[name]
        await self.queries.apply(list(wanted.values()), settings.algorithms, settings.training)
        self._schedule()
        await self.queries.upkeep(self._site.clock.now())

    def _schedule(self) -> None:
        for query in self.queries.queries:
            if query.name not in self._jobs:
                work = partial(self.queries.score, query.name)
                self._site.scheduler.every(
                    _job(query.name), query.step, work, group="watched queries"
                )
                self._jobs[query.name] = query


async def watch_queries(
    site: Site,
    backend: Backend,
    records: Records,
    detection: Detection,
    calendar: Calendar | None = None,
) -> Watching:
    """Judge the watched queries from now on, and train them when they need it."""
    settings = site.configuration.components.anomaly_detection
    queries = WatchedQueries(
        _queries(settings),
        settings.algorithms,
        settings.training,
        backend.judging,
        backend.appender,
        ModelRepository(records),
        ModelFiles(site.data_dir / MODELS_FOLDER),
        site.clock,
        timezone=judging_zone(site.configuration),
        budget=settings.budget,
        service_budget=settings.service_budget,
        events=detection.events,
        bus=site.bus,
        calendar=calendar,
    )
    await queries.start()
    site.undo.push_async_callback(queries.close)
    await detection.heed(queries.take_handicaps, queries.take_rules, queries.take_lessons)
    watching = Watching(queries, DetectionBacktests(backend.judging, calendar), site)
    await watching.begin()
    return watching


def _queries(settings: AnomalyDetectionComponent) -> tuple[WatchedQuery, ...]:
    enabled = settings.queries if settings.enabled else ()
    return tuple(each for each in enabled if each.enabled)


def _job(name: str) -> str:
    return f"watched {name}"
