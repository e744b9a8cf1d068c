"""From series ids to slots, for arrays of ids at once."""

import numpy as np

from pynomaly.model.samples import IdArray
from pynomaly.storage.samples.types import SlotArray


class IdLookup:
    """Maps 64-bit ids to slots by binary search in sorted arrays.

    New ids go to a short tail first, so that adding a few does not move many.
    """

    def __init__(self, ids: IdArray, slots: SlotArray) -> None:
        order = np.argsort(ids)
        self._ids, self._slots = ids[order], slots[order]
        self._tail_ids = np.empty(0, dtype=np.uint64)
        self._tail_slots = np.empty(0, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._ids) + len(self._tail_ids)

    def find(self, ids: IdArray) -> SlotArray:
        """The slot of each id, -1 where there is none."""
        found = _search(self._ids, self._slots, ids)
        if len(self._tail_ids):
            missing = np.flatnonzero(found < 0)
            if len(missing):
                found[missing] = _search(self._tail_ids, self._tail_slots, ids[missing])
        return found

    def count_between(self, first: int, last: int) -> int:
        """How many ids lie from ``first`` to ``last``, both inclusive."""
        count = 0
        for ids in (self._ids, self._tail_ids):
            count += int(np.searchsorted(ids, np.uint64(last), side="right"))
            count -= int(np.searchsorted(ids, np.uint64(first), side="left"))
        return count

    def add(self, ids: IdArray, slots: SlotArray) -> None:
        """Add ids that are not there yet."""
        tail_ids = np.concatenate([self._tail_ids, ids])
        tail_slots = np.concatenate([self._tail_slots, slots])
        if len(tail_ids) > 4096 + len(self._ids) // 8:
            tail_ids = np.concatenate([self._ids, tail_ids])
            tail_slots = np.concatenate([self._slots, tail_slots])
            order = np.argsort(tail_ids)
            self._ids, self._slots = tail_ids[order], tail_slots[order]
            self._tail_ids, self._tail_slots = tail_ids[:0], tail_slots[:0]
            return
        order = np.argsort(tail_ids)
        self._tail_ids, self._tail_slots = tail_ids[order], tail_slots[order]


def _search(sorted_ids: IdArray, slots: SlotArray, ids: IdArray) -> SlotArray:
    if not len(sorted_ids):
        return np.full(len(ids), -1, dtype=np.int32)
    at = np.searchsorted(sorted_ids, ids)
    np.minimum(at, len(sorted_ids) - 1, out=at)
    result: SlotArray = np.where(sorted_ids[at] == ids, slots[at], np.int32(-1))
    return result
