"""A backtest itself: what runs in a process of its own, over series that were read."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.algorithms.base import Choices, TrainedDetector
from pynomaly.detection.algorithms.calibration import HALF, PER_DECADE
from pynomaly.detection.algorithms.registry import detector
from pynomaly.detection.contract import FloatMatrix, Times
from pynomaly.detection.excluded import Excluded
from pynomaly.detection.replay import PastSeries, walk
from pynomaly.detection.streaming.episodes import DEFAULT_BUDGET, EpisodeMachine
from pynomaly.detection.watched.episodes import APART
from pynomaly.detection.watched.training import trainable
from pynomaly.model.errors import PynomalyError

JUDGE = "judge"
"""The judge of every series, which needs no training."""
BUDGETS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Events a week and series that are tried."""

_SHOWN = 12
_POINTS = 1500
_WEEK = 604_800.0

Progress = Callable[[float], None]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """``values``: ``[series, steps]``; ``seconds``: UTC, ``times``: local, ``[steps]``.

    The steps before ``first`` are what is learnt from: nothing is told of them. ``excluded``: what
    events of the calendar exclude of each series; empty where they exclude nothing.
    """

    algorithms: tuple[str, ...]
    labels: list[dict[str, str]]
    values: FloatMatrix
    seconds: NDArray[np.int64]
    times: Times
    first: int
    excluded: Sequence[Excluded | None] = ()

    def taught(self) -> FloatMatrix:
        """What is learnt from before the range: without what events exclude."""
        if not any(self.excluded):
            return self.values[:, : self.first]
        values = self.values[:, : self.first].copy()
        for row, its in enumerate(self.excluded):
            if its is not None:
                values[row, ~its.learn[: self.first]] = np.nan
        return values

    @property
    def step(self) -> float:
        """Seconds."""
        return float(self.seconds[1] - self.seconds[0]) if len(self.seconds) > 1 else 60.0


@dataclass(frozen=True, slots=True)
class Episode:
    """A trouble at one budget: the series, first and last row, and the score of its peak."""

    series: int
    start: int
    end: int
    score: float


@dataclass(slots=True)
class Found:
    """Of one algorithm: verdicts ``[series, steps]``, and the episodes of each budget."""

    name: str
    score: FloatMatrix
    expected: FloatMatrix
    lower: FloatMatrix
    upper: FloatMatrix
    episodes: list[list[Episode]]


