"""Rules as columns: what they want of each row is known before a point comes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.events import Anomaly
from pynomaly.detection.lasting import Lasting
from pynomaly.detection.rules.config import AnomalyRule, Direction
from pynomaly.detection.rules.traffic import Measured
from pynomaly.detection.streaming.columns import Column, Columns, FloatArray, Rows
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match
from pynomaly.promql.contract import Querier

ABOVE, BELOW = 1, 2
_SIDES = {Direction.BOTH: ABOVE | BELOW, Direction.ABOVE: ABOVE, Direction.BELOW: BELOW}


@dataclass(slots=True)
class Wanted(Columns):
    """What all rules together want of each row.

    ``sides``: which directions are told; ``deviation`` and ``relative``: the least distance from
    expected; ``budget``: events a week, NaN for the usual one; ``traffic``: whether there is
    enough of it.
    """

    sides: NDArray[np.uint8]
    deviation: NDArray[np.float64]
    relative: FloatArray
    budget: FloatArray
    traffic: NDArray[np.bool_]

    SPEC: ClassVar = {
        "sides": Column(dtype=np.uint8, first=ABOVE | BELOW),
        "deviation": Column(dtype=np.float64),
        "relative": Column(),
        "budget": Column(first=np.nan),
        "traffic": Column(dtype=np.bool_, first=True),
    }


class Applied:
    """The rules that hold, applied to rows. Take it from one thread at once."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._rules: tuple[AnomalyRule, ...] = ()
        self._measured: dict[int, Measured] = {}
        self._rows_of: dict[int, list[int]] = {}
        self._wanted = Wanted.blank(0)
        self._size = 0

    def take(self, rules: Sequence[AnomalyRule]) -> None:
        """From now on these rules hold, and no others."""
        self._rules = tuple(rules)
        self._measured = {
            i: Measured(rule.min_traffic) for i, rule in enumerate(rules) if rule.min_traffic
        }
        self.begin_anew()

    def begin_anew(self) -> None:
        """Rows have other numbers now."""
        self._wanted, self._size, self._rows_of = Wanted.blank(0), 0, {}

    async def read_traffic(self, querier: Querier, at_ms: int) -> None:
        """Learn how much traffic there is."""
        for measured in list(self._measured.values()):
            await measured.read(querier, at_ms)

    def look(self, labels: Sequence[Labels]) -> None:
        """Match the rows that are new at the end of ``labels``, and heed the traffic of all."""
        if not self._rules:
            return
        if len(labels) > len(self._wanted.sides):
            room = max(256, 2 * len(labels))
            self._wanted = self._wanted.resized(np.arange(self._size), room)
        for row in range(self._size, len(labels)):
            self._match(row, labels[row])
        self._size = len(labels)
        self._wanted.traffic[:] = True
        for i, measured in self._measured.items():
            rows = self._rows_of.get(i, [])
            if rows:
                enough = measured.enough([labels[row] for row in rows])
                self._wanted.traffic[np.array(rows)] &= enough

    def _match(self, row: int, labels: Labels) -> None:
        wanted = self._wanted
        for i, rule in enumerate(self._rules):
            if not all_match(rule.parsed, labels):
                continue
            wanted.sides[row] &= 0 if rule.ignore else _SIDES[rule.direction]
            wanted.deviation[row] = max(wanted.deviation[row], rule.min_deviation)
            wanted.relative[row] = max(wanted.relative[row], rule.min_relative_deviation)
            if rule.budget is not None:
                wanted.budget[row] = np.fmin(wanted.budget[row], rule.budget)
            self._rows_of.setdefault(i, []).append(row)

    def matched(self) -> list[int]:
        """Of each rule, how many series it matched."""
        return [len(self._rows_of.get(i, ())) for i in range(len(self._rules))]

    def handicap(
        self, rows: Rows, values: NDArray[np.float64], expected: NDArray[np.float64]
    ) -> NDArray[np.float64] | float:
        """Decades by which these points must be rarer to be told; infinite where rules forbid it.

        ``rows`` were looked at. What is not known yet (``expected`` is NaN) is told by nobody.
        """
        if not self._rules:
            return 0.0
        wanted = self._wanted
        away = values - expected
        side = np.where(away >= 0, ABOVE, BELOW)
        forbidden = (wanted.sides[rows] & side) == 0
        forbidden |= ~wanted.traffic[rows]
        distance = np.abs(away)
        forbidden |= distance < wanted.deviation[rows]
        forbidden |= distance < wanted.relative[rows] * np.abs(expected)
        decades = math.log10(self._budget) - np.log10(wanted.budget[rows].astype(np.float64))
        found: NDArray[np.float64] = np.where(forbidden, np.inf, np.nan_to_num(decades))
        return found

    def mutes(self, row: int, direction: str) -> bool:
        """Whether nothing ``above`` (or ``below``) is told of a row."""
        if row >= self._size:
            return False
        side = ABOVE if direction == "above" else BELOW
        return not int(self._wanted.sides[row]) & side

    def allowed(
        self,
        anomalies: Sequence[Anomaly],
        row_of: Callable[[Labels], int | None],
        lasting: Lasting,
    ) -> list[Anomaly]:
        """These but for what is muted, which does not last either."""
        found = []
        for each in anomalies:
            row = row_of(each.labels)
            if row is not None and row in lasting and self.mutes(row, each.direction):
                lasting.end(row, each.started_at)
            else:
                found.append(each)
        return found

    def muted_below(self, size: int) -> NDArray[np.bool_]:
        """Of which of the first ``size`` rows nothing below expected is told, nor no-data."""
        found = np.zeros(size, dtype=np.bool_)
        known = min(size, self._size)
        found[:known] = (self._wanted.sides[:known] & BELOW) == 0
        return found
