"""What is written back of each series that is judged, and when it ends."""

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.scorer import Scored
from pynomaly.model.labels import METRIC_NAME, Labels, series_id
from pynomaly.model.samples import STALE, SampleBatch

SCORE = "anomaly_score"
BAND = ("anomaly_expected", "anomaly_lower", "anomaly_upper")


def verdict_labels(labels: Labels, name: str = SCORE) -> Labels:
    """``anomaly_score`` with the labels of the series that is judged, and its name as ``of``."""
    given = {"exported_of" if key == "of" else key: value for key, value in labels.items()}
    return Labels({**given, METRIC_NAME: name, "of": labels.name})


class _Written:
    """The series of one name: which have a sample that still holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: dict[Labels, tuple[int, Labels]] = {}

    def _series(self, labels: Labels) -> tuple[int, Labels]:
        found = self.open.get(labels)
        if found is None:
            verdict = verdict_labels(labels, self.name)
            found = (series_id(verdict), verdict)
        return found

    def say(
        self, labels: list[Labels], values: NDArray[np.float64], said: NDArray[np.bool_]
    ) -> list[tuple[int, Labels, float]]:
        """A sample where something is said, and the end of what is not said any more."""
        samples = []
        for each, value, yes in zip(labels, values.tolist(), said.tolist(), strict=True):
            if yes:
                series = self.open[each] = self._series(each)
                samples.append((*series, value))
            elif each in self.open:
                samples.append((*self.open.pop(each), float("nan")))
        return samples

    def forget(self, kept: set[Labels]) -> None:
        self.open = {labels: series for labels, series in self.open.items() if labels in kept}


class Verdicts:
    """Makes batches of verdicts: scores from a floor on, bands where a score is high."""

    def __init__(self, floor: float, band_from: float) -> None:
        self._floor = floor
        self._band_from = band_from
        self._score = _Written(SCORE)
        self._band = [_Written(name) for name in BAND]

    def batch(
        self, labels: list[Labels], scored: Scored, watched: NDArray[np.bool_], at_ms: int
    ) -> SampleBatch:
        """The samples for one point of each of these series.

        ``watched``: series whose verdicts are always written. A verdict that is not written any
        more ends with a staleness marker; one whose series had nothing new stays as it is.
        """
        known = ~np.isnan(scored.score)
        score = known & (watched | (scored.score >= self._floor))
        samples = self._score.say(labels, scored.score, score)
        band = known & (watched | (scored.score >= self._band_from))
        for written, values in zip(
            self._band, (scored.expected, scored.lower, scored.upper), strict=True
        ):
            samples += written.say(labels, values, band)
        values = np.array([value for _, _, value in samples], dtype=np.float64)
        return SampleBatch(
            ids=np.array([number for number, _, _ in samples], dtype=np.uint64),
            ts=np.full(len(samples), at_ms, dtype=np.int64),
            values=np.where(np.isnan(values), STALE, values),
            labels={number: verdict for number, verdict, _ in samples},
        )

    def forget_but(self, kept: list[Labels]) -> None:
        """Forget the series that are not judged any more; their verdicts end by staleness."""
        names = set(kept)
        for written in (self._score, *self._band):
            written.forget(names)
