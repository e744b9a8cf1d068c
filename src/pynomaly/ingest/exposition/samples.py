"""What an exposition says, in columns, and the error when it says it wrongly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pynomaly.model.errors import BadInput
from pynomaly.model.samples import MetricMetadata


class ParseError(BadInput):
    """A body that is not what its format demands; ``line`` is 1-based."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Series(NamedTuple):
    """A series as it was exposed: ``labels`` without ``__name__``.

    Empty values are kept: one says that the target's label is not wanted (``honor_labels``).
    """

    name: str
    labels: Mapping[str, str]


class ExposedExemplar(NamedTuple):
    """An exemplar as it was exposed; ``ts`` is milliseconds since the epoch, or None."""

    labels: Mapping[str, str]
    value: float
    ts: int | None


@dataclass(slots=True)
class Guards:
    """Which rules of the format hold between values, by index of the sample.

    A body with the same lines and other values is valid when these hold, so that it need not be
    parsed in full. ``complete`` is false when there are rules that these lists cannot say.
    """

    counts: list[int] = field(default_factory=list)
    """Values that are neither NaN nor negative."""
    not_negative: list[int] = field(default_factory=list)
    """Values that may be NaN but not negative."""
    ones: list[int] = field(default_factory=list)
    """Values that are 1."""
    rising: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of which the second is at least the first."""
    equal: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of the same value."""
    complete: bool = True


@dataclass(slots=True)
class Exposition:
    """A parsed body: columns of one length, a row for each sample, in the order of the lines.

    ``raw`` is the text of each series as it stands in the body, ``timestamps`` milliseconds since
    the epoch or None, ``lines`` the 1-based line. ``exemplars`` are by the row of their sample.
    """

    raw: list[bytes] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    timestamps: list[int | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    metadata: list[MetricMetadata] = field(default_factory=list)
    exemplars: dict[int, ExposedExemplar] = field(default_factory=dict)
    guards: Guards = field(default_factory=Guards)

    def __len__(self) -> int:
        return len(self.values)


class Family:
    """What the comment lines said of a metric family so far."""

    __slots__ = ("help", "name", "type", "unit")

    def __init__(self, name: str) -> None:
        self.name = name
        self.type: str | None = None
        self.help: str | None = None
        self.unit: str | None = None

    def metadata(self) -> MetricMetadata:
        """The same for the store; a type that was not said is ``unknown``."""
        return MetricMetadata(self.name, self.type or "unknown", self.help or "", self.unit or "")
