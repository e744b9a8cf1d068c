"""The series of a watched query over time, on even steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.contract import FloatMatrix, Times
from pynomaly.model.labels import Labels
from pynomaly.promql.contract import Matrix, Querier, QueryError

_PIECE_STEPS = 1440


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """``matrix``: ``[series, steps]``, NaN where nothing is; ``seconds``: UTC, ``[steps]``."""

    labels: list[Labels]
    matrix: FloatMatrix
    seconds: NDArray[np.int64]

    def of(self, labels: Sequence[Labels]) -> FloatMatrix:
        """The rows of these series, in this order; NaN for those that are not there."""
        rows = {each: row for row, each in enumerate(self.labels)}
        found = np.full((len(labels), len(self.seconds)), np.nan)
        for i, each in enumerate(labels):
            if each in rows:
                found[i] = self.matrix[rows[each]]
        return found


async def read_history(querier: Querier, expr: str, start: int, end: int, step: int) -> History:
    """Evaluate at ``start, start + step, … <= end`` (epoch seconds), piece by piece.

    Raises:
        QueryError: the expression gives no series, but a scalar or a string.
        ParseError, QueryTimeout, PeerAway: as the querier.
    """
    seconds = np.arange(start, end + 1, step, dtype=np.int64)
    rows: dict[Labels, int] = {}
    matrix = np.empty((0, len(seconds)))
    for first in range(0, len(seconds), _PIECE_STEPS):
        piece = seconds[first : first + _PIECE_STEPS]
        found = await querier.range(expr, int(piece[0]) * 1000, int(piece[-1]) * 1000, step * 1000)
        if not isinstance(found.value, Matrix):
            raise QueryError(f"{expr} gives no series that could be judged")
        for labels in found.value.labels:
            rows.setdefault(labels, len(rows))
        if len(rows) > len(matrix):  # a month of minutes of 1,000 series is 345 MB: no copies
            more = np.full((len(rows) - len(matrix), len(seconds)), np.nan)
            matrix = np.concatenate((matrix, more)) if len(matrix) else more
        at = [rows[labels] for labels in found.value.labels]
        values = np.where(found.value.present, found.value.values, np.nan)
        matrix[at, first : first + len(piece)] = values
    return History(list(rows), matrix, seconds)


def local_times(seconds: NDArray[np.int64], zone: ZoneInfo) -> Times:
    """UTC seconds as the local time of a zone; the offset is looked up hour by hour."""
    if zone.key == "UTC" or not len(seconds):
        return seconds
    hours, which = np.unique(seconds // 3600, return_inverse=True)
    offsets = [datetime.fromtimestamp(h * 3600, UTC).astimezone(zone) for h in hours.tolist()]
    shift = [round(at.utcoffset().total_seconds()) for at in offsets]  # type: ignore[union-attr]
    return seconds + np.array(shift, dtype=np.int64)[which]
