"""Judges the series of watched queries by their trained models, and keeps those up to date."""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
from prometheus_client import Counter, Gauge

from pynomaly.detection.budget import Telling
from pynomaly.detection.events import Anomaly
from pynomaly.detection.excluded import Happenings
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.service import TOPIC
from pynomaly.detection.shared_events import SharedEvents
from pynomaly.detection.streaming.episodes import DEFAULT_BUDGET
from pynomaly.detection.watched.config import Algorithm, TrainingSettings, WatchedQuery
from pynomaly.detection.watched.episodes import QueryEpisodes, Said
from pynomaly.detection.watched.heeded import Heeded
from pynomaly.detection.watched.history import local_times, read_history
from pynomaly.detection.watched.loaded import Loaded, Sample
from pynomaly.detection.watched.models import ModelFiles, ModelRepository, ModelVersion
from pynomaly.detection.watched.trainer import NotEnoughHistory, Progress, Trainer
from pynomaly.model.clock import Clock
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Querier
from pynomaly.storage.bus import Bus
from pynomaly.storage.samples.contract import Appender

log = logging.getLogger(__name__)

_POINTS = Counter(
    "pynomaly_detection_watched_points",
    "Points of watched queries that a trained model judged.",
    registry=REGISTRY,
)
_AGE = Gauge(
    "pynomaly_detection_model_trained_timestamp_seconds",
    "When the model of a watched query that is in use was trained.",
    ["query", "algorithm"],
    registry=REGISTRY,
)


class NoSuchQuery(PynomalyError):
    """No watched query has this name."""

    status = 404
    kind = "not_found"


@dataclass(slots=True)
class _Watched:
    query: WatchedQuery
    algorithms: list[Algorithm]
    episodes: QueryEpisodes
    loaded: dict[str, Loaded] = field(default_factory=dict)
    tried_at: float = -math.inf


