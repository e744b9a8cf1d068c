"""Judges every series that has siblings by how far it is from them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.peers.distance import PEER_TAILS, Distances, Members, Segments, measure
from pynomaly.detection.peers.siblings import INSTANCE_LIKE, kin
from pynomaly.detection.streaming.columns import AnyArray, Rows
from pynomaly.detection.streaming.rarity import MIN_POINTS, NEVER, RarityJudge, records_of
from pynomaly.model.labels import Labels

LEAST_MEMBERS = 5
_WEEK = 604_800.0
PATIENCE = 2
"""So many times longer than a series by itself, a member is quiet among its siblings."""
_TOGETHER = 0.3
"""Decades by which the rarest of the statistics is commoner than one of them alone."""
_MOST_BASE = 0.2
_NO_QUANTUM = np.float32(0.0)
_Records = records_of(PEER_TAILS)
_ALONE = -1


class Compared(NamedTuple):
    """The verdict of its siblings on one point of each series, all ``[series]``.

    ``rarity``: decades below once a week, ``NEVER`` where there is no verdict. ``expected``,
    ``lower``, ``upper``: what the siblings let expect, and the band that is left about once a week.
    ``siblings``: how many others there are (0 where too few); ``median``: of the whole group.
    """

    rarity: NDArray[np.float64]
    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    siblings: NDArray[np.int64]
    median: NDArray[np.float64]

    @classmethod
    def blank(cls, size: int) -> "Compared":
        """No verdict on so many."""
        expected, lower, upper, median = np.full((4, size), np.nan)
        rarity, siblings = np.full(size, float(NEVER)), np.zeros(size, dtype=np.int64)
        return cls(rarity, expected, lower, upper, siblings, median)


class PeerJudge:
    """The state of the members of all groups, by the rows of their series; some 120 bytes each.

    ``least``: members that a group must have, those that are known for long enough.
    ``min_points``: after how many points a series is judged by itself; by siblings after twice as
    many.
    """

    def __init__(
        self,
        by: Sequence[str] = INSTANCE_LIKE,
        least: int = LEAST_MEMBERS,
        min_points: int = MIN_POINTS,
    ) -> None:
        self.by = tuple(by)
        self._least = least
        self._rarity = RarityJudge(PEER_TAILS, PATIENCE * min_points, _MOST_BASE, doubts=False)
        self._members = Members.blank(0)
        self._records = _Records.blank(0)
        self._numbers: dict[Labels, int] = {}
        self._group = np.empty(0, dtype=np.int64)

    @property
    def bytes_per_series(self) -> int:
        """How much memory one series takes."""
        return self._members.bytes_per_series + self._records.bytes_per_series + 8

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        self._members = self._members.resized(rows, size)
        self._records = self._records.resized(rows, size)
        self._group = self._group[rows[rows < len(self._group)]]
        if len(self._numbers) > 2 * len(self._group) + 1000:
            self._numbers = {}
            self._group = np.empty(0, dtype=np.int64)

    def arrays(self) -> dict[str, AnyArray]:
        """The whole state, for a file."""
        return {**self._members.arrays("peers"), **self._records.arrays("peer_records")}

    def restore(self, arrays: Mapping[str, AnyArray], size: int) -> None:
        """Go on from what ``arrays`` gave; begin anew when that is of another version."""
        try:
            members = Members.of_arrays("peers", arrays)
            records = _Records.of_arrays("peer_records", arrays)
        except (KeyError, ValueError):
            members, records = Members.blank(size), _Records.blank(size)
        self._members, self._records = members, records
        self._numbers, self._group = {}, np.empty(0, dtype=np.int64)

    def update(
        self,
        rows: Rows,
        labels: Sequence[Labels],
        values: NDArray[np.float64],
        interval: NDArray[np.float64],
        learn: NDArray[np.bool_] | None = None,
    ) -> Compared:
        """Judge one new point of each of these series by its siblings, then learn from it.

        ``rows`` rise; ``labels``: of every row there is. ``interval``: seconds between the points.
        ``learn``: which of the points are learnt from; all unless given.
        """
        self._name_groups(labels)
        found = Compared.blank(len(rows))
        group = self._group[rows]
        at = np.flatnonzero((group != _ALONE) & np.isfinite(values))
        at = at[np.argsort(group[at], kind="stable")]
        if not len(at):
            return found
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            segments, learnt = Segments(group[at]), None if learn is None else learn[at]
            self._judge(rows[at], segments, values[at], interval[at], at, found, learnt)
        return found

    def _judge(
        self,
        rows: Rows,
        segments: Segments,
        values: NDArray[np.float64],
        interval: NDArray[np.float64],
        at: Rows,
        found: Compared,
        learn: NDArray[np.bool_] | None,
    ) -> None:
        members, records = self._members.take(rows), self._records.take(rows)
        away = measure(members, segments, values, self._least)
        per_week = (_WEEK / interval).astype(np.float32)
        rarity, limit = self._rarity.judge(
            records, away.statistics, _NO_QUANTUM, members.count, per_week
        )
        if learn is None:
            self._members.put(rows, members)
            self._records.put(rows, records)
        else:
            self._members.put(rows[learn], members.take(np.flatnonzero(learn)))
            self._records.put(rows[learn], records.take(np.flatnonzero(learn)))
        self._say(found, at, away, rarity.max(axis=0), limit)

    def _say(
        self,
        found: Compared,
        at: Rows,
        away: Distances,
        rarity: NDArray[np.float32],
        limit: NDArray[np.float32],
    ) -> None:
        known = away.judged & (rarity > NEVER)
        found.rarity[at] = np.where(known, rarity - _TOGETHER, NEVER)
        half = away.unit * limit
        found.expected[at] = away.expected
        found.lower[at] = away.expected - half
        found.upper[at] = away.expected + half
        enough = away.siblings >= self._least - 1
        found.siblings[at] = np.where(enough, away.siblings, 0)
        found.median[at] = np.where(enough, away.median, np.nan)

    def _name_groups(self, labels: Sequence[Labels]) -> None:
        """Number the groups of the rows that are new."""
        first = len(self._group)
        if first == len(labels):
            return
        new = np.full(len(labels) - first, _ALONE, dtype=np.int64)
        for i, each in enumerate(labels[first:]):
            key = kin(each, self.by)
            if key is not None:
                new[i] = self._numbers.setdefault(key, len(self._numbers))
        self._group = np.concatenate((self._group, new))
