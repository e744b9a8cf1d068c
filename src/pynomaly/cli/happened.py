"""The events of a server's calendar, for figures and backtests."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pynomaly.calendar.charts import chart_event, concerning
from pynomaly.calendar.documents import occurrence_of
from pynomaly.calendar.events import Occurrence
from pynomaly.cli.client import Client
from pynomaly.cli.output import err
from pynomaly.detection.excluded import Excluded, excluded_of
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
            err.print(f"note: no events of a calendar are heeded: {error}", markup=False)
            answer = {"events": []}
        self._found = [occurrence_of(each) for each in answer["events"]]
        self._like = str(answer.get("holiday_like", "sunday"))

    def to(self, series: Sequence[Mapping[str, str]]) -> list[Happening]:
        """Those that may concern one of these series."""
        return [_happening(each) for each in concerning(self._found, series)]

    def excluded(self, series: Mapping[str, str], at: NDArray[np.float64]) -> Excluded | None:
        """What they exclude of a series with these labels, at these epoch seconds, which rise."""
        return excluded_of(self._found, series, at, self._like)


def _happening(found: Occurrence) -> Happening:
    shown = chart_event(found)
    return Happening(shown["kind"], shown["title"], shown["start"], shown["end"], shown["by"])
