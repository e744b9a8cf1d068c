"""Trains the models of watched queries in worker processes."""

import asyncio
import logging
import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from pynomaly.detection.algorithms.base import Choices
from pynomaly.detection.excluded import Happenings, excluded_of_all
from pynomaly.detection.watched.config import Algorithm, TrainingSettings, WatchedQuery
from pynomaly.detection.watched.history import History, local_times, read_history
from pynomaly.detection.watched.models import ModelFiles, ModelRepository, ModelVersion
from pynomaly.detection.watched.training import (
    MIN_POINTS,
    MIN_SPAN,
    Backtest,
    Part,
    train_part,
    trainable,
)
from pynomaly.detection.watched.worker import begin
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Querier

log = logging.getLogger(__name__)

_PART = 16
"""Series that one task trains: 6 MB at a month of minutes."""

_TRAININGS = Counter(
    "pynomaly_detection_trainings",
    "Trainings of watched queries, by outcome: ok, or error.",
    ["outcome"],
    registry=REGISTRY,
)
_SECONDS = Histogram(
    "pynomaly_detection_training_seconds",
    "How long it took to train a watched query by one algorithm.",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 14_400),
    registry=REGISTRY,
)
_LEFT_OUT = Gauge(
    "pynomaly_detection_training_left_out_series",
    "Series of a watched query that its model does not know: too little history, or too many.",
    ["query"],
    registry=REGISTRY,
)


class NotEnoughHistory(PynomalyError):
    """Too little is stored of every series of the query; the message says what is missing."""

    status = 422
    kind = "execution"


class TrainingFailed(PynomalyError):
    """A worker process ended before it was done."""


@dataclass(slots=True)
class Progress:
    """How far the training of a query is. ``state``: waiting, reading, training, done or failed.

    ``done`` of ``total`` parts are trained, of all algorithms together.
    """

    query: str
    state: str = "waiting"
    done: int = 0
    total: int = 0
    error: str = ""


