"""Laying the samples of the head over those of the engine."""

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.samples import IdArray, TimeArray, ValueArray
from pynomaly.storage.samples.head import newest_of_each

Positions = NDArray[np.int64]
Grouped = tuple[IdArray, Positions, TimeArray, ValueArray]
"""Distinct ids ascending, their offsets, and the columns series by series in time order."""


def grouped(ids: IdArray, ts: TimeArray, values: ValueArray) -> Grouped:
    """Rows that are ordered by id and time, by series."""
    starts = np.flatnonzero(np.diff(ids, prepend=~ids[:1]))
    return ids[starts], np.append(starts, len(ids)), ts, values


def laid_over(stored: Grouped, recent: Grouped) -> Grouped:
    """Both as one; where a series has a time in both, ``recent`` counts.

    Nearly always every recent sample of a series is later than its stored ones, and then nothing
    needs to be ordered.
    """
    if not len(stored[0]):
        return recent
    ids = np.union1d(stored[0], recent[0])
    old, new = (np.searchsorted(ids, each[0]) for each in (stored, recent))
    counts_old, counts_new = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    counts_old[old], counts_new[new] = np.diff(stored[1]), np.diff(recent[1])
    newest = np.full(len(ids), np.iinfo(np.int64).min)
    newest[old] = stored[2][stored[1][1:] - 1]
    if (newest[new] >= recent[2][recent[1][:-1]]).any():
        return _sorted(stored, recent)
    offsets = np.concatenate(([0], np.cumsum(counts_old + counts_new)))
    ts = np.empty(offsets[-1], dtype=np.int64)
    values = np.empty(offsets[-1], dtype=np.float64)
    for each, firsts in ((stored, offsets[old]), (recent, offsets[new] + counts_old[new])):
        rows = np.repeat(firsts - each[1][:-1], np.diff(each[1])) + np.arange(len(each[2]))
        ts[rows], values[rows] = each[2], each[3]
    return ids, offsets, ts, values


def _sorted(stored: Grouped, recent: Grouped) -> Grouped:
    ids = np.concatenate([np.repeat(each[0], np.diff(each[1])) for each in (stored, recent)])
    ts = np.concatenate([stored[2], recent[2]])
    values = np.concatenate([stored[3], recent[3]])
    return grouped(*newest_of_each(ids, ts, values))
