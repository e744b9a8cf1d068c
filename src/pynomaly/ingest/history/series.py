"""Ids of the series of an import, in bounded memory."""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from pynomaly.model.labels import Labels, series_id

_MOST_REMEMBERED = 200_000

Key = TypeVar("Key", bound=Hashable)


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
        """The id; what ``read`` raises for a key that names no series goes through."""
        found = self._ids.get(key)
        if found is None:
            labels = self._read(key)
            found = self._ids[key] = series_id(labels)
            self._labels[found] = labels
        return found
