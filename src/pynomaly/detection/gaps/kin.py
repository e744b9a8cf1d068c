"""Which series belong together: those of one source, and those of one kind that come and go."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Rows
from pynomaly.model.labels import Labels

_SCRAPED = ("job", "instance")
_PUSHED = ("service", "service_name", "app", "host", "pod", "instance")
_HALF_LIFE = 56 * 86_400.0
COMES_AND_GOES = 0.7
"""A kind of which so many have left of late comes and goes by nature. What left is half forgotten
after eight weeks, so that once in ten weeks is the most that is told of a kind."""

Key = tuple[str, ...]


class Source(NamedTuple):
    """Where series come from: the names and values of the labels that say so."""

    names: Key
    values: Key

    def __str__(self) -> str:
        return ", ".join(f"{n}={v}" for n, v in zip(self.names, self.values, strict=True) if v)


def source_of(labels: Labels) -> Source:
    """The target that a series is scraped from; else who pushes it, as far as labels say."""
    for names in (_SCRAPED, _PUSHED):
        values = tuple(labels.get(name, "") for name in names)
        if any(values):
            return Source(names, values)
    return Source((), ())


def family_of(labels: Labels) -> Key:
    """The kind of a series: its metric, and the job or service that it is of."""
    return (labels.name, next((labels[n] for n in ("job", *_PUSHED[:3]) if n in labels), ""))


class Kin:
    """The source and the kind of every row, as numbers, and how many of each kind have left."""

    def __init__(self, derived: Callable[[Labels], bool]) -> None:
        self._derived = derived
        self.sources: list[Source] = []
        self.families: list[Key] = []
        self._source_numbers: dict[Source, int] = {}
        self._family_numbers: dict[Key, int] = {}
        self.source = np.empty(0, dtype=np.int32)
        self.family = np.empty(0, dtype=np.int32)
        self.is_up = np.empty(0, dtype=np.bool_)
        self.derived = np.empty(0, dtype=np.bool_)
        self._size = 0
        self._left = np.empty(0)

    def take_in(self, labels: Sequence[Labels]) -> None:
        """Number the rows that are new at the end of ``labels``."""
        new = labels[self._size :]
        if not new:
            return
        if len(labels) > len(self.source):
            room = max(256, 2 * len(labels))
            for name in ("source", "family", "is_up", "derived"):
                old = getattr(self, name)
                grown = np.zeros(room, dtype=old.dtype)
                grown[: self._size] = old[: self._size]
                setattr(self, name, grown)
        for row, each in enumerate(new, self._size):
            source, family = source_of(each), family_of(each)
            self.source[row] = _number(source, self._source_numbers, self.sources)
            self.family[row] = _number(family, self._family_numbers, self.families)
            self.is_up[row] = each.name == "up"
            self.derived[row] = self._derived(each)
        self._size = len(labels)
        self._widen()

    def _widen(self) -> None:
        grown = np.zeros(len(self.families))
        grown[: len(self._left)] = self._left
        self._left = grown

    def keep(self, rows: Rows) -> None:
        """Only these rows are left, in this order; those that are not numbered yet stay so."""
        rows = rows[rows < self._size]
        for name in ("source", "family", "is_up", "derived"):
            setattr(self, name, getattr(self, name)[rows])
        self._size = len(rows)

    def left(self, families: NDArray[np.int32]) -> NDArray[np.float64]:
        """How many of these kinds have left of late."""
        return self._left[families]

    def leave(self, families: NDArray[np.int32], more: float = 1.0) -> None:
        """One of each of these kinds has left; or, with -1, has come back after all."""
        self._left[families] = np.maximum(self._left[families] + more, 0.0)

    def job_family(self, source: Source) -> NDArray[np.int32]:
        """The kind that the sources of the same job are."""
        key = ("", next((value for value in source.values if value), ""))
        number = _number(key, self._family_numbers, self.families)
        self._widen()
        return np.array([number], dtype=np.int32)

    def forget(self, seconds: float) -> None:
        """So much time has passed."""
        self._left *= 0.5 ** (seconds / _HALF_LIFE)

    def written(self) -> bytes:
        """What has left, for a file."""
        known = np.flatnonzero(self._left > 0.01).tolist()
        return json.dumps([[*self.families[i], self._left[i]] for i in known]).encode()

    def take_up(self, written: bytes) -> None:
        """Go on from what ``written`` gave."""
        for *key, left in json.loads(written):
            number = _number(tuple(key), self._family_numbers, self.families)
            self._widen()
            self._left[number] = left


Each = TypeVar("Each")


def _number(key: Each, numbers: dict[Each, int], listed: list[Each]) -> int:
    found = numbers.get(key)
    if found is None:
        found = numbers[key] = len(listed)
        listed.append(key)
    return found
