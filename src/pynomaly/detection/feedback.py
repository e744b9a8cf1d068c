"""What people say of anomalies has effect: false alarms make a series harder to find odd."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from pynomaly.detection.budget import REMEMBERED, Telling
from pynomaly.detection.events import Anomaly, Feedback, NoSuchAnomaly
from pynomaly.detection.lessons import MOST, PER_FALSE_ALARM, Alike, alike
from pynomaly.detection.repository import AnomalyRepository
from pynomaly.detection.service import TOPIC
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.bus import Bus
from pynomaly.storage.samples.contract import Appender

LASTS = 30 * 86_400.0
"""Seconds after the begin of an anomaly for which what was said of it counts."""
RATIO = "anomaly_false_positive_ratio"

Handicaps = Mapping[Labels, float]
Teach = Callable[[Sequence[Anomaly], Sequence[Telling]], None]
"""Is given what was said in 30 days, and what was told in eight weeks."""


def handicaps(judged: Iterable[Anomaly]) -> Handicaps:
    """For each series with more false alarms than real ones: the decades, at most three."""
    counted: Counter[Labels] = Counter()
    for each in judged:
        counted[each.labels] += 1 if each.feedback == Feedback.FALSE else -1
    return {
        labels: min(more * PER_FALSE_ALARM, MOST) for labels, more in counted.items() if more > 0
    }


def false_positive_ratios(judged: Sequence[Anomaly]) -> dict[str, float]:
    """By service, of the anomalies that a person judged: the share that was false, 0 to 1."""
    every = Counter(each.service for each in judged)
    false = Counter(each.service for each in judged if each.feedback == Feedback.FALSE)
    return {service: false[service] / count for service, count in every.items()}


class FeedbackKeeper:
    """Keeps what people say, and lets it count for 30 days.

    ``apply`` is given the handicaps whenever they change, ``teach`` what they come from and what
    was told; run ``write`` periodically.
    """

    def __init__(
        self,
        anomalies: AnomalyRepository,
        clock: Clock,
        bus: Bus,
        appender: Appender,
        apply: Callable[[Handicaps], None],
        teach: Teach = lambda judged, tellings: None,
    ) -> None:
        self._anomalies = anomalies
        self._clock = clock
        self._bus = bus
        self._appender = appender
        self._apply = apply
        self._teach = teach

    async def say(self, anomaly_id: str, feedback: Feedback) -> Anomaly:
        """Keep what a person says of one, and apply it; ``none`` takes back what was said.

        Raises:
            NoSuchAnomaly: there is none with this id.
        """
        said = "" if feedback is Feedback.NONE else feedback.value
        judged = await asyncio.to_thread(self._anomalies.judge, anomaly_id, said)
        if judged is None:
            raise NoSuchAnomaly(anomaly_id)
        await self.take_up()
        self._bus.publish(TOPIC, {"anomalies": [judged.id]})
        return judged

    async def take_up(self) -> list[Anomaly]:
        """Apply what was said in the last 30 days, and return those anomalies."""
        since = self._clock.now() - LASTS
        judged = await asyncio.to_thread(self._anomalies.judged, since)
        tellings = await asyncio.to_thread(self._anomalies.tellings, self._clock.now() - REMEMBERED)
        self._apply(handicaps(judged))
        self._teach(judged, tellings)
        return judged

    async def alike(self, anomaly: Anomaly) -> Alike:
        """What was said in the last 30 days of anomalies like it."""
        since = self._clock.now() - LASTS
        judged = await asyncio.to_thread(self._anomalies.judged, since)
        return alike(anomaly, judged)

    async def write(self, due: float) -> None:
        """Write ``anomaly_false_positive_ratio`` of each service with that time; forget old words.

        Raises:
            EngineBusy, DiskFull, PeerAway: it was not stored.
        """
        ratios = false_positive_ratios(await self.take_up())
        if ratios:
            at = round(due * 1000)
            rows = [(_ratio_labels(service), at, ratio) for service, ratio in ratios.items()]
            await self._appender.append(SampleBatch.of(rows))


def _ratio_labels(service: str) -> Labels:
    return Labels({"__name__": RATIO, **({"service": service} if service else {})})
