"""A version of a model in memory, and what it says of the newest point of its series."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix, Times, Usual
from pynomaly.detection.verdicts import BAND, SCORE, verdict_labels
from pynomaly.detection.watched.episodes import Said
from pynomaly.detection.watched.models import ModelVersion
from pynomaly.detection.watched.training import TrainedPart
from pynomaly.model.labels import METRIC_NAME, Labels

DRIFT = "anomaly_model_drift"

Sample = tuple[Labels, int, float]
"""A series, milliseconds, and a value."""


@dataclass(slots=True)
class Loaded:
    """``labels`` are the series of the parts, in their order."""

    version: ModelVersion
    labels: list[Labels]
    parts: list[TrainedPart]
    drift: float = math.nan
    _verdicts: list[list[Labels]] = field(init=False)

    def __post_init__(self) -> None:
        names = (SCORE, *BAND)
        self._verdicts = [
            [model_labels(each, self.version, n) for each in self.labels] for n in names
        ]

    @property
    def context(self) -> int:
        """Steps before the newest that it reads."""
        return max((part.detector.context for part in self.parts), default=0)

    def judge(self, matrix: FloatMatrix, times: Times) -> Said:
        """Judge the last step of each series, ``[series, steps]``; the drift takes it in."""
        scores, usual = [np.empty(0)], [Usual(*(np.empty(0),) * 3)]
        for part, rows in self._split(matrix):
            newest = part.detector.newest(rows, times)
            part.drift.take(newest, float(self.version.parameters["step"]))
            scores.append(newest)
            usual.append(part.detector.usual(rows, times))
        values = [part.drift.value() for part in self.parts]
        known = [value for value in values if not math.isnan(value)]
        self.drift = float(np.median(known)) if known else math.nan

        @functools.cache
        def reasons() -> list[str]:
            found = (part.detector.reasons(rows, times) for part, rows in self._split(matrix))
            return [each for part in found for each in part]

        return Said(
            self.version.algorithm,
            self.labels,
            matrix[:, -1],
            np.concatenate(scores),
            Usual(*(np.concatenate(column) for column in zip(*usual, strict=True))),
            reasons,
        )

    def samples(self, said: Said, at_ms: int) -> Iterator[Sample]:
        """What is written of it: scores, bands, and the drift when it is known."""
        known: NDArray[np.bool_] = np.isfinite(said.scores)
        for verdicts, values in zip(self._verdicts, (said.scores, *said.usual), strict=True):
            for i in np.flatnonzero(known & np.isfinite(values)).tolist():
                yield verdicts[i], at_ms, float(values[i])
        if not math.isnan(self.drift):
            names = {"query": self.version.query, "algorithm": self.version.algorithm}
            yield Labels({METRIC_NAME: DRIFT, **names}), at_ms, self.drift

    def _split(self, matrix: FloatMatrix) -> Iterator[tuple[TrainedPart, FloatMatrix]]:
        first = 0
        for part in self.parts:
            last = first + len(part.drift.usual)
            yield part, matrix[first:last]
            first = last


def model_labels(labels: Labels, version: ModelVersion, name: str = SCORE) -> Labels:
    """A verdict with the labels of the series, ``of`` the query, by the algorithm."""
    return watched_labels(labels, version.query, version.algorithm, name)


def watched_labels(labels: Labels, query: str, algorithm: str, name: str) -> Labels:
    """As ``model_labels``, by the names of the query and the algorithm."""
    named = Labels({**dict(labels.items()), METRIC_NAME: query})
    verdict = dict(verdict_labels(named, name).items())
    if "algorithm" in verdict:
        verdict["exported_algorithm"] = verdict["algorithm"]
    return Labels({**verdict, "algorithm": algorithm})
