"""Label sets, and the id of the series that a label set names."""

from collections.abc import Iterable, Iterator, Mapping

import xxhash

METRIC_NAME = "__name__"

SERVICE_LABELS = ("service", "service_name", "app", "job")
"""Labels that may name the service that a series belongs to; the first that is there does."""

_SEPARATOR = b"\xff"  # never occurs in UTF-8, so that the canonical form is unambiguous
_LABEL_BITS = 44
_LABEL_MASK = (1 << _LABEL_BITS) - 1


class Labels(Mapping[str, str]):
    """An immutable label set, sorted by name; the metric's name is the label ``__name__``.

    A label with an empty value is the same as no label, as in Prometheus.

    >>> str(Labels({"__name__": "up", "job": "node"}))
    'up{job="node"}'
    """

    __slots__ = ("_hash", "pairs")

    pairs: tuple[tuple[str, str], ...]
    _hash: int

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        items = dict(labels).items()
        self.pairs = tuple(sorted((n, v) for n, v in items if v))

    @classmethod
    def from_sorted(cls, pairs: tuple[tuple[str, str], ...]) -> "Labels":
        """Take pairs that are already sorted, unique and not empty, unchecked: the fast way."""
        self = cls.__new__(cls)
        self.pairs = pairs
        return self

    @property
    def name(self) -> str:
        """The metric's name, or the empty string."""
        return self.get(METRIC_NAME, "")

    def __getitem__(self, name: str) -> str:
        for key, value in self.pairs:
            if key == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:  # asked for the first time; many never are
            self._hash = hash(self.pairs)
            return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self.pairs == other.pairs
        return NotImplemented

    def __lt__(self, other: "Labels") -> bool:
        return self.pairs < other.pairs

    def with_(self, **labels: str) -> "Labels":
        """The same with these labels set; an empty value removes one."""
        return Labels({**dict(self.pairs), **labels})

    def keep(self, names: Iterable[str]) -> "Labels":
        """Only the labels named."""
        wanted = frozenset(names)
        return Labels.from_sorted(tuple(p for p in self.pairs if p[0] in wanted))

    def without(self, *names: str) -> "Labels":
        """All but the labels named."""
        return Labels.from_sorted(tuple(p for p in self.pairs if p[0] not in names))

    def __str__(self) -> str:
        inner = ", ".join(f"{n}={quoted(v)}" for n, v in self.pairs if n != METRIC_NAME)
        return f"{self.name}{{{inner}}}" if inner or not self.name else self.name

    def __repr__(self) -> str:
        return f"Labels({dict(self.pairs)!r})"


def service_of(labels: Mapping[str, str]) -> str:
    """The first of the labels ``service``, ``service_name``, ``app``, ``job``; or empty."""
    return next((labels[name] for name in SERVICE_LABELS if labels.get(name)), "")


def quoted(value: str) -> str:
    """A value as PromQL and the text formats write it, in double quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def canonical(labels: Labels) -> bytes:
    """``name 0xff value 0xff`` of every label in order: what the id is a hash of."""
    return b"".join(n.encode() + _SEPARATOR + v.encode() + _SEPARATOR for n, v in labels.pairs)


def name_prefix(metric_name: str) -> int:
    """The top 20 bits of the ids of all series of a metric, in place (low 44 bits zero)."""
    return (xxhash.xxh64_intdigest(metric_name.encode()) >> _LABEL_BITS) << _LABEL_BITS


def series_id(labels: Labels) -> int:
    """The unsigned 64-bit id of a series: 20 bits of its metric's name, 44 of all its labels.

    XXH64 with seed 0, which the engine has as ``xxHash64``, so that both can compute it. The
    name comes first so that a metric lies together on disk.
    """
    return name_prefix(labels.name) | (xxhash.xxh64_intdigest(canonical(labels)) & _LABEL_MASK)


def name_id_range(metric_name: str) -> tuple[int, int]:
    """The first and the last id that a series of this metric can have (both inclusive)."""
    first = name_prefix(metric_name)
    return first, first | _LABEL_MASK
