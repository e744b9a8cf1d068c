"""What is little in each series and rare in all of them together, service by service.

For each service: the truncated product of the rarities of its series (D. V. Zaykin et al.,
"Truncated product method for combining P-values", 2002; Fisher's with only what stands out in
it), the excess over its usual. How rare that is, is read from the records of the service itself,
so that series which always move together are not counted as if they were independent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import AnyArray, Column, Columns, FloatArray, Rows
from pynomaly.detection.streaming.episodes import Changes, EpisodeMachine, Episodes
from pynomaly.detection.streaming.rarity import NEVER, RarityJudge, Tail, records_of
from pynomaly.model.labels import Labels, service_of

TAILS = (
    Tail("together", rank=2, index=0.12, handicap=0.8),
    Tail("together_10", rank=3, index=0.12, handicap=0.8),
)
"""A sum of many has a light tail. Chosen on generated services without anomalies (``benchmarks
peers``)."""
LEAST = 3
"""Series that a service must have, and that must stand out at once."""
STANDS_OUT = -1.5
"""Decades below once a week: what some thirty points of a week pass."""

_FROM = 2.5
"""A rarity above minus this counts."""
_MOST = 2.5
"""More than that one series alone does not bring."""
_USUAL_POINTS = 2000
_MEAN_POINTS = np.float32(10.0)
_YOUNG = 100
"""Points after which the usual sum of a service is known."""
_LEAST_EXCESS = np.float32(0.3)
"""How much more than ever is no record yet."""
_MOST_BASE = 0.2
_WEEK = 604_800.0
_NONE = -1
_Records = records_of(TAILS)


@dataclass(slots=True)
class _Sums(Columns):
    """Of each service: the usual sum, the running mean of its excess, and the points so far."""

    usual: FloatArray
    mean: FloatArray
    count: NDArray[np.int32]

    SPEC: ClassVar = {
        "usual": Column(),
        "mean": Column(),
        "count": Column(dtype=np.int32),
    }


@dataclass(frozen=True, slots=True)
class Joint:
    """A service whose series are rare together now: which of the rows, the rarest first.

    ``rarity``: in decades below once a week, ``confidence``: 0 to 1, of all of them.
    """

    service: str
    at: NDArray[np.int64]
    rarity: float
    confidence: float


class Together:
    """The state of all services, and where one opens an episode."""

    def __init__(self, budget: float, min_points: int) -> None:
        self._judge = RarityJudge(TAILS, 2 * min_points, _MOST_BASE, doubts=False)
        self._episodes = EpisodeMachine(budget=budget)
        self._sums = _Sums.blank(0)
        self._records = _Records.blank(0)
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._service = np.empty(0, dtype=np.int64)

    def resize(self, rows: Rows) -> None:
        """Keep these rows of series, in this order."""
        self._service = self._service[rows[rows < len(self._service)]]

    def step(
        self,
        rows: Rows,
        labels: Sequence[Labels],
        rarity: NDArray[np.float64],
        interval: NDArray[np.float64],
    ) -> list[Joint]:
        """Take in the rarity of one point of each of these series; where an episode opens.

        ``rarity``: decades below once a week, NaN while a series is not known. ``labels``: of
        every row there is. What is found has places in ``rows``.
        """
        self._name_services(labels)
        service = np.where(np.isnan(rarity), _NONE, self._service[rows])
        known = np.flatnonzero(service != _NONE)
        size = len(self._names)
        members = np.bincount(service[known], minlength=size)
        due = np.flatnonzero(members >= LEAST)
        if not len(due):
            return []
        weight = np.clip(rarity[known] + _FROM, 0.0, _MOST)
        sums = np.bincount(service[known], weight, size)[due] / np.sqrt(members[due])
        seconds = np.bincount(service[known], interval[known], size)[due] / members[due]
        out = rarity >= STANDS_OUT
        several = np.bincount(service[known], out[known], size)[due] >= LEAST
        rare, changes = self._rare(due, sums.astype(np.float32), seconds, several)
        found = []
        for i in np.flatnonzero(changes.opened).tolist():
            at = np.flatnonzero(out & (service == due[i]))
            ranked = at[np.argsort(-rarity[at], kind="stable")]
            name = self._names[int(due[i])]
            found.append(Joint(name, ranked, float(rare[i]), float(changes.confidence[i])))
        return found

    def lasts(self, service: str) -> bool:
        """Whether an episode of this service is open."""
        number = self._numbers.get(service)
        return number is not None and bool(self._episodes.open(np.array([number]))[0])

    def arrays(self) -> dict[str, AnyArray]:
        """The whole state, for a file."""
        names = np.frombuffer(json.dumps(self._names).encode(), dtype=np.uint8)
        return {
            "together.names": names,
            **self._sums.arrays("together"),
            **self._records.arrays("together_records"),
            **self._episodes.state.arrays("together_episodes"),
        }

    def restore(self, arrays: Mapping[str, AnyArray]) -> None:
        """Go on from what ``arrays`` gave; begin anew when that is of another version."""
        try:
            names = json.loads(arrays["together.names"].tobytes())
            sums = _Sums.of_arrays("together", arrays)
            records = _Records.of_arrays("together_records", arrays)
            episodes = Episodes.of_arrays("together_episodes", arrays)
        except (KeyError, ValueError):
            return
        self._sums, self._records = sums, records
        self._episodes.restore(episodes)
        self._service = np.empty(0, dtype=np.int64)
        self._names, self._numbers = names, {name: i for i, name in enumerate(names)}

    def _rare(
        self,
        due: Rows,
        sums: FloatArray,
        seconds: NDArray[np.float64],
        several: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float64], Changes]:
        state, records = self._sums.take(due), self._records.take(due)
        state.count += 1
        excess = np.maximum(sums - state.usual, np.float32(0.0))
        excess[state.count <= _YOUNG] = 0.0
        state.usual += (sums - state.usual) / np.minimum(state.count, _USUAL_POINTS)
        state.mean += (excess - state.mean) / _MEAN_POINTS
        statistics = np.stack((excess, state.mean))
        per_week = (_WEEK / seconds).astype(np.float32)
        rarity, _ = self._judge.judge(records, statistics, _LEAST_EXCESS, state.count, per_week)
        self._sums.put(due, state)
        self._records.put(due, records)
        rarest = np.where(several, rarity.max(axis=0), NEVER).astype(np.float64)
        return rarest, self._episodes.step(due, rarest, seconds)

    def _name_services(self, labels: Sequence[Labels]) -> None:
        """Number the services of the rows that are new."""
        first = len(self._service)
        if first == len(labels):
            return
        new = [self._number(service_of(each)) for each in labels[first:]]
        self._service = np.concatenate((self._service, np.array(new, dtype=np.int64)))

    def _number(self, service: str) -> int:
        if not service:
            return _NONE
        number = self._numbers.setdefault(service, len(self._names))
        if number == len(self._names):
            self._names.append(service)
            if number >= len(self._sums.count):
                size = max(16, 2 * number)
                kept = np.arange(number)
                self._sums = self._sums.resized(kept, size)
                self._records = self._records.resized(kept, size)
                self._episodes.resize(kept, size)
        return number
