"""The events of a server's calendar, for figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from pynomaly.calendar.charts import chart_event, concerning
from pynomaly.calendar.events import Event, EventKind, Occurrence
from pynomaly.calendar.matchers import parse_matchers
from pynomaly.cli.client import Client
from pynomaly.cli.output import err
from pynomaly.figures.events import Happening
from pynomaly.model.errors import PynomalyError

_MOST = 1000


class Happened:
    """What the server's calendar has between two times (epoch seconds).

    A server without one, such as a Prometheus, has nothing; that is noted.
    """

    def __init__(self, client: Client, start: float, end: float) -> None:
        try:
            answer = client.get("/api/events", {"from": start, "to": end, "limit": _MOST})
        except PynomalyError as error:
            err.print(f"note: the figures have no events: {error}", markup=False)
            answer = {"events": []}
        self._found = [_occurrence(each) for each in answer["events"]]

    def to(self, series: Sequence[Mapping[str, str]]) -> list[Happening]:
        """Those that may concern one of these series."""
        return [_happening(each) for each in concerning(self._found, series)]


def _occurrence(document: dict[str, Any]) -> Occurrence:
    start = document["starts_at"]
    end = start if document["ends_at"] is None else document["ends_at"]
    event = Event(
        kind=EventKind(document["kind"]),
        title=document["title"],
        starts_at=start,
        ends_at=end,
        matchers=parse_matchers(document["matchers"]),
        created_by=document["created_by"],
        id=document["id"],
    )
    return Occurrence(event, start, end)


def _happening(found: Occurrence) -> Happening:
    shown = chart_event(found)
    return Happening(shown["kind"], shown["title"], shown["start"], shown["end"], shown["by"])
