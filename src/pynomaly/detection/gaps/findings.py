"""Findings of what does not come as anomalies: one for each source and cause, in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pynomaly.detection import telemetry
from pynomaly.detection.events import Anomaly, anomaly_id
from pynomaly.detection.gaps.kin import Source
from pynomaly.model.labels import Labels

SERIES_STOPPED = "series_stopped"
SOURCE_STOPPED = "source_stopped"
TARGET_DOWN = "target_down"
LOST_SAMPLES = "lost_samples"
NO_TRAFFIC = "no_traffic"
STOPS = frozenset({SERIES_STOPPED, SOURCE_STOPPED, TARGET_DOWN})
GAPS = frozenset({LOST_SAMPLES, NO_TRAFFIC, SERIES_STOPPED, SOURCE_STOPPED, TARGET_DOWN})
_SCORES = {
    LOST_SAMPLES: 0.62,
    NO_TRAFFIC: 0.75,
    SERIES_STOPPED: 0.65,
    SOURCE_STOPPED: 0.75,
    TARGET_DOWN: 0.75,
}
_CONFIDENCE = 0.905
"""Told at most about 0.1 times a week: exp(-0.1) of the weeks have none."""
ACCEPTED = 86_400.0
"""Seconds after which what stopped is the new normal."""


@dataclass(slots=True)
class Open:
    """A finding that lasts: the rows that it is of, the first of them the anomaly's own."""

    anomaly: Anomaly
    rows: set[int]


class Findings:
    """Those that last, by cause and source."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, Source], Open] = {}
        self.rows: frozenset[int] = frozenset()
        """The rows that any of them is of."""

    def found(self, cause: str, source: Source) -> Open | None:
        """The one of this cause and source that lasts."""
        return self._open.get((cause, source))

    def begin(
        self,
        cause: str,
        source: Source,
        labels: Labels,
        rows: Sequence[int],
        at: float,
        value: float,
        note: str,
        before: Anomaly | None = None,
    ) -> Anomaly:
        """Open one; ``before`` is the anomaly of values that it takes the place of."""
        anomaly = Anomaly(
            id=anomaly_id(labels, at),
            labels=labels,
            started_at=at,
            peaked_at=at,
            ended_at=0.0,
            score=_SCORES[cause],
            confidence=_CONFIDENCE,
            value=value,
            expected=value,
            lower=value,
            upper=value,
            direction="below",
            cause=cause,
            note=note,
        )
        if before is not None:
            anomaly = replace(
                before, cause=cause, note=note, score=max(before.score, anomaly.score)
            )
        else:
            telemetry.EVENTS.labels(anomaly.severity.value).inc()
        self._open[cause, source] = Open(anomaly, set(rows))
        self._count()
        return anomaly

    def join(self, cause: str, source: Source, rows: Iterable[int]) -> None:
        """More rows belong to one that lasts."""
        self._open[cause, source].rows.update(rows)
        self._count()

    def recover(self, causes: frozenset[str], rows: frozenset[int], at: float) -> list[Anomaly]:
        """These rows are in order again; returns the anomalies that are over by that."""
        if not rows & self.rows:
            return []
        over = []
        for key, each in list(self._open.items()):
            if key[0] in causes and each.rows & rows:
                each.rows -= rows
                if not each.rows:
                    over.append(self._end(key, at))
        self._count()
        return over

    def accept(self, at: float) -> list[Anomaly]:
        """End those that have lasted for a day: it is how things are now."""
        late = [
            key
            for key, each in self._open.items()
            if not each.rows or at - each.anomaly.started_at >= ACCEPTED
        ]
        over = [self._end(key, at) for key in late]
        self._count()
        return over

    def _end(self, key: tuple[str, Source], at: float) -> Anomaly:
        anomaly = self._open.pop(key).anomaly
        return anomaly.closed(max(at, anomaly.peaked_at))

    def moved(self, place: Mapping[int, int]) -> None:
        """Rows have another number now; those without one are gone."""
        for each in self._open.values():
            each.rows = {place[row] for row in each.rows if row in place}
        self._count()

    def restore(self, anomaly: Anomaly, row: int, source: Source) -> None:
        """Take up one that had not ended when another process stopped."""
        self._open[anomaly.cause, source] = Open(anomaly, {row})
        self._count()

    def _count(self) -> None:
        self.rows = frozenset(row for each in self._open.values() for row in each.rows)


def others(count: int, what: str) -> str:
    """``, with 3 others of its target``; empty for none.

    >>> others(1, "its target")
    ', with 1 other of its target'
    """
    return f", with {count} {'other' if count == 1 else 'others'} of {what}" if count else ""


def siblings(count: int, does: str = "goes on", do: str = "go on") -> str:
    """``its 12 siblings go on``; empty for none."""
    if not count:
        return ""
    return f"; its sibling {does}" if count == 1 else f"; its {count} siblings {do}"


def length(seconds: float) -> str:
    """A span in words.

    >>> length(45), length(250), length(7500)
    ('45 s', '4 min', '2.1 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
