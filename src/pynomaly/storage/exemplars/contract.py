"""Reading exemplars, and what became of those that were sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pynomaly.model.exemplars import SeriesExemplars
from pynomaly.model.matcher import Matcher


class ExemplarReader(Protocol):
    """Reads exemplars. Synchronous and thread-safe: call it from worker threads."""

    def exemplars(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[SeriesExemplars]:
        """Those with ``start_ms <= ts <= end_ms`` of the series that any selection names.

        Sorted by the series' labels; a series without any does not occur. No selection names no
        series.
        """
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of exemplars: how many are stored (those that were before included), and of the
    others how many by reason."""

    stored: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