class WatchedQueries:
    """Work for the scheduler: ``score(name, due)`` each step of a query, ``upkeep(due)`` hourly."""

    def __init__(
        self,
        queries: Sequence[WatchedQuery],
        algorithms: Sequence[Algorithm],
        settings: TrainingSettings,
        querier: Querier,
        appender: Appender,
        models: ModelRepository,
        files: ModelFiles,
        clock: Clock,
        *,
        timezone: str = "UTC",
        budget: float = DEFAULT_BUDGET,
        service_budget: float = 1.0,
        events: SharedEvents | None = None,
        bus: Bus | None = None,
        calendar: Happenings | None = None,
    ) -> None:
        self._calendar = calendar
        self._rules: Sequence[AnomalyRule] = ()
        self._budget = budget
        self._heeded = Heeded(budget, service_budget)
        self._events = events
        self._bus = bus
        self._handicaps: Mapping[Labels, float] = {}
        self._settings = settings
        self._querier = querier
        self._appender = appender
        self._models = models
        self._files = files
        self._clock = clock
        self._zone = ZoneInfo(timezone)
        self._trainer = Trainer(
            querier, models, files, settings, zone=self._zone, calendar=calendar
        )
        self._trainings: dict[str, asyncio.Task[list[ModelVersion]]] = {}
        self._watched = {
            query.name: self._new(query, algorithms) for query in queries if query.enabled
        }

    @property
    def queries(self) -> list[WatchedQuery]:
        """Those that are watched."""
        return [each.query for each in self._watched.values()]

    async def start(self) -> None:
        """Load the versions in use; one that cannot be read is trained anew."""
        for version in await asyncio.to_thread(self._models.active):
            await self._load(version)
        if self._events is not None:
            await self._tell(self._taken_up(await asyncio.to_thread(self._events.open_trained)))

    async def apply(
        self,
        queries: Sequence[WatchedQuery],
        algorithms: Sequence[Algorithm],
        settings: TrainingSettings,
    ) -> None:
        """Watch these from now on. What is unchanged goes on; models of what is gone stay stored.

        Call ``score`` of a query that goes or changes no more before this.
        """
        wanted = {query.name: self._new(query, algorithms) for query in queries if query.enabled}
        old = self._watched
        for name, new in wanted.items():
            before = old.get(name)
            if before and (before.query, before.algorithms) == (new.query, new.algorithms):
                wanted[name] = before
        changed = [name for name, each in old.items() if wanted.get(name) is not each]
        await self._stop_training(changed)
        self._settings = settings
        self._trainer.take_settings(settings)
        self._watched = wanted
        now = self._clock.now()
        await self._tell([over for name in changed for over in old[name].episodes.close(now)])
        for version in await asyncio.to_thread(self._models.active):
            each = wanted.get(version.query)
            if each is not None and each is not old.get(version.query):
                await self._load(version)

    def take_handicaps(self, decades: Mapping[Labels, float]) -> None:
        """From now on an anomaly of these series must be rarer, by so many decades, to begin."""
        self._handicaps = decades

    def take_rules(self, rules: Sequence[AnomalyRule]) -> None:
        """From now on these rules hold, and no others."""
        self._rules = rules
        for watched in self._watched.values():
            watched.episodes.rules.take(rules)

    def take_lessons(self, judged: Sequence[Anomaly], tellings: Sequence[Telling]) -> None:
        """From now on this is what was said of anomalies, and what was told."""
        self._heeded.take(judged, tellings)

    async def close(self) -> None:
        """Stop what is being trained."""
        await self._stop_training(list(self._trainings))

    async def _stop_training(self, names: Sequence[str]) -> None:
        tasks = [self._trainings.pop(name) for name in names if name in self._trainings]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in names:
            self._trainer.progress.pop(name, None)

    def train_soon(self, name: str) -> Progress:
        """Begin to train a query, unless that is under way; how far it is.

        Raises:
            NoSuchQuery: there is none of this name.
        """
        watched = self._named(name)
        running = self._trainings.get(name)
        if running is None or running.done():
            watched.tried_at = self._clock.now()
            self._trainer.progress[name] = Progress(name)
            self._trainings[name] = asyncio.create_task(self._train(watched), name=f"train {name}")
        return self._trainer.progress[name]

    def progress(self) -> list[Progress]:
        """How far the trainings of this process are, or how they ended."""
        return list(self._trainer.progress.values())

    async def models(self) -> list[ModelVersion]:
        """Every version that is kept."""
        return await asyncio.to_thread(self._models.all)

    def drift(self, model: ModelVersion) -> float:
        """The drift of a version in use; NaN of others, and while too little was seen."""
        watched = self._watched.get(model.query)
        loaded = watched.loaded.get(model.algorithm) if watched else None
        return loaded.drift if loaded and loaded.version.version == model.version else math.nan

    async def roll_back(self, query: str, algorithm: str, version: int = 0) -> ModelVersion:
        """Use an older version; 0 is the one before that in use.

        Raises:
            NoSuchModel: there is none.
        """
        used = await asyncio.to_thread(self._models.activate, query, algorithm, version)
        await self._load(used)
        return used

    async def score(self, name: str, due: float) -> None:
        """Judge the newest point of each series of a query, write its scores, tell anomalies.

        Raises:
            PynomalyError: the query cannot be answered, or the scores are not stored.
        """
        watched = self._named(name)
        loaded = [each for each in watched.loaded.values() if each.parts]
        if not loaded:
            return
        step = round(watched.query.step)
        end = math.floor(due / step) * step
        start = end - max(each.context for each in loaded) * step
        history = await read_history(self._querier, watched.query.expr, start, end, step)
        times = local_times(history.seconds, self._zone)
        await watched.episodes.rules.read_traffic(self._querier, end * 1000)
        said: list[Said] = []
        samples: list[Sample] = []
        for each in loaded:
            one = await asyncio.to_thread(each.judge, history.of(each.labels), times)
            said.append(one)
            samples += each.samples(one, end * 1000)
            _POINTS.inc(int(np.count_nonzero(np.isfinite(one.scores))))
        changed = await asyncio.to_thread(watched.episodes.judge, said, float(end), self._handicaps)
        if samples:
            await self._appender.append(SampleBatch.of(samples))
        await self._tell(changed)

    async def _tell(self, changed: Sequence[Anomaly]) -> None:
        if not changed or self._events is None:
            return
        events = await asyncio.to_thread(self._events.save, changed)
        if self._bus is not None:
            self._bus.publish(TOPIC, {"anomalies": [each.id for each in events]})

    def _taken_up(self, lasting: Sequence[Anomaly]) -> list[Anomaly]:
        """Hand what lasted to the queries that found it; what nobody watches is over."""
        over = []
        for name in {each.watched for each in lasting}:
            its = [each for each in lasting if each.watched == name]
            watched = self._watched.get(name)
            if watched is None:
                over += [each.closed(each.peaked_at) for each in its]
                continue
            known = {each: None for one in watched.loaded.values() for each in one.labels}
            over += watched.episodes.take_up(its, list(known))
        return over

    def _new(self, query: WatchedQuery, usual: Sequence[Algorithm]) -> _Watched:
        episodes = QueryEpisodes(query, self._budget, self._heeded, self._calendar)
        episodes.rules.take(self._rules)
        return _Watched(query, _algorithms(query, usual), episodes)

    async def upkeep(self, due: float) -> None:
        """Train what has no model, an old one, or one that has drifted."""
        for name, watched in self._watched.items():
            reason = self._reason_to_train(watched, due)
            if reason:
                log.info("training %s: %s", name, reason)
                self.train_soon(name)

    def _reason_to_train(self, watched: _Watched, now: float) -> str:
        """Why a query should be trained now; empty if there is no reason."""
        if now - watched.tried_at < 3000:  # not every time that something is missing
            return ""
        for algorithm in watched.algorithms:
            loaded = watched.loaded.get(algorithm.name)
            if loaded is None:
                return f"it has no model by {algorithm.name}"
            if loaded.version.parameters["expr"] != watched.query.expr:
                return "its expression has changed"
            if now - loaded.version.trained_at >= self._settings.retrain_every:
                return f"its model by {algorithm.name} is old"
            if loaded.drift > self._settings.retrain_drift:
                return f"the drift of its model by {algorithm.name} is {loaded.drift:.2f}"
        return ""

    async def _train(self, watched: _Watched) -> list[ModelVersion]:
        try:
            now = self._clock.now()
            trained = await self._trainer.train(watched.query, watched.algorithms, now)
        except NotEnoughHistory as error:
            log.info("%s", error)
            return []
        except PynomalyError as error:
            log.error("training of %s failed: %s", watched.query.name, error)
            return []
        except Exception:  # the outermost guard of the task; ``progress`` tells it as well
            log.exception("training of %s failed", watched.query.name)
            return []
        for version in trained:
            await self._load(version)
        return trained

    async def _load(self, version: ModelVersion) -> None:
        watched = self._watched.get(version.query)
        if watched is None or version.algorithm not in {a.name for a in watched.algorithms}:
            return
        try:
            labels, parts = await asyncio.to_thread(self._files.load, version.folder)
        except (OSError, KeyError, ValueError) as error:
            log.warning("version %d of %s is left out: %s", version.version, version.query, error)
            return
        watched.loaded[version.algorithm] = Loaded(version, labels, parts)
        _AGE.labels(version.query, version.algorithm).set(version.trained_at)

    def _named(self, name: str) -> _Watched:
        if name not in self._watched:
            there = ", ".join(self._watched) or "none"
            raise NoSuchQuery(f"there is no watched query {name!r}; there are: {there}")
        return self._watched[name]


def _algorithms(query: WatchedQuery, usual: Sequence[Algorithm]) -> list[Algorithm]:
    if not query.algorithms:
        return [each for each in usual if each.enabled]
    known = {each.name: each for each in usual}
    return [known.get(name, Algorithm(name=name)) for name in query.algorithms]
