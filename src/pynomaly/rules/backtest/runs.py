"""For how long each alert was found, in columns: what the state machine needs of a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, ValueArray
from pynomaly.promql.contract import Matrix

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Uninterrupted times for which alerts were found, by alert and then by time.

    Run ``i`` is of the alert ``labels[alert[i]]`` and goes from evaluation ``first[i]`` to
    ``last[i]`` (both included; indices into ``times``, float64, epoch seconds: the evaluations
    that did not fail). ``value`` is what it began with; ``low`` and ``high`` are its extremes,
    NaN if it had no number.
    """

    labels: Sequence[Labels]
    times: NDArray[np.float64]
    alert: Indices
    first: Indices
    last: Indices
    value: ValueArray
    low: ValueArray
    high: ValueArray


@dataclass(slots=True, eq=False)
class _Part:
    alert: Indices
    first: Indices
    last: Indices
    value: ValueArray
    low: ValueArray
    high: ValueArray


@dataclass(slots=True, eq=False)
class RunCollector:
    """Collects the runs of one rule, chunk by chunk in the order of time.

    ``alerts`` gives the labels of the alert of a series; different series may give the same
    alert at different times. Where two give it at once the rule fails, as it does live.
    """

    collisions: int = 0
    first_collision: float = 0.0
    _labels: dict[Labels, int] = field(default_factory=dict)
    _times: list[NDArray[np.float64]] = field(default_factory=list)
    _parts: list[_Part] = field(default_factory=list)
    _done: int = 0

    def add(
        self,
        times: NDArray[np.float64],
        matrix: Matrix,
        found: BoolArray,
        alerts: Mapping[Labels, Labels],
    ) -> None:
        """The next evaluations: ``found`` says which cells of the matrix the rule gives."""
        numbers = [
            self._labels.setdefault(alerts[each], len(self._labels)) for each in matrix.labels
        ]
        alert = np.array(numbers, dtype=np.int64)
        values = matrix.values
        if len(set(numbers)) < len(numbers):
            alert, values, found, crowded = together(alert, values, found)
            times, values, found = self._without(crowded, times, values, found)
        self._times.append(times)
        self._parts.append(_runs(alert, values, found, self._done))
        self._done += len(times)

    def _without(
        self,
        crowded: BoolArray,
        times: NDArray[np.float64],
        values: ValueArray,
        found: BoolArray,
    ) -> tuple[NDArray[np.float64], ValueArray, BoolArray]:
        if crowded.any():
            self.first_collision = self.first_collision or float(times[crowded][0])
            self.collisions += int(crowded.sum())
        return times[~crowded], values[:, ~crowded], found[:, ~crowded]

    def runs(self) -> Runs:
        """Everything so far, with runs that go on from one chunk to the next made whole."""
        times = np.concatenate(self._times) if self._times else np.empty(0)
        if not self._parts:
            none, nothing = np.empty(0, dtype=np.int64), np.empty(0)
            return Runs([], times, none, none, none, nothing, nothing, nothing)
        alert, first, last, value, low, high = (
            np.concatenate([getattr(part, name) for part in self._parts])
            for name in ("alert", "first", "last", "value", "low", "high")
        )
        order = np.lexsort((first, alert))
        alert, first, last = alert[order], first[order], last[order]
        value, low, high = value[order], low[order], high[order]
        begins = np.ones(len(alert), dtype=np.bool_)
        begins[1:] = (alert[1:] != alert[:-1]) | (first[1:] != last[:-1] + 1)
        starts = np.flatnonzero(begins)
        ends = np.concatenate((starts[1:], [len(alert)])) - 1 if len(starts) else starts
        if len(starts):
            low, high = np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
        return Runs(
            list(self._labels),
            times,
            alert[starts],
            first[starts],
            last[ends],
            value[starts],
            low,
            high,
        )


def together(
    alert: Indices, values: ValueArray, found: BoolArray
) -> tuple[Indices, ValueArray, BoolArray, BoolArray]:
    """One row for each alert, and the steps at which two series give the same one."""
    distinct, row = np.unique(alert, return_inverse=True)
    count = np.zeros((len(distinct), values.shape[1]), dtype=np.int64)
    merged = np.zeros(count.shape)
    for source, target in enumerate(row.tolist()):
        count[target] += found[source]
        merged[target] = np.where(found[source], values[source], merged[target])
    return distinct, merged, count > 0, np.any(count > 1, axis=0, keepdims=False)


def _runs(alert: Indices, values: ValueArray, found: BoolArray, done: int) -> _Part:
    rows, steps = found.shape
    # A column that is never found on both sides: no run goes from one row to the next.
    padded = np.zeros((rows, steps + 2), dtype=np.int8)
    padded[:, 1:-1] = found
    change = np.diff(padded.reshape(-1))
    begin, end = np.flatnonzero(change == 1) + 1, np.flatnonzero(change == -1) + 1
    row, column = np.divmod(begin, steps + 2)
    lengths = end - begin
    first = column - 1 + done
    kept = np.ascontiguousarray(values)[found]
    at = np.cumsum(lengths) - lengths
    if not len(at):
        return _Part(alert[row], first, first, kept, kept, kept)
    low, high = np.fmin.reduceat(kept, at), np.fmax.reduceat(kept, at)
    return _Part(alert[row], first, first + lengths - 1, kept[at], low, high)
