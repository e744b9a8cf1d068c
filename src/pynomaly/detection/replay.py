"""Runs the scorer over series of the past, point by point, as it would have run live."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.excluded import Excluded
from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.episodes import Changes, EpisodeMachine
from pynomaly.detection.streaming.scorer import Scored, StreamScorer

_TELL_EVERY = 200


@dataclass(frozen=True, slots=True, eq=False)
class PastSeries:
    """One series: ``seconds`` int64 (local time, in the order of the rows), ``values`` float64.

    A NaN is a row without a value: it is not scored. ``excluded``: what of the rows is not learnt
    or not told, and which lie on days off; None where nothing is.
    """

    seconds: NDArray[np.int64]
    values: NDArray[np.float64]
    excluded: Excluded | None = None

    def __len__(self) -> int:
        return len(self.values)


class Tick(NamedTuple):
    """What is found at one row: ``present`` says of which series, rising.

    ``excluded``: what is not learnt or told of these, None where nothing is.
    """

    row: int
    present: Rows
    scored: Scored
    interval: NDArray[np.float64]
    excluded: Excluded | None = None

    def step(self, machine: EpisodeMachine) -> Changes:
        """Take this row into episodes: what of them is told."""
        if self.excluded is None:
            return machine.step(self.present, self.scored.rarity, self.interval)
        rarity = self.excluded.rarity(self.scored)
        changes = machine.step(self.present, rarity, self.interval)
        return self.excluded.told(changes)


class Event(NamedTuple):
    """Where an episode opens or escalates: the row and the series, as numbers; 0 to 1."""

    row: int
    series: int
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Lookback:
    """What would have been found.

    ``score``, ``expected``, ``lower``, ``upper``: float64 ``[series, rows]``, NaN where nothing is
    known. ``events``: for each budget, in the order of time.
    """

    score: NDArray[np.float64]
    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    events: dict[float, list[Event]]


def walk(
    series: Sequence[PastSeries], progress: Callable[[int], None] = lambda rows: None
) -> Iterator[Tick]:
    """Score the series side by side, row by row; they do not influence each other.

    ``progress`` is told how many more rows of all series are done.
    """
    longest = max(map(len, series), default=0)
    excluded = _side_by_side([each.excluded for each in series], longest)
    seconds = np.zeros((longest, len(series)), dtype=np.int64)
    values = np.full((longest, len(series)), np.nan)
    for i, each in enumerate(series):
        seconds[: len(each), i] = each.seconds
        values[: len(each), i] = each.values
    scorer = StreamScorer(len(series))
    done = 0
    for row in range(longest):
        present = np.flatnonzero(~np.isnan(values[row]))
        if len(present):
            at, its = seconds[row, present], excluded(row, present)
            season, learn = (its.season(at), its.learn) if its else (None, None)
            scored = scorer.update(present, at, values[row, present], season, learn)
            yield Tick(row, present, scored, scorer.interval(present), its)
        done += len(present)
        if row % _TELL_EVERY == 0 or row == longest - 1:
            progress(done)
            done = 0


def _side_by_side(
    given: Sequence[Excluded | None], rows: int
) -> Callable[[int, Rows], Excluded | None]:
    """What is excluded at a row, of some of the series."""
    there = {i: each for i, each in enumerate(given) if each is not None}
    if not there:
        return lambda row, present: None
    learn, alarm = np.ones((2, rows, len(given)), dtype=np.bool_)
    day_off = np.zeros((rows, len(given)), dtype=np.bool_)
    day_like = 0
    for i, each in there.items():
        its = slice(len(each.learn))
        learn[its, i], alarm[its, i], day_off[its, i] = each.learn, each.alarm, each.day_off
        day_like = each.day_like

    def at(row: int, present: Rows) -> Excluded | None:
        found = Excluded(learn[row], alarm[row], day_off[row], day_like).of(present)
        return found if found.any else None

    return at


def look_back(
    series: Sequence[PastSeries],
    budgets: Sequence[float],
    progress: Callable[[int], None] = lambda rows: None,
) -> Lookback:
    """Score series of the past once, and say which events each budget would have allowed."""
    longest = max(map(len, series), default=0)
    verdicts = np.full((4, len(series), longest), np.nan)
    machines = {budget: EpisodeMachine(len(series), budget) for budget in budgets}
    events: dict[float, list[Event]] = {budget: [] for budget in budgets}
    for tick in walk(series, progress):
        verdicts[:, tick.present, tick.row] = np.stack(tick.scored[:4])
        for budget, machine in machines.items():
            confidence = tick.step(machine).confidence
            for i in np.flatnonzero(confidence).tolist():
                event = Event(tick.row, int(tick.present[i]), float(confidence[i]))
                events[budget].append(event)
    score, expected, lower, upper = verdicts
    return Lookback(score, expected, lower, upper, events)
