"""What people did, on figures that stand alone: lines, shades and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pynomaly.figures.palette import OKABE_ITO
from pynomaly.figures.timeseries import Figure

_COLOURS = {
    "deployment": OKABE_ITO[0],
    "configuration": OKABE_ITO[5],
    "maintenance": OKABE_ITO[1],
    "holiday": OKABE_ITO[2],
}
_OTHER = "#626A78"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event. Milliseconds since the epoch; ``end`` is None for what has no length."""

    kind: str
    title: str
    start: int
    end: int | None = None
    by: str = ""

    @property
    def words(self) -> str:
        """What it was and when, for a list; times are of UTC."""
        until = "" if self.end is None else f" to {_time(self.end)}"
        by = f", by {self.by}" if self.by else ""
        return f"{_time(self.start)}{until}: {self.title} ({self.kind}{by})"


def with_events(figure: Figure, events: Sequence[Happening]) -> Figure:
    """Add the events to a figure over time: a line or a shade each, with its title.

    ``meta.events`` of the layout says them in words.
    """
    layout = figure["layout"]
    layout["shapes"] = [*layout.get("shapes", ()), *map(_shape, events)]
    layout["annotations"] = [*layout.get("annotations", ()), *map(_label, events)]
    layout["meta"] = {**layout.get("meta", {}), "events": [each.words for each in events]}
    return figure


def _shape(event: Happening) -> Figure:
    colour = _COLOURS.get(event.kind, _OTHER)
    line = {"width": 1, "color": colour}
    place = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": event.start, "layer": "below"}
    if event.end is None:
        return {"type": "line", **place, "x1": event.start, "line": line}
    return {
        "type": "rect",
        **place,
        "x1": event.end,
        "line": line,
        "fillcolor": colour,
        "opacity": 0.15,
    }


def _label(event: Happening) -> Figure:
    return {
        "x": event.start,
        "xanchor": "left",
        "yref": "paper",
        "y": 0,
        "yanchor": "bottom",
        "text": event.title,
        "hovertext": event.words,
        "showarrow": False,
        "font": {"size": 10, "color": _COLOURS.get(event.kind, _OTHER)},
    }


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
