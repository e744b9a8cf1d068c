"""What else moved with an anomaly, and when its series last looked like this."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pynomaly.calendar.events import Occurrence
from pynomaly.detection.events import Anomaly, NoSuchAnomaly
from pynomaly.detection.joint import Event
from pynomaly.detection.preceding import BEFORE, Preceding, preceding
from pynomaly.detection.standing import Standing, standing_out
from pynomaly.model.labels import Labels

TOGETHER = 600.0
"""Seconds before and after its begin within which others moved with it."""
_MOST = 20


@dataclass(frozen=True, slots=True)
class Related:
    """Another anomaly: the labels that both have, and the seconds from the one to the other.

    ``likeness`` is 0 to 1: one half is the share of the labels of both that they have in common,
    the other how near in time they began.
    """

    anomaly: Anomaly
    shared: dict[str, str]
    seconds: float
    likeness: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """An anomaly with what moved with it, the likeliest first, and the last one like it.

    ``preceding``: what people did before it began, the latest first.
    """

    anomaly: Anomaly
    related: list[Related]
    previous: Anomaly | None
    preceding: list[Preceding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventExplanation:
    """An event with the label values that stand out in it, and what else moved with it.

    ``previous``: the last one like its rarest anomaly. ``preceding``: as of an anomaly.
    """

    event: Event
    standing: list[Standing]
    related: list[Related]
    previous: Anomaly | None
    preceding: list[Preceding] = field(default_factory=list)


class PastAnomalies(Protocol):
    """Where anomalies are looked up; blocking."""

    def get(self, anomaly_id: str) -> Anomaly | None:
        """One; None when there is no such anomaly."""
        ...

    def group(self, group_id: str) -> Event | None:
        """One event with all of its anomalies; None when there is none of this id."""
        ...

    def begun(self, since: float, until: float) -> list[Anomaly]:
        """Those that began in ``[since, until]``."""
        ...

    def previous(self, anomaly: Anomaly) -> Anomaly | None:
        """The one before it of the same series with the same cause."""
        ...

    def happened(self, since: float, until: float) -> list[Occurrence]:
        """What the calendar has that lies at least partly in ``[since, until]``."""
        ...


def explain(anomalies: PastAnomalies, anomaly_id: str) -> Explanation:
    """Look up what belongs to an anomaly. Blocking: call it in a worker thread.

    Raises:
        NoSuchAnomaly: there is none with this id.
    """
    anomaly = anomalies.get(anomaly_id)
    if anomaly is None:
        raise NoSuchAnomaly(anomaly_id)
    at = anomaly.started_at
    others = anomalies.begun(at - TOGETHER, at + TOGETHER)
    return Explanation(
        anomaly,
        moved_with(anomaly, others),
        anomalies.previous(anomaly),
        preceding(anomalies.happened(at - BEFORE, at), [anomaly.labels], at),
    )


def explain_event(
    anomalies: PastAnomalies, event_id: str, judged: Sequence[Labels] = ()
) -> EventExplanation | None:
    """Look up what belongs to an event; None when none has this id. Blocking.

    ``judged``: the labels of all series that are judged, of which those of the event are some.
    """
    event = anomalies.group(event_id)
    if event is None:
        return None
    begin, inside = event.started_at, {each.id for each in event.members}
    others = anomalies.begun(begin - TOGETHER, begin + TOGETHER)
    near = moved_with(event.head, [each for each in others if each.id not in inside])
    series = [each.labels for each in event.members]
    return EventExplanation(
        event,
        standing_out(series, judged),
        near,
        anomalies.previous(event.head),
        preceding(anomalies.happened(begin - BEFORE, begin), series, begin),
    )


def moved_with(anomaly: Anomaly, others: Iterable[Anomaly]) -> list[Related]:
    """The others that began within ten minutes, ranked by shared labels and time; at most 20."""
    found = [_related(anomaly, each) for each in others if each.labels != anomaly.labels]
    near = [each for each in found if abs(each.seconds) <= TOGETHER]
    near.sort(key=lambda each: (-each.likeness, -each.anomaly.score, each.anomaly.id))
    return near[:_MOST]


def _related(anomaly: Anomaly, other: Anomaly) -> Related:
    mine, its = (set(each.labels.items()) for each in (anomaly, other))
    shared = {n: v for n, v in sorted(mine & its) if n != "__name__"}
    every = len({pair for pair in mine | its if pair[0] != "__name__"})
    seconds = other.started_at - anomaly.started_at
    alike = len(shared) / every if every else 0.0
    return Related(other, shared, seconds, alike / 2 + (1 - abs(seconds) / TOGETHER) / 2)
