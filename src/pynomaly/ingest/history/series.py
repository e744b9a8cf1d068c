"""Ids of the series of an import, in bounded memory."""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels, series_id

_MOST_REMEMBERED = 200_000

Key = TypeVar("Key", bound=Hashable)


class HashCollision(BadInput):
    """Two series with one id, of which the store can hold one; it ends the import."""


class Remembered(Generic[Key]):
    """From whatever names a series in the text to its id; ``labels`` holds those of the ids."""

    def __init__(self, read: Callable[[Key], Labels]) -> None:
        self._read = read
        self._ids: dict[Key, int] = {}
        self._labels: dict[int, Labels] = {}

    @property
    def labels(self) -> Mapping[int, Labels]:
        """The labels of every id given since ``start_block``, and more."""
        return self._labels

    def start_block(self) -> None:
        """Forget everything if it has become too much; batches made before keep theirs."""
        if len(self._ids) > _MOST_REMEMBERED:
            self._ids, self._labels = {}, {}

    def id_of(self, key: Key) -> int:
        """The id of the series; what ``read`` raises for a key that names none goes through.

        Raises:
            HashCollision: another series of this import has the same id.
        """
        found = self._ids.get(key)
        if found is None:
            labels = self._read(key)
            found = series_id(labels)
            other = self._labels.setdefault(found, labels)
            if other != labels:
                raise HashCollision(f"{labels}: its labels have the same hash as {other}")
            self._ids[key] = found
        return found
