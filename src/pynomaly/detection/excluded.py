"""What events of the calendar exclude: from what is learnt, and from what is told.

While nothing is active it costs one look at the calendar. What an event concerns is found by the
values of the labels that its matchers name, each once, not series by series.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pynomaly.calendar.config import WEEKDAYS, CalendarSettings
from pynomaly.calendar.events import Event, EventKind, Occurrence, seen
from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.episodes import Changes
from pynomaly.detection.streaming.scorer import Scored
from pynomaly.model.labels import Labels

_DAY = 86_400
_WEEKDAYS: tuple[str, ...] = WEEKDAYS
_MONDAY_DAYS = 3  # the epoch began on a Thursday


class Happenings(Protocol):
    """Where events are looked up."""

    @property
    def settings(self) -> CalendarSettings:
        """Which day of the week a holiday is like, among others."""
        ...

    def between(self, since: float, until: float) -> list[Occurrence]:
        """What lies at least partly in ``[since, until]``."""
        ...


@dataclass(frozen=True, slots=True)
class Excluded:
    """What is made of each of some series now: masks, all of one length.

    ``learn``: what is usual is learnt. ``alarm``: anomalies are told. ``day_off``: it is judged
    like the day of the week ``day_like``, of which Monday is 0.
    """

    learn: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    day_off: NDArray[np.bool_]
    day_like: int = 6

    @property
    def any(self) -> bool:
        """Whether anything is excluded at all."""
        return not (self.learn.all() and self.alarm.all()) or bool(self.day_off.any())

    def of(self, rows: Rows) -> "Excluded":
        """The same of these rows only."""
        return Excluded(self.learn[rows], self.alarm[rows], self.day_off[rows], self.day_like)

    def season(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """The local seconds whose usual values are to be expected at these: on a day off, those
        of the same time on the day of the week before that it is like."""
        weekday = (seconds // _DAY + _MONDAY_DAYS) % 7
        since = (weekday - self.day_like) % 7
        return np.where(self.day_off, seconds - since * _DAY, seconds)

    def waits(self, handicap: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same decades, infinite where nothing is told."""
        return np.where(self.alarm, handicap, np.inf)

    def rarity(self, scored: Scored) -> NDArray[np.float64]:
        """Of a verdict on these series, as far as it may open an episode.

        What is learnt but not told opens one all the same, of which nobody is told (``told``): it
        lasts until the new is usual, which may be later than the event. What is not learnt either
        opens none, so that it is told if it is still there when the event is over.
        """
        return np.where(self.alarm | self.learn, scored.rarity, -np.inf)

    def told(self, changes: Changes) -> Changes:
        """What of these changes is told."""
        return changes._replace(
            opened=changes.opened & self.alarm,
            escalated=changes.escalated & self.alarm,
            confidence=np.where(self.alarm, changes.confidence, 0.0),
        )


class Exclusions:
    """Which series are concerned by what the calendar has, by the rows of the judge."""

    def __init__(self, calendar: Happenings | None) -> None:
        self._calendar = calendar
        self._columns: dict[str, _Column] = {}

    def between(self, since_ms: int, until_ms: int, labels: Sequence[Labels]) -> Excluded | None:
        """What is excluded of points that came between; None while nothing is.

        ``labels``: of every row there is. Milliseconds.
        """
        if self._calendar is None:
            return None
        found = self._calendar.between(since_ms / 1000, until_ms / 1000)
        # What is over as the time begins, or begins as it ends, has no part in it.
        events = [
            each.event
            for each in found
            if each.event.has_effect
            and each.ends_at > since_ms / 1000
            and each.starts_at < until_ms / 1000
        ]
        return self._masks(events, labels) if events else None

    def resize(self, rows: Rows) -> None:
        """Keep these rows, in this order."""
        for column in self._columns.values():
            column.keep(rows)

    def _masks(self, events: Sequence[Event], labels: Sequence[Labels]) -> Excluded:
        assert self._calendar is not None
        like = WEEKDAYS.index(self._calendar.settings.holiday_like)
        learn, alarm = np.ones((2, len(labels)), dtype=np.bool_)
        found = Excluded(learn, alarm, np.zeros(len(labels), dtype=np.bool_), like)
        for event in events:
            concerned = self._concerned(event, labels)
            if not event.learn:
                found.learn[concerned] = False
            if not event.alarm:
                found.alarm[concerned] = False
            if event.kind is EventKind.HOLIDAY:
                found.day_off[concerned] = True
        return found

    def _concerned(self, event: Event, labels: Sequence[Labels]) -> NDArray[np.bool_]:
        found = np.ones(len(labels), dtype=np.bool_)
        for matcher in event.matchers:
            column = self._columns.setdefault(matcher.name, _Column(matcher.name))
            column.extend(labels)
            matched = np.array([matcher.matches(value) for value in column.values], dtype=np.bool_)
            found &= matched[column.codes]
        return found


class _Column:
    """The values of one label by row: each value once, and a code for each row."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.values: dict[str, int] = {}
        self.codes = np.empty(0, dtype=np.int64)

    def extend(self, labels: Sequence[Labels]) -> None:
        """Take in the rows that are new."""
        first, values = len(self.codes), self.values
        if first == len(labels):
            return
        found = (seen(self._name, each) for each in labels[first:])
        codes = [values.setdefault(value, len(values)) for value in found]
        self.codes = np.concatenate((self.codes, np.array(codes, dtype=np.int64)))

    def keep(self, rows: Rows) -> None:
        """Keep these rows, in this order."""
        self.codes = self.codes[rows[rows < len(self.codes)]]


def excluded_of_all(
    calendar: Happenings | None, series: Sequence[Labels], at: NDArray[np.int64]
) -> list[Excluded | None]:
    """What the calendar excludes of each of these series, at these epoch seconds, which rise."""
    if calendar is None or not len(at):
        return [None] * len(series)
    found = calendar.between(float(at[0]), float(at[-1]))
    like = calendar.settings.holiday_like
    seconds = at.astype(np.float64)
    return [excluded_of(found, each, seconds, like) for each in series]


def excluded_of(
    occurrences: Iterable[Occurrence],
    labels: Mapping[str, str],
    at: NDArray[np.float64],
    like: str = "sunday",
) -> Excluded | None:
    """What these exclude of one series of the past, at these epoch seconds, which rise.

    ``like``: the day of the week that holidays are like. None where nothing is excluded.
    """
    learn, alarm = np.ones((2, len(at)), dtype=np.bool_)
    day_off = np.zeros(len(at), dtype=np.bool_)
    for each in occurrences:
        event = each.event
        if event.has_effect and event.concerns(labels):
            first, beyond = np.searchsorted(at, (each.starts_at, each.ends_at)).tolist()
            learn[first:beyond] &= event.learn
            alarm[first:beyond] &= event.alarm
            day_off[first:beyond] |= event.kind is EventKind.HOLIDAY
    found = Excluded(learn, alarm, day_off, _WEEKDAYS.index(like))
    return found if found.any else None
