"""Lets history pass by: every rule of a plan, window after window."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pynomaly.rules.backtest.overlay import Source
from pynomaly.rules.backtest.pieces import Piece, Progress
from pynomaly.rules.backtest.plan import Member, Plan, Times, longest_look_back
from pynomaly.rules.backtest.track import Alerting, Recording

_FIRST_STEPS = 64
_GROWTH = 8
_POINTS = 500_000
"""About how many points an expression should give at a time: what they are made of is larger."""
_MOST_STEPS = 11_000  # Prometheus's limit on a range query
_AHEAD = 2  # windows that are asked for at once where no rule reads what another one records

Tracked = Alerting | Recording


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """What one rule gave in one window."""

    tracked: Tracked
    first: int
    times: Times
    pieces: list[Piece]


async def replay(
    plan: Plan, source: Source, tracked: Sequence[Tracked], progress: Progress
) -> None:
    """Evaluate every rule at all of its times and fold what it gives into ``tracked``.

    Raises:
        BacktestFailed, QueryTimeout, and what the querier raises of servers that are away.
    """
    windows = _Windows(plan)
    if not windows.any:
        return
    by_member: dict[Member, list[Tracked]] = defaultdict(list)
    for each in tracked:
        by_member[each.member].append(each)
    ordered = [each for member in plan.members for each in by_member[member]]
    if plan.writers:
        await _in_order(plan, windows, source, ordered, progress)
        return
    async for answers in _ahead(windows, ordered):
        for given in answers:
            await given.tracked.fold(given.first, given.times, given.pieces)
        progress(windows.share(answers))


async def _in_order(
    plan: Plan, windows: "_Windows", source: Source, ordered: Sequence[Tracked], progress: Progress
) -> None:
    lookback = round(source.settings.lookback * 1000)
    horizon = longest_look_back((member.node for member in plan.members), lookback)
    for begin, end in windows:
        for each in ordered:
            answers = await _ask(each, begin, end)
            if answers is not None:
                windows.learn(answers)
                await each.fold(answers.first, answers.times, answers.pieces)
        if horizon >= 0:
            offset = max(member.group.query_offset for member in plan.members)
            source.recorded.forget_before(round((end - offset) * 1000) - horizon)
        progress(windows.done)


async def _ahead(windows: "_Windows", ordered: Sequence[Tracked]) -> AsyncIterator[list[_Answers]]:
    waiting: deque[asyncio.Task[list[_Answers]]] = deque()
    try:
        for begin, end in windows:
            waiting.append(asyncio.create_task(_window(windows, ordered, begin, end)))
            if len(waiting) >= (_AHEAD if windows.learned else 1):
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _window(
    windows: "_Windows", ordered: Sequence[Tracked], begin: float, end: float
) -> list[_Answers]:
    found = []
    for each in ordered:
        answers = await _ask(each, begin, end)
        if answers is not None:
            windows.learn(answers)
            found.append(answers)
    return found


async def _ask(tracked: Tracked, begin: float, end: float) -> _Answers | None:
    schedule = tracked.member.schedule
    part = schedule.between(begin, end)
    if part.start >= part.stop:
        return None
    one_by_one = tracked.member.of_the_whole or not schedule.even
    pieces = await tracked.asker.ask(schedule.grid(part), one_by_one=one_by_one)
    return _Answers(tracked, part.start, schedule.times[part], pieces)


class _Windows:
    """Stretches of time, made longer or shorter by how much the rules give."""

    def __init__(self, plan: Plan) -> None:
        times = [m.schedule.times for m in plan.members if len(m.schedule.times)]
        self.any = bool(times)
        self.learned = False
        self._fitting: dict[Tracked, float] = {}
        self._one_by_one = plan.one_by_one
        if not times:
            return
        self._times = np.unique(np.concatenate(times)) if plan.one_by_one else np.empty(0)
        self._begin = min(float(each[0]) for each in times)
        self._last = max(float(each[-1]) for each in times)
        self._shortest = min(m.schedule.step_ms for m in plan.members) / 1000
        self._span = _FIRST_STEPS * self._shortest
        self._now = self._begin
        self.done = 0.0

    def __iter__(self) -> Iterator[tuple[float, float]]:
        if self._one_by_one:
            for index, at in enumerate(self._times.tolist()):
                self.done = (index + 1) / len(self._times)
                yield at, np.nextafter(at, np.inf)
            return
        while self._now <= self._last:
            self._adapt()
            begin, self._now = self._now, self._now + self._span
            self.done = min((self._now - self._begin) / (self._last - self._begin or 1.0), 1.0)
            yield begin, self._now

    def share(self, answers: Sequence[_Answers]) -> float:
        """The share of the time that has passed with these answers, from 0 to 1."""
        if not answers:
            return self.done
        at = max(float(each.times[-1]) for each in answers)
        return (at - self._begin) / (self._last - self._begin or 1.0)

    def learn(self, answers: _Answers) -> None:
        """Note how long a stretch suits a rule, by how many points this one gave."""
        self.learned = True
        rows = max((len(p.matrix) for p in answers.pieces if p.matrix is not None), default=0)
        interval = answers.tracked.member.schedule.step_ms / 1000
        fitting = _POINTS / max(rows, 1) * interval
        if (most := answers.tracked.asker.most_steps) is not None:
            fitting = min(fitting, most * interval)
        self._fitting[answers.tracked] = fitting

    def _adapt(self) -> None:
        longest = min(_MOST_STEPS * self._shortest, self._span * _GROWTH)
        if self._fitting:
            self._span = max(min(longest, *self._fitting.values()), self._shortest)
