"""Events on charts: those that concern the series which a chart shows, whatever chart it is."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from pynomaly.calendar.events import Event, Occurrence
from pynomaly.model.errors import PynomalyError
from pynomaly.model.matcher import MatchOp
from pynomaly.promql.parser import parse, selectors

Document = dict[str, Any]
Series = Mapping[str, str]
"""What is known of the labels of a series."""

MOST = 300
"""So many events are drawn on one chart, the newest ones."""


class EventSource(Protocol):
    """Where the events come from: the calendar."""

    version: int

    def between(self, since: float, until: float) -> Sequence[Occurrence]:
        """What lies at least partly in ``[since, until]`` (epoch seconds)."""
        ...


class ChartEvents:
    """The events of charts; without a calendar there are none."""

    def __init__(self, calendar: EventSource | None = None) -> None:
        self._calendar = calendar

    @property
    def version(self) -> int:
        """Another one after each change of an event."""
        return self._calendar.version if self._calendar is not None else 0

    def of(self, series: Sequence[Series], start_ms: int, end_ms: int) -> list[Document]:
        """The events between two times (milliseconds) that may concern one of the series."""
        if self._calendar is None or not series:
            return []
        found = self._calendar.between(start_ms / 1000, end_ms / 1000)
        return [chart_event(each) for each in concerning(found, series)[-MOST:]]


def concerning(found: Iterable[Occurrence], series: Sequence[Series]) -> list[Occurrence]:
    """Those that may concern one of the series, of which not every label need be known."""
    verdicts: dict[str, bool] = {}

    def concerns(event: Event) -> bool:
        known = verdicts.get(event.id)
        if known is None:
            known = verdicts[event.id] = any(event.may_concern(each) for each in series)
        return known

    return [each for each in found if concerns(each.event)]


def series_of(expr: str, labels: Series) -> Series:
    """What is known of a series of an expression: its labels, and those all its selectors ask for.

    >>> dict(series_of('sum by (code) (rate({job="api"}[5m]))', {"code": "500"}))
    {'job': 'api', 'code': '500'}
    """
    return {**dict(_asked_for(expr)), **labels}


@lru_cache(maxsize=1024)
def _asked_for(expr: str) -> tuple[tuple[str, str], ...]:
    try:
        asked = [
            {(m.name, m.value) for m in matchers if m.op is MatchOp.EQUAL and m.value}
            for matchers in selectors(parse(expr))
        ]
    except PynomalyError:
        return ()  # the chart says what is wrong with it
    return tuple(sorted(set.intersection(*asked))) if asked else ()


def chart_event(found: Occurrence) -> Document:
    """One time of an event as charts take it; milliseconds, ``end`` is null for a moment."""
    event = found.event
    moment = found.ends_at == found.starts_at
    return {
        "id": event.id,
        "kind": event.kind.value,
        "title": event.title,
        "start": round(found.starts_at * 1000),
        "end": None if moment else round(found.ends_at * 1000),
        "by": event.created_by,
        "text": event.text,
        "link": event.link,
    }
