"""From the scores of a watched query to anomalies: which began, grew or ended."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection import telemetry
from pynomaly.detection.algorithms.calibration import HALF, PER_DECADE
from pynomaly.detection.contract import Usual
from pynomaly.detection.events import CAUSES_BETWEEN, Anomaly, anomaly_id
from pynomaly.detection.excluded import Exclusions, Happenings
from pynomaly.detection.lessons import MOST
from pynomaly.detection.rules.applied import Applied
from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.episodes import EpisodeMachine
from pynomaly.detection.watched.config import WatchedQuery
from pynomaly.detection.watched.heeded import Heeded
from pynomaly.detection.watched.identity import event_labels, metric_of
from pynomaly.model.labels import Labels, service_of

_STOPPED_SECONDS = 3600.0
"""An anomaly of a series without a value for so long is over."""
APART = 10.0**-0.5
"""Of the budget: points of a trained score that are rare lie apart more than those of the judge of
every series, whose rarity the machine is made for."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What one algorithm says of the newest point: ``scores``, ``values`` ``[series]``, NaN where
    there is none. ``reasons`` gives the feature that stands out, of every series.
    """

    algorithm: str
    labels: Sequence[Labels]
    values: NDArray[np.float64]
    scores: NDArray[np.float64]
    usual: Usual
    reasons: Callable[[], list[str]]


class QueryEpisodes:
    """The episodes of one query's series, by the rarest of its algorithms.

    Of several algorithms one is rare more often than one alone: each must be rarer by as much.
    """

    def __init__(
        self, query: WatchedQuery, budget: float, heeded: Heeded, calendar: Happenings | None = None
    ) -> None:
        self._heeded = heeded
        self._query = query
        self._calendar = calendar
        self._exclusions = Exclusions(calendar)
        self._events: list[Labels] = []
        self.rules = Applied(budget)
        self._metric = metric_of(query.expr)
        self._machine = EpisodeMachine(0, budget * APART)
        self._rows: dict[Labels, int] = {}
        self._seen_at: NDArray[np.float64] = np.empty(0)
        self._lasting: dict[Labels, Anomaly] = {}

    def take_up(self, lasting: Iterable[Anomaly], known: Sequence[Labels]) -> list[Anomaly]:
        """Go on with what an earlier process found; returns what of it cannot go on, ended."""
        self._track(known)
        place = {self._event_labels(each): each for each in self._rows}
        over = []
        for anomaly in lasting:
            series = place.get(anomaly.labels)
            if series is None:
                over.append(anomaly.closed(anomaly.peaked_at))
                continue
            row = self._rows[series]
            self._lasting[series] = anomaly
            self._seen_at[row] = anomaly.peaked_at
            rarity = np.array([(anomaly.score - HALF) / PER_DECADE])
            self._machine.step(np.array([row]), rarity, np.array([self._query.step]))
        return over

    def judge(
        self, said: Sequence[Said], at: float, handicaps: Mapping[Labels, float]
    ) -> list[Anomaly]:
        """Take in the newest point; the anomalies that began, grew or ended at ``at``.

        ``handicaps``: decades by which those of a series must be rarer, by its event's labels.
        """
        ended = self._track(dict.fromkeys(each for one in said for each in one.labels))
        names = list(self._rows)
        rarity = self._rarity(said)
        rows = np.flatnonzero(~np.isnan(rarity))
        self._seen_at[rows] = at
        steps = np.full(len(rows), self._query.step)
        handicap = np.array([handicaps.get(self._events[row], 0.0) for row in rows.tolist()])
        handicap = self._taught(said, rows, rarity, handicap)
        handicap = handicap + self._by_rules(said, rows)
        since_ms = round((at - self._query.step) * 1000)
        excluded = self._exclusions.between(since_ms, round(at * 1000), self._events)
        if excluded is not None:
            excluded = excluded.of(rows)
            handicap = excluded.waits(handicap)
        changes = self._machine.step(rows, rarity[rows], steps, handicap)
        if excluded is not None:
            changes = excluded.told(changes)
        changed = [anomaly.closed(max(at, anomaly.peaked_at)) for anomaly in ended]
        for i in np.flatnonzero(changes.opened | changes.escalated).tolist():
            series = names[rows[i]]
            beyond = float(rarity[rows[i]] - self._machine.bar - handicap[i])
            anomaly = self._found(series, said, float(changes.confidence[i]), at)
            changed.append(self._told(series, anomaly, beyond))
        for i in np.flatnonzero(changes.closed & ~changes.opened).tolist():
            over = self._lasting.pop(names[rows[i]], None)
            if over is not None:
                changed.append(over.closed(at))
        return changed + self._stopped(at)

    def close(self, at: float) -> list[Anomaly]:
        """The query is watched no more: all that lasts is over."""
        ended = [each.closed(max(at, each.peaked_at)) for each in self._lasting.values()]
        self._lasting.clear()
        return ended

    def _event_labels(self, series: Labels) -> Labels:
        return event_labels(series, self._metric, self._query.name)

    def _track(self, known: Iterable[Labels]) -> list[Anomaly]:
        """Have a row for each of these; returns the anomalies of those that have none now."""
        wanted = {each: row for row, each in enumerate(known)}
        if wanted.keys() == self._rows.keys():
            return []
        kept = [each for each in self._rows if each in wanted]
        rows = np.array([self._rows[each] for each in kept], dtype=np.int64)
        self._machine.resize(rows, len(wanted))
        seen = np.zeros(len(wanted))
        seen[: len(kept)] = self._seen_at[rows]
        self._seen_at = seen
        order = [*kept, *(each for each in wanted if each not in self._rows)]
        self._rows = {each: row for row, each in enumerate(order)}
        self._events = [self._event_labels(each) for each in order]
        self.rules.begin_anew()
        self._exclusions = Exclusions(self._calendar)
        gone = [each for each in self._lasting if each not in wanted]
        return [self._lasting.pop(each) for each in gone]

    def _rarity(self, said: Sequence[Said]) -> NDArray[np.float64]:
        """Decades below once a week, of the rarest of the algorithms together."""
        rarity = np.full(len(self._rows), np.nan)
        count = np.zeros(len(self._rows))
        for one in said:
            rows = np.array([self._rows[each] for each in one.labels], dtype=np.int64)
            rarity[rows] = np.fmax(rarity[rows], (one.scores - HALF) / PER_DECADE)
            count[rows] += np.isfinite(one.scores)
        return rarity - np.log10(np.maximum(count, 1))

    def _by_rules(self, said: Sequence[Said], rows: Rows) -> NDArray[np.float64] | float:
        """Decades that the rules want of these rows, by what the first algorithm expected."""
        self.rules.look(self._events)
        values, expected = np.full((2, len(self._rows)), np.nan)
        for one in reversed(said):
            at = np.array([self._rows[each] for each in one.labels], dtype=np.int64)
            values[at], expected[at] = one.values, one.usual.expected
        return self.rules.handicap(rows, values[rows], expected[rows])

    def _taught(
        self,
        said: Sequence[Said],
        rows: Rows,
        rarity: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """``own`` and what similar ones taught, at most 3; of those rows alone that may open."""
        if not self._heeded.teaches:
            return own
        names, found = list(self._rows), own.copy()
        may = (rarity[rows] >= self._machine.bar) & np.isfinite(own)
        for i in np.flatnonzero(may).tolist():
            like = self._found(names[rows[i]], said, 0.0, 0.0)
            decades = self._heeded.decades(like.labels, like.cause, like.direction)
            found[i] = min(max(own[i] + decades, 0.0), MOST)
        return found

    def _told(self, series: Labels, anomaly: Anomaly, beyond: float) -> Anomaly:
        """The anomaly that lasts from now on, told or not: an episode opened or grew.

        ``beyond``: decades by which it is rarer than it must be.
        """
        before = self._lasting.get(series)
        if before is None or not before.told:
            among = sum(service_of(each) == anomaly.service for each in self._events)
            told = self._heeded.tells(anomaly.labels, beyond, among, anomaly.peaked_at)
            anomaly = replace(anomaly, told=told)
        if before is not None:
            anomaly = before.grown(anomaly)
        else:
            telemetry.EVENTS.labels(anomaly.severity.value).inc()
        self._lasting[series] = anomaly
        return anomaly

    def _found(self, series: Labels, said: Sequence[Said], confidence: float, at: float) -> Anomaly:
        """What the algorithms say of the newest point of a series, as an anomaly."""
        found = [(one, i) for one in said for i, each in enumerate(one.labels) if each == series]
        found = [(one, i) for one, i in found if not math.isnan(one.scores[i])]
        found.sort(key=lambda pair: -pair[0].scores[pair[1]])
        high = [pair for n, pair in enumerate(found) if not n or pair[0].scores[pair[1]] >= HALF]
        best, i = found[0]
        labels = self._event_labels(series)
        value = float(best.values[i])
        expected = _or(float(best.usual.expected[i]), value)
        return Anomaly(
            id=anomaly_id(labels, at),
            labels=labels,
            started_at=at,
            peaked_at=at,
            ended_at=0.0,
            score=float(best.scores[i]),
            confidence=confidence,
            value=value,
            expected=expected,
            lower=_or(float(best.usual.lower[i]), expected),
            upper=_or(float(best.usual.upper[i]), expected),
            direction="above" if value >= expected else "below",
            cause=CAUSES_BETWEEN.join(f"{one.algorithm}/{one.reasons()[n]}" for one, n in high),
            watched=self._query.name,
            expr=self._query.expr,
        )

    def _stopped(self, at: float) -> list[Anomaly]:
        """The end of those whose series gives no value any more."""
        found = []
        for series, anomaly in list(self._lasting.items()):
            seen = float(self._seen_at[self._rows[series]])
            if at - seen >= _STOPPED_SECONDS:
                del self._lasting[series]
                found.append(replace(anomaly, ended_at=max(seen, anomaly.peaked_at)))
        return found


def _or(number: float, otherwise: float) -> float:
    """A detector that knows too little of one of its measures has no band: its middle stands."""
    return otherwise if math.isnan(number) else number
