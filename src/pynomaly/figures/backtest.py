"""What a backtest shows: alerts over a value, hours of the week, a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from pynomaly.figures.palette import OKABE_ITO, slot_style
from pynomaly.figures.timeseries import Figure, Line, Threshold, timeseries

_FIRING, _PENDING = OKABE_ITO[3], OKABE_ITO[1]
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Span:
    """One alert in row ``row`` (a name): milliseconds of pending, firing and its end."""

    row: str
    pending: int
    fired: int
    end: int
    note: str = ""


def alerts_over_value(
    lines: Sequence[Line],
    start_ms: int,
    step_ms: int,
    spans: Sequence[Span],
    thresholds: Sequence[Threshold] = (),
) -> Figure:
    """Lines with a threshold above; below, a row for each alert with when it was active.

    Both share the axis of time. Without lines the rows take the whole height.
    """
    figure = timeseries(lines, start_ms, step_ms, thresholds=thresholds)
    rows = list(dict.fromkeys(span.row for span in spans))
    share = min(0.15 + 0.04 * len(rows), 0.6) if lines else 1.0
    figure["data"] += [
        _segments(spans, "pending", _PENDING, 4),
        _segments(spans, "firing", _FIRING, 9),
    ]
    layout = figure["layout"]
    layout["yaxis"]["domain"] = [min(share + 0.06, 1.0), 1]
    layout["yaxis"]["visible"] = bool(lines)
    layout["xaxis"]["anchor"] = "y2"
    layout["yaxis2"] = {
        "domain": [0, share],
        "type": "category",
        "categoryorder": "array",
        "categoryarray": rows[::-1],
        "fixedrange": True,
        "showgrid": False,
        "automargin": True,
    }
    layout["hovermode"] = "closest"
    for shape in layout["shapes"]:
        shape.setdefault("yref", "y")
    return figure


def _segments(spans: Sequence[Span], kind: str, colour: str, width: int) -> Figure:
    """One trace of many bars: each a line from its begin to its end, then a gap."""
    times: list[int | None] = []
    rows: list[str | None] = []
    notes: list[str] = []
    for span in spans:
        begin, end = (span.pending, span.fired) if kind == "pending" else (span.fired, span.end)
        times += [begin, end, None]
        rows += [span.row, span.row, None]
        notes += [span.note, span.note, ""]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": kind,
        "x": times,
        "y": rows,
        "yaxis": "y2",
        "text": notes,
        "hoverinfo": "text+x",
        "line": {"width": width, "color": colour},
        "meta": {"role": kind},
    }


def hours_of_week(counts: Sequence[Sequence[int]]) -> Figure:
    """A heatmap of 7 weekdays (Monday first) by 24 hours; a cell without alerts is empty."""
    return {
        "data": [
            {
                "type": "heatmap",
                "x": list(range(24)),
                "y": list(_WEEKDAYS),
                "z": [[count or None for count in row] for row in counts],
                "zmin": 0,
                "colorscale": [[0, "#FBE6D4"], [1, _FIRING]],
                "colorbar": {"tickformat": "d", "thickness": 12},
                "hovertemplate": "%{y} %{x}:00: %{z} fired<extra></extra>",
                "xgap": 1,
                "ygap": 1,
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "hour"}, "dtick": 3, "fixedrange": True},
            "yaxis": {"autorange": "reversed", "fixedrange": True, "type": "category"},
            "meta": {"unit": ""},
        },
    }


@dataclass(frozen=True, slots=True)
class SweepLine:
    """One ``for``: how many alerts fire at each threshold."""

    name: str
    x: Sequence[float | str]
    fired: Sequence[int]


def sweep_lines(lines: Sequence[SweepLine], axis: str, given: float | str | None = None) -> Figure:
    """Alerts that fire against the threshold, a line for each ``for``; ``given`` is marked."""
    shapes = []
    if given is not None:
        shapes = [
            {
                "type": "line",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": given,
                "x1": given,
                "line": {"width": 1, "dash": "dot"},
            }
        ]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": line.name,
                "x": list(line.x),
                "y": list(line.fired),
                "line": {"width": 1.5, **slot_style(slot)},
                "hovertemplate": "%{x}: %{y} fired<extra>" + line.name + "</extra>",
            }
            for slot, line in enumerate(lines)
        ],
        "layout": {
            "xaxis": {"title": {"text": axis}},
            "yaxis": {"title": {"text": "alerts fired"}, "rangemode": "tozero"},
            "showlegend": len(lines) > 1,
            "shapes": shapes,
            "meta": {"unit": ""},
        },
    }