class Trainer:
    """Trains one query at a time, in processes of its own that end with the training."""

    def __init__(
        self,
        querier: Querier,
        models: ModelRepository,
        files: ModelFiles,
        settings: TrainingSettings,
        *,
        zone: ZoneInfo,
        calendar: Happenings | None = None,
    ) -> None:
        self._calendar = calendar
        self._querier = querier
        self._models = models
        self._files = files
        self._settings = settings
        self._zone = zone
        self._one = asyncio.Lock()
        self.progress: dict[str, Progress] = {}

    def take_settings(self, settings: TrainingSettings) -> None:
        """Trainings that begin from now on are by these."""
        self._settings = settings

    async def train(
        self, query: WatchedQuery, algorithms: Sequence[Algorithm], now: float
    ) -> list[ModelVersion]:
        """Train by each algorithm on the window that ends now; the new versions are in use.

        Raises:
            NotEnoughHistory: no series has 100 points and 24 hours.
            TrainingFailed: a worker process was killed.
            PynomalyError: the query cannot be answered, or an algorithm is not installed.
        """
        progress = self.progress[query.name] = Progress(query.name)
        try:
            async with self._one:
                trained = await self._train(query, algorithms, now, progress)
        except BaseException as error:
            progress.state, progress.error = "failed", str(error) or type(error).__name__
            _TRAININGS.labels("error").inc()
            raise
        progress.state = "done"
        _TRAININGS.labels("ok").inc()
        return trained

    async def _train(
        self,
        query: WatchedQuery,
        algorithms: Sequence[Algorithm],
        now: float,
        progress: Progress,
    ) -> list[ModelVersion]:
        progress.state = "reading"
        history = await self._read(query, now)
        progress.state = "training"
        progress.total = math.ceil(len(history.labels) / _PART) * len(algorithms)
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self._settings.workers, mp_context=context, initializer=begin)
        try:
            return [
                await self._by(query, algorithm, history, now, pool, progress)
                for algorithm in algorithms
            ]
        except BrokenProcessPool as error:
            raise TrainingFailed(
                f"A process that trained {query.name} was killed.",
                hint="Was it out of memory? Lower training.workers or training.max_series.",
            ) from error
        finally:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def _read(self, query: WatchedQuery, now: float) -> History:
        step = round(query.step)
        end = math.floor(now / step) * step
        start = end - math.floor(query.training_window / step) * step
        history = await read_history(self._querier, query.expr, start, end, step)
        excluded = excluded_of_all(self._calendar, history.labels, history.seconds)
        for row, its in enumerate(excluded):
            if its is not None:
                history.matrix[row, ~its.learn] = np.nan
        usable = trainable(history.matrix, step)
        rows = np.flatnonzero(usable)[: self._settings.max_series]
        _LEFT_OUT.labels(query.name).set(len(history.labels) - len(rows))
        if not len(rows):
            raise NotEnoughHistory(_missing(query, history))
        every = len(rows) == len(history.labels)
        matrix = history.matrix if every else history.matrix[rows]
        first = int((~np.isnan(matrix)).any(axis=0).argmax())
        labels = [history.labels[row] for row in rows.tolist()]
        return History(labels, matrix[:, first:], history.seconds[first:])

    async def _by(
        self,
        query: WatchedQuery,
        algorithm: Algorithm,
        history: History,
        now: float,
        pool: ProcessPoolExecutor,
        progress: Progress,
    ) -> ModelVersion:
        loop = asyncio.get_running_loop()
        folder = f"{query.name}-{algorithm.name}-{round(now * 1000)}"
        began = loop.time()
        contamination = query.contamination or algorithm.contamination
        choices = Choices(contamination, query.season)
        times = local_times(history.seconds, self._zone)
        target = await asyncio.to_thread(self._files.begin, folder)
        backtest = Backtest(0, 0.0)
        try:
            for first in range(0, len(history.labels), _PART * self._settings.workers):
                tasks = []
                for start in range(first, first + _PART * self._settings.workers, _PART):
                    rows = history.matrix[start : start + _PART]
                    file = target / f"part-{start:06}.npz"
                    part = Part(algorithm.name, choices, rows, times, file)
                    if len(rows):
                        tasks.append(loop.run_in_executor(pool, train_part, part))
                for one in await asyncio.gather(*tasks):
                    backtest += one
                    progress.done += 1
            await asyncio.to_thread(self._files.finish, folder, history.labels)
        except BaseException:
            await asyncio.to_thread(self._files.discard, folder)
            raise
        _SECONDS.observe(loop.time() - began)
        figure = backtest.passes_per_week
        model = ModelVersion(
            query.name,
            algorithm.name,
            0,
            True,
            folder,
            now,
            float(history.seconds[0]),
            float(history.seconds[-1]),
            len(history.labels),
            int(np.count_nonzero(~np.isnan(history.matrix))),
            None if math.isnan(figure) else figure,
            {
                "expr": query.expr,
                "step": query.step,
                "season": query.season,
                "contamination": contamination,
                "timezone": self._zone.key,
            },
        )
        return await asyncio.to_thread(self._keep, model)

    def _keep(self, model: ModelVersion) -> ModelVersion:
        added = self._models.add(model)
        same = [m for m in self._models.all() if _key(m) == _key(added)]
        for old in same[self._settings.keep_versions :]:
            self._models.drop([old])
            self._files.discard(old.folder)
        return added


def _key(model: ModelVersion) -> tuple[str, str]:
    return model.query, model.algorithm


def _missing(query: WatchedQuery, history: History) -> str:
    """What the series that has most still lacks."""
    needed = f"at least {MIN_POINTS} points over {MIN_SPAN / 3600:g} hours"
    if not len(history.labels):
        return f"{query.name} cannot be trained: {query.expr} has no series in the window; {needed}"
    present = ~np.isnan(history.matrix)
    best = int(present.sum(axis=1).argmax())
    at = history.seconds[present[best]]
    hours = (at[-1] - at[0] + query.step) / 3600 if len(at) else 0.0
    return (
        f"{query.name} cannot be trained yet: the series that is known best, "
        f"{_shown(history.labels[best])}, has {len(at)} points over {hours:.1f} hours; "
        f"{needed} are needed"
    )


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
