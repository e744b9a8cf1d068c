"""The life of alerts from the times at which they were found: ``rules.state`` over columns.

What ``rules.state.advance`` does step by step follows from the runs alone: an alert is pending
from the first evaluation of a run, fires at the first one that is ``for`` later, and is resolved
at the first one after its run that is ``keep_firing_for`` later than the run's end and at which it
is still not found. Times are compared as there, in floats.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import Labels
from pynomaly.rules.backtest.runs import Runs
from pynomaly.rules.state import Timing


@dataclass(slots=True, eq=False)
class Episode:
    """One alert from pending to its end. Times are epoch seconds.

    ``fired_at`` is 0 if it never fired; ``ended_at`` is 0 if it was still active at the last
    evaluation. ``value`` is what it began with, ``low`` and ``high`` are its extremes.
    ``cleared`` says that it ended since the rule exceeded its limit; ``series`` are the labels of
    the series that gave it, where they are known.
    """

    labels: Labels
    pending_at: float
    fired_at: float
    ended_at: float
    value: float
    low: float
    high: float
    cleared: bool = False
    series: Labels | None = None


def episodes(runs: Runs, timing: Timing) -> list[Episode]:
    """Every alert that was pending or firing, in the order of alerts and time."""
    return list(_Machine(runs, timing).run())


class _Machine:
    def __init__(self, runs: Runs, timing: Timing) -> None:
        self._runs = runs
        self._times: list[float] = runs.times.tolist()
        self._timing = timing

    def run(self) -> Iterator[Episode]:
        runs, times = self._runs, self._times
        firing: Episode | None = None  # its run has ended, it goes on unless it is resolved
        end = 0
        alert_before = -1
        columns = (runs.alert, runs.first, runs.last, runs.value, runs.low, runs.high)
        for alert, first, last, value, low, high in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            if firing is not None:
                goes_on = alert == alert_before and self._resolved(end) >= first
                if goes_on:
                    firing.low, firing.high = min_of(firing.low, low), max_of(firing.high, high)
                    end = last + 1
                    continue
                yield self._close(firing, end)
                firing = None
            fires = self._reached(first, self._timing.hold)
            labels = runs.labels[alert]
            alert_before, end = alert, last + 1
            if fires > last:
                ended = times[end] if end < len(times) else 0.0
                yield Episode(labels, times[first], 0.0, ended, value, low, high)
            else:
                firing = Episode(labels, times[first], times[fires], 0.0, value, low, high)
        if firing is not None:
            yield self._close(firing, end)

    def _close(self, firing: Episode, end: int) -> Episode:
        resolved = self._resolved(end)
        if resolved < len(self._times):
            firing.ended_at = self._times[resolved]
        return firing

    def _resolved(self, end: int) -> int:
        """The evaluation that resolves an alert not found from ``end`` on."""
        return self._reached(end, self._timing.keep_firing_for)

    def _reached(self, since: int, span: float) -> int:
        """The first evaluation that is ``span`` later than that of ``since``, or their number."""
        times, count = self._times, len(self._times)
        if span <= 0 or since >= count:
            return min(since, count)
        began = times[since]
        found = bisect_left(times, began + span, lo=since)
        # ``a - b >= span`` and ``a >= b + span`` can differ by a rounding; the former decides.
        while found > since and times[found - 1] - began >= span:
            found -= 1
        while found < count and times[found] - began < span:
            found += 1
        return found


def min_of(a: float, b: float) -> float:
    """The lesser one; a number rather than NaN."""
    return b if a != a or b < a else a


def max_of(a: float, b: float) -> float:
    """The greater one; a number rather than NaN."""
    return b if a != a or b > a else a


def most_active(found: list[Episode], times: NDArray[np.float64]) -> int:
    """The most alerts that are pending or firing at one evaluation."""
    begins = np.searchsorted(times, [each.pending_at for each in found])
    ends = np.searchsorted(times, [each.ended_at or np.inf for each in found])
    change = np.zeros(len(times) + 1, dtype=np.int64)
    np.add.at(change, begins, 1)
    np.add.at(change, ends, -1)
    return int(np.cumsum(change).max(initial=0))
