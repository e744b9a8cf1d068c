"""The judge of every series: reads what is new, scores it, and writes ``anomaly_score``."""

import asyncio
import logging

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Gauge, Histogram

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.contract import Detector
from pynomaly.detection.history import History, between
from pynomaly.detection.zscore import RobustZScore
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels, series_id
from pynomaly.model.samples import STALE, SampleBatch, SeriesSamples
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Querier, QueryError
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.samples.contract import Appender

log = logging.getLogger(__name__)

SCORE = "anomaly_score"

# Verdicts are not judged again; buckets, sums and facts have no usual value of their own; and how
# long one's own measuring took is not what is watched.
_NOT_JUDGED = (
    r"anomaly_.*|ALERTS.*|slo:.*|capacity_.*|scrape_.*|node_scrape_.*"
    r"|.*_bucket|.*_sum|.*_created|.*_info"
)

_PIECE = 10
"""Intervals of history that are read at once."""

_JUDGED = Counter(
    "pynomaly_detection_points", "Points of series that were judged.", registry=REGISTRY
)
_SERIES = Gauge(
    "pynomaly_detection_series",
    "Series that are judged, or will be when they have enough points.",
    registry=REGISTRY,
)
_LEFT_OUT = Gauge(
    "pynomaly_detection_left_out_series",
    "Series that are not judged since there are more than the setting max_series.",
    registry=REGISTRY,
)
_SECONDS = Histogram(
    "pynomaly_detection_run_seconds",
    "How long it took to read and judge what was new.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)


class Judge:
    """Periodic work for the scheduler: run ``judge(due)`` every ``settings.interval`` seconds.

    Keeps the last points of each series in memory (8 bytes a point) and reads only what came
    since its last run; the first run reads the whole window.
    """

    def __init__(
        self,
        querier: Querier,
        appender: Appender,
        settings: DetectionSettings | None = None,
        detector: Detector | None = None,
    ) -> None:
        self._settings = settings or DetectionSettings()
        self._querier = querier
        self._appender = appender
        self._detector = detector or RobustZScore(self._settings.min_points)
        self._history = History(self._settings.window, self._settings.max_series)
        self._step = round(self._settings.interval * 1000)
        self._ids: dict[Labels, int] = {}
        self._verdicts: dict[int, Labels] = {}
        self._written: set[int] = set()
        self._seen_to = 0
        names = _NOT_JUDGED + (f"|{self._settings.exclude}" if self._settings.exclude else "")
        escaped = names.replace("\\", "\\\\").replace('"', '\\"')
        self._selector = f'{{__name__=~".+",__name__!~"{escaped}"}}'

    async def __call__(self, due: float) -> None:
        """Judge what came until ``due`` (epoch seconds) and write the scores with that time.

        Raises:
            QueryError, QueryTimeout, PeerAway: the samples cannot be read; the next run reads them.
            EngineBusy, DiskFull, PeerAway: the scores were not stored.
        """
        with _SECONDS.time():
            batch = await self._run(round(due * 1000))
        if len(batch):
            await self._appender.append(batch)

    async def _run(self, due_ms: int) -> SampleBatch:
        await self._catch_up(due_ms - self._step)
        samples = await self._read(max(self._seen_to, due_ms - self._step), due_ms)
        return await asyncio.to_thread(self._judge, samples, due_ms)

    async def _catch_up(self, until_ms: int) -> None:
        """Learn from what was stored before, piece by piece, so that memory stays bounded."""
        start = max(self._seen_to, until_ms - self._settings.window * self._step)
        for since in range(start, until_ms, _PIECE * self._step):
            until = min(since + _PIECE * self._step, until_ms)
            try:
                samples = await self._read(since, until)
            except PeerAway:
                raise  # the next run reads it
            except PynomalyError as error:
                log.warning("history is left out of what is usual: %s", error)
                return
            await asyncio.to_thread(self._learn, samples, since, until)

    async def _read(self, since_ms: int, until_ms: int) -> SeriesSamples:
        """The samples later than ``since_ms``, up to ``until_ms``."""
        found = await self._querier.instant(f"{self._selector}[{until_ms - since_ms}ms]", until_ms)
        if not isinstance(found.value, SeriesSamples):
            raise QueryError("a range selector did not give samples")
        self._seen_to = until_ms
        return found.value

    def _learn(self, samples: SeriesSamples, since_ms: int, until_ms: int) -> None:
        for start in range(since_ms, until_ms, self._step):
            part = between(samples, start, min(start + self._step, until_ms))
            self._history.push(*self._history.points(part))

    def _judge(self, samples: SeriesSamples, due_ms: int) -> SampleBatch:
        rows, values = self._history.points(samples)
        self._detector.fit(self._history.matrix(rows))
        scores = self._detector.score(values[:, np.newaxis])[:, 0]
        # Only now: a value is judged by what came before it.
        self._history.push(rows, values)
        _JUDGED.inc(int(np.count_nonzero(~np.isnan(scores))))
        _SERIES.set(len(self._history))
        _LEFT_OUT.set(self._history.left_out)
        batch = self._batch(rows, scores, due_ms)
        if self._history.forget(due_ms - self._step * self._settings.window):
            kept = self._history.labels
            self._ids = {each: self._ids[each] for each in kept if each in self._ids}
            numbers = set(self._ids.values())
            self._verdicts = {n: v for n, v in self._verdicts.items() if n in numbers}
        return batch

    def _batch(
        self, rows: NDArray[np.int64], scores: NDArray[np.float64], due_ms: int
    ) -> SampleBatch:
        numbers = [self._verdict(self._history.labels[row]) for row in rows.tolist()]
        said = scores >= self._settings.floor  # false for NaN
        written = [n for n, yes in zip(numbers, said.tolist(), strict=True) if yes]
        # A score that fell below the floor ends; one whose series had nothing new stays as it is.
        ended = list(self._written.intersection(numbers).difference(written))
        self._written = self._written.difference(ended).union(written)
        return SampleBatch(
            ids=np.array([*written, *ended], dtype=np.uint64),
            ts=np.full(len(written) + len(ended), due_ms, dtype=np.int64),
            values=np.concatenate([scores[said], np.full(len(ended), STALE)]),
            labels=dict(self._verdicts),
        )

    def _verdict(self, labels: Labels) -> int:
        """The id of the series that holds the scores of this one."""
        number = self._ids.get(labels)
        if number is None:
            verdict = verdict_labels(labels)
            number = self._ids[labels] = series_id(verdict)
            self._verdicts[number] = verdict
        return number


def verdict_labels(labels: Labels) -> Labels:
    """``anomaly_score`` with the labels of the series that is judged, and its name as ``of``."""
    given = {"exported_of" if name == "of" else name: value for name, value in labels.items()}
    return Labels({**given, METRIC_NAME: SCORE, "of": labels.name})
