"""Samples of a fleet, step by step, through the parts that look for what does not come."""

from collections.abc import Mapping

import numpy as np

from pynomaly.detection.events import Anomaly
from pynomaly.detection.gaps.service import GapJudge, Tick
from pynomaly.detection.points import Points
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SeriesSamples

START = 1_700_438_400  # a Monday, midnight
STEP = 30


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


class Fleet:
    """The judge of gaps over whatever samples it is given, 30 s at once."""

    def __init__(self) -> None:
        self.gaps = GapJudge()
        self.points = Points(100_000, self.gaps.resize)
        self.now = START
        self.found: dict[str, Anomaly] = {}
        self.false_alarms: dict[Labels, float] = {}
        self.muted: set[Labels] = set()
        self.values: dict[Labels, Anomaly] = {}
        """Anomalies of values that last."""

    def step(self, values: Mapping[Labels, float], *, live: bool = True) -> list[Anomaly]:
        """One sample of each of these series, 10 s before the end of the step."""
        since, self.now = self.now, self.now + STEP
        labels = list(values)
        samples = SeriesSamples(
            labels,
            np.arange(len(labels) + 1),
            np.full(len(labels), (self.now - 10) * 1000, dtype=np.int64),
            np.array([values[each] for each in labels], dtype=np.float64),
        )
        rows, ms, points = self.points.next_points(samples)
        self.gaps.follow(
            self.points.arrived, since * 1000, self.now * 1000, self.points.labels, live=live
        )
        self.gaps.rates(rows, ms // 1000, points, self.points.last.counter, self._waits()[rows])
        if not live:
            return []
        changed = self.gaps.judge(self._tick())
        for each in changed:
            self.found[each.id] = each
        return changed

    def _waits(self) -> np.ndarray:
        return np.array([self.false_alarms.get(each, 0.0) for each in self.points.labels])

    def _tick(self) -> Tick:
        rows = self.points.labels
        return Tick(
            rows,
            self.points.last,
            self.now * 1000,
            self._waits(),
            np.array([each in self.muted for each in rows], dtype=np.bool_),
            lambda row: self.values.pop(rows[row], None),
            lambda row: rows[row] in self.values,
        )

    def run(self, values: Mapping[Labels, float], hours: float) -> list[Anomaly]:
        """The same samples again and again; what changed meanwhile."""
        steps = round(hours * 3600 / STEP)
        return [each for _ in range(steps) for each in self.step(values)]

    @property
    def open(self) -> list[Anomaly]:
        return [each for each in self.found.values() if not each.ended_at]


def ended(*labels: Labels) -> dict[Labels, float]:
    """Their staleness markers."""
    return dict.fromkeys(labels, float(STALE))
