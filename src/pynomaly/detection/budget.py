"""Keeps what is told of a service to its budget: so many events a week, if it is in order.

A service of many series has many chances to be wrong. So its series share the budget from the
start: a point must be rarer by the decades that N series exceed it by. What is told then moves
the bar: each telling that nobody called real raises it by half a decade, and time lowers it by
half a decade for each event that the budget allows. In the long run no more is told than allowed,
whatever the distribution (adaptive conformal inference: I. Gibbs and E. Candès, "Adaptive
Conformal Inference Under Distribution Shift", 2021); what is a thousand times rarer than the bar
at the start is told all the same.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.events import Anomaly, Feedback
from pynomaly.detection.gaps.findings import GAPS
from pynomaly.detection.lasting import Judged
from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.scorer import HALF, PER_DECADE
from pynomaly.model.labels import Labels, service_of

WEEK = 604_800.0
REMEMBERED = 8 * WEEK
GAIN = 0.5
"""Decades by which a telling raises the bar."""
MOST = 3.0
ONE_PAGE = 600.0
"""Seconds within which what is told of a service is one page."""
_GAPS_BELOW = 1.0
"""Findings of what does not come have no rarity: they are told while the bar is not higher."""


@dataclass(frozen=True, slots=True)
class Telling:
    """An anomaly that was told: of which service, when (epoch seconds), what was said of it."""

    service: str
    at: float
    feedback: str = ""


@dataclass(slots=True)
class Pressure:
    """By how many decades a service's bar is raised, as of a time; when its last page began."""

    decades: float = 0.0
    at: float = 0.0
    page_at: float = -math.inf

    def now(self, at: float, budget: float) -> float:
        """The decades at a later time."""
        return max(self.decades - GAIN * budget * max(at - self.at, 0.0) / WEEK, 0.0)

    def tell(self, at: float, budget: float) -> None:
        """Something is told; of one page it counts once."""
        if at - self.page_at < ONE_PAGE:
            return
        self.decades = min(self.now(at, budget) + GAIN, MOST)
        self.at, self.page_at = at, at


def pressures(tellings: Iterable[Telling], budget: float) -> dict[str, Pressure]:
    """Of each service: what its tellings lead to. Pages with a real anomaly do not count."""
    found: dict[str, Pressure] = {}
    for service, pages in _pages(tellings).items():
        pressure = found[service] = Pressure()
        for page in pages:
            if all(each.feedback != Feedback.REAL for each in page):
                pressure.tell(page[0].at, budget)
            pressure.page_at = page[0].at
    return found


def _pages(tellings: Iterable[Telling]) -> dict[str, list[list[Telling]]]:
    found: dict[str, list[list[Telling]]] = {}
    for each in sorted(tellings, key=lambda each: each.at):
        pages = found.setdefault(each.service, [])
        if pages and each.at - pages[-1][0].at < ONE_PAGE:
            pages[-1].append(each)
        else:
            pages.append([each])
    return found


class ServiceBudget:
    """Decides which anomalies are told. ``budget`` is by service, ``per_series`` by series."""

    def __init__(self, budget: float, per_series: float) -> None:
        self._budget = budget
        self._per_series = per_series
        self._numbers: dict[str, int] = {"": 0}
        self._of_row: list[int] = []
        self._row_service = np.empty(0, dtype=np.int64)
        self._start = np.zeros(1)
        self._pressures: dict[str, Pressure] = {}
        self._lasting: dict[str, Anomaly] = {}

    def take(self, tellings: Iterable[Telling]) -> None:
        """From now on this was told."""
        self._pressures = pressures(tellings, self._budget)

    def begin_anew(self) -> None:
        """Rows have other numbers now."""
        self._numbers, self._of_row = {"": 0}, []

    def look(self, labels: Sequence[Labels]) -> None:
        """Take in the rows that are new at the end of ``labels``."""
        new = labels[len(self._of_row) :]
        if not new:
            return
        for each in new:
            service = service_of(each)
            self._of_row.append(self._numbers.setdefault(service, len(self._numbers)))
        self._row_service = np.array(self._of_row, dtype=np.int64)
        series = np.bincount(self._row_service, minlength=len(self._numbers))
        self._start = np.log10(np.maximum(series * self._per_series / self._budget, 1.0))
        self._start[0] = 0.0  # what belongs to no service has the budget of each series

    def start(self, rows: Rows) -> NDArray[np.float64]:
        """Decades by which these rows' bars are higher, since their services have many series."""
        found: NDArray[np.float64] = self._start[self._row_service[rows]]
        return found

    def pressure(self, service: str, at: float) -> float:
        """Decades by which the bar of a service is raised by what was told."""
        known = self._pressures.get(service) if service else None
        return known.now(at, self._budget) if known else 0.0

    def restore(self, anomalies: Iterable[Anomaly]) -> None:
        """Take up those that last."""
        for each in anomalies:
            self._lasting[each.id] = each

    def decide(
        self,
        changed: Sequence[Anomaly],
        judged: Judged | None,
        row_of: Callable[[Labels], int | None],
        bar: NDArray[np.float64],
        at: float,
    ) -> list[Anomaly]:
        """The same anomalies, and those that last untold and are rare enough now.

        Each is told, or not: what is not is kept all the same. ``bar``: the rarity from which
        each of the series of ``judged`` may have an anomaly.
        """
        by_id = {each.id: each for each in changed}
        waiting = [a for a in self._lasting.values() if not a.told and a.id not in by_id]
        room = _Room(self, judged, row_of, bar)
        found = [self._decided(each, room, at) for each in room.ranked(by_id.values())]
        found += [a for each in waiting if (a := self._decided(each, room, at)).told]
        for each in found:
            if each.ended_at:
                self._lasting.pop(each.id, None)
            else:
                self._lasting[each.id] = each
        return found

    def _decided(self, anomaly: Anomaly, room: "_Room", at: float) -> Anomaly:
        before = self._lasting.get(anomaly.id)
        if before is not None and (before.told or anomaly.ended_at):
            return replace(anomaly, told=before.told)
        service = anomaly.service
        if anomaly.ended_at or not service:
            return anomaly
        pressure = self.pressure(service, at)
        if anomaly.cause in GAPS:
            told = pressure <= _GAPS_BELOW
        else:
            told = room.beyond(anomaly) >= pressure
        if told:
            self._pressures.setdefault(service, Pressure()).tell(at, self._budget)
        return replace(anomaly, told=told)


class _Room:
    """By how many decades points are beyond the bars that their services have at the start."""

    def __init__(
        self,
        budget: ServiceBudget,
        judged: Judged | None,
        row_of: Callable[[Labels], int | None],
        bar: NDArray[np.float64],
    ) -> None:
        self._budget = budget
        self._judged = judged
        self._row_of = row_of
        self._bar = bar

    def beyond(self, anomaly: Anomaly) -> float:
        """Of the newest point of its series; infinitely below where there is none."""
        row, judged = self._row_of(anomaly.labels), self._judged
        if row is None or judged is None:
            return -math.inf
        i = int(np.searchsorted(judged.rows, row))
        if i >= len(judged.rows) or judged.rows[i] != row:
            return -math.inf
        rarity = float(judged.scored.rarity[i])
        if anomaly.together:
            rarity = max(rarity, (anomaly.together - HALF) / PER_DECADE)
        return rarity - float(self._bar[i]) - float(self._budget.start(np.array([row]))[0])

    def ranked(self, anomalies: Iterable[Anomaly]) -> list[Anomaly]:
        """The rarest first, so that it is what is told."""
        return sorted(anomalies, key=self.beyond, reverse=True)
