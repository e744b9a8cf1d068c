"""Values of metrics handed in one by one: ``AdvancedMonitoringOrchestrator``."""

import math
from dataclasses import dataclass

import numpy as np

from pynomaly.detection.streaming.episodes import DEFAULT_BUDGET, EpisodeMachine
from pynomaly.detection.streaming.rarity import MIN_POINTS
from pynomaly.detection.streaming.scorer import StreamScorer
from pynomaly.model.clock import Clock, SystemClock

_FIRST_ROWS = 16


@dataclass(frozen=True, slots=True)
class MetricVerdict:
    """What is said of one value. ``timestamp`` is in epoch seconds.

    ``score``: 0 to 1, by docs/concepts/anomaly-score.md; NaN, as ``expected``, ``lower`` and
    ``upper``, while the metric is not known well enough. ``anomaly``: whether an anomaly begins
    or becomes worse with this value; ``confidence`` is then how sure that is, else 0.
    """

    metric_name: str
    value: float
    timestamp: float
    score: float
    expected: float
    lower: float
    upper: float
    anomaly: bool
    confidence: float

    @property
    def learning(self) -> bool:
        """Whether too little was seen of the metric yet."""
        return math.isnan(self.score)


class AdvancedMonitoringOrchestrator:
    """Judges values as a program hands them in, by the code that judges every stored series.

    Keeps some 4 KB a metric, in this process. Call it from one event loop.

    Args:
        clock: Where the time comes from when none is given with a value.
        budget: Anomalies a week that a metric which is in order may have.
        min_points: With fewer values than this a metric is not judged yet.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        budget: float = DEFAULT_BUDGET,
        min_points: int = MIN_POINTS,
    ) -> None:
        self._clock = clock or SystemClock()
        self._rows: dict[str, int] = {}
        self._scorer = StreamScorer(_FIRST_ROWS, min_points)
        self._episodes = EpisodeMachine(_FIRST_ROWS, budget)

    async def process_metric_data(
        self, metric_name: str, value: float, timestamp: float | None = None
    ) -> MetricVerdict:
        """Judge one value by those before it, then learn from it.

        Args:
            metric_name: Whose value it is; a name that was not seen before begins anew.
            value: Not NaN; infinite values are taken as very large.
            timestamp: Epoch seconds; now, unless given.

        Raises:
            ValueError: the name is empty, or the value is not a number.
        """
        if not metric_name:
            raise ValueError("the metric has no name")
        if math.isnan(value):
            raise ValueError(f"the value of {metric_name} is not a number")
        at = self._clock.now() if timestamp is None else timestamp
        rows = np.array([self._row(metric_name)])
        scored = self._scorer.update(
            rows, np.array([math.floor(at)], dtype=np.int64), np.array([value], dtype=np.float64)
        )
        changes = self._episodes.step(rows, scored.rarity, self._scorer.interval(rows))
        return MetricVerdict(
            metric_name,
            value,
            at,
            score=float(scored.score[0]),
            expected=float(scored.expected[0]),
            lower=float(scored.lower[0]),
            upper=float(scored.upper[0]),
            anomaly=bool(changes.opened[0] or changes.escalated[0]),
            confidence=float(changes.confidence[0]),
        )

    def _row(self, metric_name: str) -> int:
        row = self._rows.setdefault(metric_name, len(self._rows))
        if row >= self._scorer.size:
            kept, size = np.arange(self._scorer.size), 2 * self._scorer.size
            self._scorer.resize(kept, size)
            self._episodes.resize(kept, size)
        return row
