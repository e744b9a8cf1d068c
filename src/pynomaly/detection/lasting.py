"""The anomalies of values that last, by the row of their series."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection import telemetry
from pynomaly.detection.events import PEERS, Anomaly, anomaly_id
from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.episodes import Changes
from pynomaly.detection.streaming.scorer import Scored
from pynomaly.detection.streaming.statistics import TAILS
from pynomaly.model.labels import Labels


class Beside(NamedTuple):
    """Which of its siblings a series is, how many others there are, and the median of all."""

    peer: str
    siblings: int
    median: float


ALONE = Beside("", 0, 0.0)
"""Of a series without siblings, or with too few."""


CAUSES = (*(tail.name for tail in TAILS), PEERS)
"""By their numbers in a verdict."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One point of each of some series, with its verdict; all of one length.

    ``beside``: from the labels and the place of a series to how it is among its siblings.
    """

    rows: Rows
    values: NDArray[np.float64]
    scored: Scored
    changes: Changes
    beside: Callable[[Labels, int], Beside] = lambda labels, i: ALONE


class Lasting:
    """From changes of episodes to anomalies that begin, grow and end."""

    def __init__(self) -> None:
        self._of_row: dict[int, Anomaly] = {}

    def __contains__(self, row: int) -> bool:
        return row in self._of_row

    def items(self) -> Iterable[tuple[int, Anomaly]]:
        """Each row with its anomaly, as they are now."""
        return list(self._of_row.items())

    def changed(
        self,
        judged: Judged,
        labels: Sequence[Labels],
        at: float,
        but: Container[int] = (),
    ) -> list[Anomaly]:
        """The anomalies that began, grew or ended at these epoch seconds; ``labels`` by row.

        ``but``: rows of which something else is told already.
        """
        found = []
        changes = judged.changes
        for i in np.flatnonzero(changes.opened | changes.escalated).tolist():
            row = int(judged.rows[i])
            if row in but:
                continue
            anomaly = anomaly_at(labels[row], i, judged, at)
            before = self._of_row.get(row)
            if before is not None:
                anomaly = before.grown(anomaly)
            else:
                telemetry.EVENTS.labels(anomaly.severity.value).inc()
            self._of_row[row] = anomaly
            found.append(anomaly)
        for i in np.flatnonzero(changes.closed & ~changes.opened).tolist():
            ended = self._of_row.pop(int(judged.rows[i]), None)
            if ended is not None:
                found.append(ended.closed(at))
        return found

    def take_below(self, row: int) -> Anomaly | None:
        """Give away the anomaly of this row if it is below what was expected."""
        anomaly = self._of_row.get(row)
        if anomaly is None or anomaly.direction != "below":
            return None
        return self._of_row.pop(row)

    def adopt(self, row: int, anomaly: Anomaly) -> None:
        """Take over one that something else than its own episode began; it grows as others do."""
        telemetry.EVENTS.labels(anomaly.severity.value).inc()
        self._of_row[row] = anomaly

    def end(self, row: int, at: float) -> Anomaly:
        """The anomaly of this row, over since these epoch seconds, or since its peak if later.

        Raises:
            KeyError: it has none.
        """
        anomaly = self._of_row.pop(row)
        return anomaly.closed(max(at, anomaly.peaked_at))

    def moved(self, place: Mapping[int, int]) -> None:
        """Rows have another number now; those without one are gone."""
        self._of_row = {place[r]: a for r, a in self._of_row.items() if r in place}

    def restore(self, labels: Sequence[Labels], anomalies: Iterable[Anomaly]) -> None:
        """Take up those that had not ended when another process stopped."""
        of_series = {each.labels: each for each in anomalies}
        self._of_row = {
            row: of_series[each] for row, each in enumerate(labels) if each in of_series
        }


def anomaly_at(labels: Labels, i: int, judged: Judged, at: float) -> Anomaly:
    """What the ``i``-th of the series that were judged shows at these epoch seconds."""
    scored = judged.scored
    beside = judged.beside(labels, i)
    return Anomaly(
        id=anomaly_id(labels, at),
        labels=labels,
        started_at=at,
        peaked_at=at,
        ended_at=0.0,
        score=float(scored.score[i]),
        confidence=float(judged.changes.confidence[i]),
        value=float(judged.values[i]),
        expected=float(scored.expected[i]),
        lower=float(scored.lower[i]),
        upper=float(scored.upper[i]),
        direction="above" if scored.direction[i] >= 0 else "below",
        cause=CAUSES[int(scored.cause[i])],
        peer=beside.peer,
        siblings=beside.siblings,
        siblings_median=beside.median,
    )