class Ladder:
    """Episodes at every budget at once: one machine, a row for each series and budget.

    To spend ten times the budget is to take every point for ten times as rare.
    """

    def __init__(self, series: int, apart: float = 1.0) -> None:
        self._series = series
        self._machine = EpisodeMachine(series * len(BUDGETS), DEFAULT_BUDGET * apart)
        self._shift = np.log10(np.array(BUDGETS) / DEFAULT_BUDGET)
        self._open: dict[int, Episode] = {}
        self.episodes: list[list[Episode]] = [[] for _ in BUDGETS]

    def step(
        self,
        row: int,
        present: NDArray[np.int64],
        rarity: NDArray[np.float64],
        interval: NDArray[np.float64],
        *,
        counted: bool,
        alarm: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take in one point of these series; episodes that open are kept if ``counted``.

        ``alarm``: of which of them anything is told; of all unless given.
        """
        places = (np.arange(len(BUDGETS))[:, np.newaxis] * self._series + present).ravel()
        rare = (self._shift[:, np.newaxis] + rarity).ravel()
        changes = self._machine.step(places, rare, np.tile(interval, len(BUDGETS)))
        for i in np.flatnonzero(changes.closed | changes.opened).tolist():
            self._end(int(places[i]), row)
        for i in np.flatnonzero(changes.opened | changes.escalated).tolist():
            if alarm is not None and not alarm[i % len(present)]:
                continue
            place, score = int(places[i]), _score(float(rarity[i % len(present)]))
            before = self._open.get(place)
            if before is not None:
                self._open[place] = Episode(before.series, before.start, row, score)
            elif counted:  # also what began before, and only now is worth a word again
                self._open[place] = Episode(place % self._series, row, row, score)

    def close(self, row: int) -> None:
        """The history is over."""
        for place in list(self._open):
            self._end(place, row)

    def _end(self, place: int, row: int) -> None:
        episode = self._open.pop(place, None)
        if episode is not None:
            ended = Episode(episode.series, episode.start, row, episode.score)
            self.episodes[place // self._series].append(ended)


def run(work: Work, progress: Progress) -> Document:
    """Judge the history by each algorithm; the document that the API and the page give.

    Raises:
        PynomalyError: an algorithm is not there, or not installed.
    """
    count = len(work.algorithms)
    found, notes = [], []
    for i, name in enumerate(work.algorithms):

        def tell(share: float, done: int = i) -> None:
            progress((done + share) / count)

        if name == JUDGE:
            found.append(_judged(work, tell))
        elif (reason := _untrainable(work)) is not None:
            notes.append(f"{name}: {reason}")
        else:
            found.append(_trained(work, name))
        tell(1.0)
    return _document(work, found, notes)


def _judged(work: Work, progress: Progress) -> Found:
    count, steps = work.values.shape
    verdicts = np.full((4, count, steps), np.nan)
    ladder = Ladder(count)
    total = max(1, int(np.count_nonzero(~np.isnan(work.values))))
    done = 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done / total)

    excluded = work.excluded or [None] * count
    series = [PastSeries(work.times, *each) for each in zip(work.values, excluded, strict=True)]
    for tick in walk(series, tell):
        verdicts[:, tick.present, tick.row] = np.stack(tick.scored[:4])
        counted = tick.row >= work.first
        its, rarity = tick.excluded, tick.scored.rarity
        if its is not None:
            rarity = its.rarity(tick.scored)
        alarm = None if its is None else its.alarm
        ladder.step(tick.row, tick.present, rarity, tick.interval, counted=counted, alarm=alarm)
    ladder.close(steps - 1)
    score, expected, lower, upper = verdicts
    return Found(JUDGE, score, expected, lower, upper, ladder.episodes)


def _untrainable(work: Work) -> str | None:
    usable = trainable(work.taught(), work.step)
    if usable.all():
        return None
    lacking = int(np.count_nonzero(~usable))
    return (
        f"{lacking} of {len(usable)} series have less than a day, or fewer than 100 points, "
        "before the range to be trained on; give more with learn"
    )


def _trained(work: Work, name: str) -> Found:
    """Trained on what went before the range, then asked of each step of it."""
    model: TrainedDetector = detector(name, Choices())
    model.fit(work.taught(), work.times[: work.first])
    since = max(0, work.first - model.context)
    excluded = work.excluded or [None] * len(work.values)
    count, steps = work.values.shape
    score = np.full((count, steps), np.nan)
    scored = model.score(work.values[:, since:], work.times[since:])
    score[:, work.first :] = scored[:, work.first - since :]
    ladder = Ladder(count, APART)
    for row in range(work.first, steps):
        present = np.flatnonzero(~np.isnan(score[:, row]))
        rarity = (score[present, row] - HALF) / PER_DECADE
        alarm = np.array([its is None or bool(its.alarm[row]) for its in excluded])[present]
        steps_apart = np.full(len(present), work.step)
        ladder.step(row, present, rarity, steps_apart, counted=True, alarm=alarm)
    ladder.close(steps - 1)
    bands = np.full((3, count, steps), np.nan)
    for row in _rows_shown(work):
        bands[:, :, row] = np.stack(model.usual(work.values[:, :1], work.times[row : row + 1]))
    expected, lower, upper = bands
    return Found(name, score, expected, lower, upper, ladder.episodes)


def _score(rarity: float) -> float:
    return min(1.0, max(0.0, HALF + PER_DECADE * rarity))


def _rows_shown(work: Work) -> NDArray[np.int64]:
    """The rows that are drawn, so many that an eye can tell them apart."""
    steps = work.values.shape[1]
    apart = max(1, math.ceil((steps - work.first) / _POINTS))
    return np.arange(work.first, steps, apart)


def _document(work: Work, found: list[Found], notes: list[str]) -> Document:
    shown = _most_eventful(found, len(work.values))
    rows = _rows_shown(work)
    weeks = work.values[:, work.first :].size * work.step / _WEEK
    return {
        "start": int(work.seconds[work.first]),
        "end": int(work.seconds[-1]),
        "step": work.step,
        "series_count": len(work.values),
        "series_weeks": weeks,
        "budgets": list(BUDGETS),
        "notes": notes,
        "algorithms": [
            {
                "name": one.name,
                "events": [len(each) for each in one.episodes],
                "events_per_week": [len(each) / weeks for each in one.episodes],
            }
            for one in found
        ],
        "times": work.seconds[rows].tolist(),
        "series": [_series(work, found, i, rows) for i in shown],
    }


def _most_eventful(found: list[Found], count: int) -> list[int]:
    """The series with the most events at the largest budgets, of all algorithms together."""
    weight = np.zeros(count)
    for one in found:
        for budget, episodes in zip(BUDGETS, one.episodes, strict=True):
            for each in episodes:
                weight[each.series] += 1 / budget  # what even a small budget tells counts most
    return [int(i) for i in np.argsort(-weight, kind="stable")[:_SHOWN]]


def _series(work: Work, found: list[Found], i: int, rows: NDArray[np.int64]) -> Document:
    return {
        "labels": work.labels[i],
        "values": _outlined(work.values[i], rows),
        "algorithms": [
            {
                "name": one.name,
                **{
                    name: _numbers(getattr(one, name)[i][rows])
                    for name in ("expected", "lower", "upper")
                },
                "episodes": [list(_episodes(work, each, i)) for each in one.episodes],
            }
            for one in found
        ],
    }


def _episodes(work: Work, episodes: list[Episode], series: int) -> Iterator[Document]:
    for each in episodes:
        if each.series == series:
            yield {
                "start": int(work.seconds[each.start]),
                "end": int(work.seconds[each.end]),
                "score": round(each.score, 3),
                "value": float(work.values[series, each.start]),
            }


def _outlined(values: NDArray[np.float64], rows: NDArray[np.int64]) -> list[float | None]:
    """Of each stretch between the rows the value farthest from its median: spikes stay."""
    found = []
    for start, end in zip(rows, [*rows[1:], len(values)], strict=True):
        part = values[start:end]
        part = part[~np.isnan(part)]
        far = np.abs(part - np.median(part)).argmax() if len(part) else 0
        found.append(float(part[far]) if len(part) else math.nan)
    return _numbers(np.array(found))


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """As JSON has them, to five digits: enough to draw."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in values.tolist()]


def work_in_process(work: Work, told: Any) -> None:
    """Run, and send ``("progress", share)``, then ``("done", document)`` or ``("error", fault)``.

    ``told``: one end of a pipe.
    """
    try:
        told.send(("done", run(work, lambda share: told.send(("progress", share)))))
    except PynomalyError as error:
        told.send(("error", (error.status, error.kind, error.message, error.hint)))
