"""The fast way through a body that has the same lines as the one before, with other values.

A target exposes the same series scrape after scrape. So once a body has been parsed in full, only
what lies behind the last blank of each line is read: if all the rest is what it was, those are the
values, and everything that was true of the lines is true still.
"""

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from pynomaly.ingest.exposition.samples import Exposition, Guards
from pynomaly.model.samples import ValueArray

_head, _tail = itemgetter(0), itemgetter(2)
# All that a number can be written with; Python's float takes more (underscores, blanks).
_NUMERIC = b"+-.0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

IndexArray = NDArray[np.intp]


class Layout:
    """The lines of a body, without its values."""

    def __init__(self, body: bytes, parsed: Exposition) -> None:
        parts = _parts(body)
        self._heads = list(map(_head, parts))
        samples = {line - 1 for line in parsed.lines}
        self._is_sample = [i in samples for i in range(len(parts))]
        self._is_other = [i not in samples for i in range(len(parts))]
        self._others = list(compress(map(_tail, parts), self._is_other))
        self._guards = _Guards(parsed.guards)

    @classmethod
    def of(cls, body: bytes, parsed: Exposition) -> "Layout | None":
        """The layout of a parsed body, or None when its lines hold more than a value each."""
        if parsed.exemplars or not parsed.guards.complete or not len(parsed):
            return None
        if any(timestamp is not None for timestamp in parsed.timestamps):
            return None
        return cls(body, parsed)

    def read(self, body: bytes) -> ValueArray | None:
        """The values, in the order of the lines; None if the body must be parsed in full."""
        parts = _parts(body)
        if list(map(_head, parts)) != self._heads:
            return None
        tails = list(map(_tail, parts))
        if list(compress(tails, self._is_other)) != self._others:
            return None
        texts = list(compress(tails, self._is_sample))
        if b" ".join(texts).translate(None, _NUMERIC):
            return None
        try:
            values = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
        except ValueError:
            return None
        return values if self._guards.hold(values) else None


def _parts(body: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [line.rpartition(b" ") for line in body.split(b"\n")]


class _Guards:
    """Guards as arrays."""

    def __init__(self, guards: Guards) -> None:
        self._counts = _indexes(guards.counts)
        self._not_negative = _indexes(guards.not_negative)
        self._ones = _indexes(guards.ones)
        self._low, self._high = _pairs(guards.rising)
        self._left, self._right = _pairs(guards.equal)

    def hold(self, values: ValueArray) -> bool:
        """Whether the format's rules hold between these values."""
        return bool(
            (values[self._counts] >= 0).all()
            and not (values[self._not_negative] < 0).any()
            and (values[self._ones] == 1).all()
            and (values[self._high] >= values[self._low]).all()
            and (values[self._left] == values[self._right]).all()
        )


def _indexes(of: Sequence[int]) -> IndexArray:
    return np.array(of, dtype=np.intp)


def _pairs(of: Sequence[tuple[int, int]]) -> tuple[IndexArray, IndexArray]:
    return _indexes([a for a, _ in of]), _indexes([b for _, b in of])
