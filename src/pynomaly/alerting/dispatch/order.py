"""The order in which Alertmanager lists alerts."""

from functools import lru_cache

from pynomaly.model.labels import Labels


class _Last(str):
    """A label's name that comes after those it is less than."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


_last = lru_cache(maxsize=4096)(_Last)

Key = tuple[object, ...]


def alert_order(labels: Labels) -> Key:
    """Sorts alerts by job, by instance (those without come last), and then by all labels."""
    return _first("job", labels), _first("instance", labels), label_order(labels)


def label_order(labels: Labels) -> Key:
    """Sorts label sets as Prometheus's ``LabelSet.Before``: fewer labels first.

    Of as many, that comes first which lacks the first label that only one of the two has, or has
    the lesser value of the first in which they differ.
    """
    return len(labels), tuple((_last(name), value) for name, value in labels.pairs)


def _first(name: str, labels: Labels) -> tuple[bool, str]:
    value = labels.get(name)
    return value is None, value or ""
