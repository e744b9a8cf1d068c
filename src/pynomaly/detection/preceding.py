"""What people did shortly before an anomaly began, or while it did: the first to look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pynomaly.calendar.events import EventKind, Occurrence
from pynomaly.model.duration import format_duration
from pynomaly.model.labels import Labels

BEFORE = 3600.0
"""Seconds before the begin of an anomaly within which an event is named."""
_MOST = 5


@dataclass(frozen=True, slots=True)
class Preceding:
    """Something that happened ``seconds`` before an anomaly began."""

    occurrence: Occurrence
    seconds: float

    @property
    def text(self) -> str:
        """In words: ``8m after deployment checkout 1.42``."""
        event = self.occurrence.event
        if event.kind is EventKind.HOLIDAY:
            return f"on {event.title}"
        lasts = self.seconds > BEFORE
        when = "during" if lasts else f"{_minutes(self.seconds)} after"
        kind = "" if event.kind is EventKind.OTHER else f"{event.kind.value} "
        return f"{when} {kind}{event.title}"


def preceding(
    occurrences: Iterable[Occurrence], series: Sequence[Labels], at: float
) -> list[Preceding]:
    """Those of these that may have to do with an anomaly of one of these series, begun at ``at``.

    The latest first: what began within an hour before, or lasts since longer; at most five.
    """
    found = [
        Preceding(each, at - each.starts_at)
        for each in occurrences
        if each.starts_at <= at
        and (each.active(at) or at - each.starts_at <= BEFORE)
        and any(each.event.concerns(labels) for labels in series)
    ]
    found.sort(key=lambda each: (each.seconds, each.occurrence.event.id))
    return found[:_MOST]


def in_words(found: Sequence[Preceding]) -> str:
    """A sentence, with a space before it; empty if there is nothing to say."""
    return f" It began {', '.join(each.text for each in found)}." if found else ""


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f}s"
    return format_duration(seconds // 60 * 60)
