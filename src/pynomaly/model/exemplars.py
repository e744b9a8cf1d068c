"""Exemplars: single observations behind a series' values, mostly with the id of a trace."""

from collections.abc import Sequence
from dataclasses import dataclass

from pynomaly.model.labels import Labels

MAX_LABEL_CHARACTERS = 128
"""The most characters of an exemplar's label names and values together (OpenMetrics 1.0)."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation: its own ``labels`` (not those of the series) and its value.

    ``ts`` is milliseconds since the epoch. ``timed``: whether the source gave that time; otherwise
    it is the time of the sample, and the same exemplar comes again with every scrape.
    """

    labels: Labels
    value: float
    ts: int
    timed: bool = True

    def repeats(self, other: "Exemplar") -> bool:
        """Whether it is the same observation as another (Prometheus's ``Exemplar.Equals``)."""
        if (self.timed or other.timed) and self.ts != other.ts:
            return False
        return self.value == other.value and self.labels == other.labels

    def characters(self) -> int:
        """The characters of its labels, as ``MAX_LABEL_CHARACTERS`` counts them."""
        return sum(len(name) + len(value) for name, value in self.labels.pairs)


@dataclass(frozen=True, slots=True)
class SeriesExemplars:
    """The exemplars of one series, in the order of time."""

    labels: Labels
    exemplars: Sequence[Exemplar]
