"""From the labels of a series, as they lie on the wire, to its id; what was seen is remembered."""

import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

import xxhash

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import METRIC_NAME, Labels, canonical, name_prefix

_LABEL_MASK = (1 << 44) - 1
_SHOWN_LABELS = 12
_SHOWN_BYTES = 80

_FRESH = 20_000
"""As many label sets are kept as they were read, until somebody asks for them."""

REFUSED = 0
"""In place of an id: no series can have these labels."""

Key = TypeVar("Key", bound=Hashable)


class InvalidLabels(BadInput):
    """A label set that no series can have."""


def labels_of(pairs: Sequence[tuple[bytes, bytes]]) -> Labels:
    """The label set of names and values from the wire.

    A label without a value is no label, and the order does not matter, as in Prometheus.

    Raises:
        InvalidLabels: not UTF-8, a name that is empty or occurs twice, or no ``__name__``.
    """
    try:
        decoded = sorted((name.decode(), value.decode()) for name, value in pairs)
    except UnicodeDecodeError:
        raise InvalidLabels(f"{_shown(pairs)}: not UTF-8") from None
    for (name, _), (following, _) in itertools.pairwise(decoded):
        if name == following:
            raise InvalidLabels(f"{_shown(pairs)}: the label {name!r} occurs twice")
    if decoded and not decoded[0][0]:
        raise InvalidLabels(f"{_shown(pairs)}: a label has no name")
    labels = Labels.from_sorted(tuple(pair for pair in decoded if pair[1]))
    if not labels.name:
        raise InvalidLabels(f"{_shown(pairs)}: the label {METRIC_NAME!r} is missing")
    return labels


def _shown(pairs: Sequence[tuple[bytes, bytes]]) -> str:
    def text(part: bytes) -> str:
        return part[:_SHOWN_BYTES].decode(errors="backslashreplace")

    inner = ", ".join(f'{text(name)}="{text(value)}"' for name, value in pairs[:_SHOWN_LABELS])
    return "{" + inner + (", …}" if len(pairs) > _SHOWN_LABELS else "}")


_prefix_of = lru_cache(maxsize=10_000)(name_prefix)


def _id_of(labels: Labels) -> int:
    """``model.series_id``, with the part of the metric's name remembered."""
    digest = xxhash.xxh64_intdigest(canonical(labels))
    return _prefix_of(labels.name) | (digest & _LABEL_MASK)


class SeriesIds(dict[Key, int], Generic[Key]):
    """Ids of series by a key that stands for their labels; an unseen key is read and remembered.

    A lookup of a known key never leaves C, which is what makes the fast decoders fast. ``read``
    turns a key into labels; where it raises ``InvalidLabels`` the id is ``REFUSED``, and not
    remembered. Threads may share it.
    """

    def __init__(self, read: Callable[[Key], Labels]) -> None:
        super().__init__()
        self._read = read
        self._keys: dict[int, Key] = {}
        self._fresh: dict[int, Labels] = {}
        self.labels: Mapping[int, Labels] = _LabelsById(read, self._keys, self._fresh)

    def __missing__(self, key: Key) -> int:
        try:
            found = self._learn(key)
        except InvalidLabels:
            return REFUSED
        self[key] = found
        return found

    def _learn(self, key: Key) -> int:
        labels = self._read(key)
        found = _id_of(labels)
        other = self._keys.setdefault(found, key)
        if other != key and self._read(other) != labels:
            raise InvalidLabels(f"{labels}: its labels have the same hash as {self._read(other)}")
        if len(self._fresh) >= _FRESH:
            self._fresh.clear()
        self._fresh[found] = labels
        return found

    def fault(self, key: Key) -> str:
        """Why a key is refused."""
        try:
            self._learn(key)
        except InvalidLabels as error:
            return error.message
        return ""


class _LabelsById(Mapping[int, Labels], Generic[Key]):
    """Labels are made when somebody asks: the store does so for unseen series only, and once."""

    def __init__(
        self, read: Callable[[Key], Labels], keys: dict[int, Key], fresh: dict[int, Labels]
    ) -> None:
        self._read = read
        self._keys = keys
        self._fresh = fresh

    def __getitem__(self, series: int) -> Labels:
        labels = self._fresh.pop(series, None)
        return self._read(self._keys[series]) if labels is None else labels

    def __contains__(self, series: object) -> bool:
        return series in self._keys

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._keys))

    def __len__(self) -> int:
        return len(self._keys)


class SeriesCache(Generic[Key]):
    """Holds a ``SeriesIds`` of bounded size; a request uses one ``SeriesIds`` to its end."""

    def __init__(self, read: Callable[[Key], Labels], capacity: int) -> None:
        self._read = read
        self._capacity = capacity
        self._ids = SeriesIds(read)

    def ids(self) -> SeriesIds[Key]:
        """The ids to use for the next request; a full one is left to those that use it."""
        if len(self._ids) >= self._capacity:
            self._ids = SeriesIds(self._read)
        return self._ids
