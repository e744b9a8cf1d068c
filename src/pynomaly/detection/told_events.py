"""The anomalies that last and are told, as a series that alert rules can stand on."""

import asyncio
from collections.abc import Iterable

from pynomaly.detection.events import Anomaly, Feedback
from pynomaly.detection.repository import AnomalyLog
from pynomaly.detection.verdicts import verdict_labels
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch
from pynomaly.storage.samples.contract import Appender

EVENT = "anomaly_event"
_SEVERITY = "severity"


def event_series(anomaly: Anomaly) -> Labels:
    """``anomaly_event`` with the labels of the anomaly, its metric as ``of``, and its severity."""
    labels = verdict_labels(anomaly.labels, EVENT)
    own = labels.get(_SEVERITY)
    if own is not None:
        labels = labels.with_(**{f"exported_{_SEVERITY}": own})
    return labels.with_(**{_SEVERITY: anomaly.severity.value})


class ToldEvents:
    """Periodic work: writes the score of what lasts, is told, and was not marked false.

    After rules, feedback and budgets, whoever found it. What is over ends with a staleness marker.
    """

    def __init__(self, anomalies: AnomalyLog, appender: Appender) -> None:
        self._anomalies = anomalies
        self._appender = appender
        self._written: frozenset[Labels] = frozenset()

    async def write(self, due: float) -> None:
        """Write a sample of each with that time (epoch seconds).

        Raises:
            EngineBusy, DiskFull, PeerAway: they were not stored; the next run ends what is over.
        """
        scores = _scores(await asyncio.to_thread(self._anomalies.open))
        at_ms = round(due * 1000)
        rows = [(labels, at_ms, score) for labels, score in scores.items()]
        rows += [(labels, at_ms, STALE) for labels in self._written - scores.keys()]
        if rows:
            await self._appender.append(SampleBatch.of(rows))
        self._written = frozenset(scores)


def _scores(lasting: Iterable[Anomaly]) -> dict[Labels, float]:
    """The highest score of each series of events."""
    scores: dict[Labels, float] = {}
    for each in lasting:
        if each.told and each.feedback != Feedback.FALSE:
            labels = event_series(each)
            scores[labels] = max(each.score, scores.get(labels, 0.0))
    return scores
