"""The values of a rule's expression, coarse enough to draw."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.samples import ValueArray
from pynomaly.promql.contract import Matrix

BUCKETS = 600
_MOST_SERIES = 300


@dataclass(slots=True, eq=False)
class Envelope:
    """The greatest (or, if ``low``, the least) value of each series in each stretch of time.

    ``steps`` evaluations are put into at most ``BUCKETS`` stretches of the same length.
    """

    steps: int
    low: bool = False
    values: dict[Labels, ValueArray] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """How many evaluations a stretch has."""
        return max(-(-self.steps // BUCKETS), 1)

    def add(self, first: int, matrix: Matrix) -> None:
        """The values at the evaluations from ``first`` on."""
        count = len(matrix.timestamps)
        if not count or not len(matrix):
            return
        rows = self._rows(matrix.labels)
        shown = np.where(matrix.present[rows], matrix.values[rows], np.nan)
        begin, end = first // self.width, (first + count - 1) // self.width
        starts = np.maximum(np.arange(begin, end + 1) * self.width - first, 0)
        fold = np.fmin if self.low else np.fmax
        folded = fold.reduceat(shown, starts, axis=1)
        for row, source in enumerate(rows):
            kept = self.values[matrix.labels[source]]
            kept[begin : end + 1] = fold(kept[begin : end + 1], folded[row])

    def _rows(self, labels: Sequence[Labels]) -> list[int]:
        rows = []
        for row, each in enumerate(labels):
            if each not in self.values:
                if len(self.values) >= _MOST_SERIES:
                    continue
                self.values[each] = np.full(-(-self.steps // self.width), np.nan)
            rows.append(row)
        return rows
