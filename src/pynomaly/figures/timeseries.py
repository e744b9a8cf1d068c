"""Lines over time, with thresholds and event marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynomaly.figures.palette import slot_style

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One series of a chart: ``values`` is float64 ``[steps]``, NaN where there is nothing.

    ``key`` identifies the series across the charts of a page, ``name`` is what its legend says,
    ``title`` the whole label set.
    """

    key: str
    name: str
    title: str
    values: NDArray[np.float64]
    query: int = 0


@dataclass(frozen=True, slots=True)
class Threshold:
    """A thin dashed horizontal line."""

    value: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled vertical line: something happened ``at`` (milliseconds since the epoch)."""

    at: int
    label: str


def timeseries(
    lines: Sequence[Line],
    start_ms: int,
    step_ms: int,
    *,
    unit: str = "",
    zero: bool = False,
    thresholds: Sequence[Threshold] = (),
    marks: Sequence[Mark] = (),
) -> Figure:
    """A Plotly figure of lines on one grid of steps.

    The grid is written as ``x0`` and ``dx`` in milliseconds, which keeps the figure small.
    Colours of the ground, the axes and the text are left to the page that draws it, so that one
    figure serves light and dark. ``zero`` makes the value axis include zero.
    """
    return {
        "data": [_trace(line, slot, start_ms, step_ms) for slot, line in enumerate(lines)],
        "layout": {
            "xaxis": {"type": "date", "fixedrange": False},
            "yaxis": {
                "fixedrange": True,
                "rangemode": "tozero" if zero else "normal",
                "tickformat": ".3~s",
            },
            "hovermode": False,
            "dragmode": "zoom",
            "showlegend": False,
            "shapes": [*map(_threshold_shape, thresholds), *map(_mark_shape, marks)],
            "annotations": [
                *(_threshold_text(each) for each in thresholds if each.label),
                *map(_mark_text, marks),
            ],
            "meta": {"unit": unit},
        },
    }


def _trace(line: Line, slot: int, start_ms: int, step_ms: int) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": line.name,
        "x0": start_ms,
        "dx": step_ms,
        "y": [None if value != value else value for value in line.values.tolist()],
        "connectgaps": False,
        "line": {"width": 1.5, **slot_style(slot)},
        "meta": {"key": line.key, "title": line.title, "query": line.query},
    }


def _threshold_shape(threshold: Threshold) -> Figure:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": threshold.value,
        "y1": threshold.value,
        "line": {"width": 1, "dash": "dash"},
    }


def _threshold_text(threshold: Threshold) -> Figure:
    return {
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": threshold.value,
        "yanchor": "bottom",
        "text": threshold.label,
        "showarrow": False,
    }


def _mark_shape(mark: Mark) -> Figure:
    return {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": mark.at,
        "x1": mark.at,
        "line": {"width": 1, "dash": "dot"},
    }


def _mark_text(mark: Mark) -> Figure:
    return {
        "x": mark.at,
        "xanchor": "left",
        "yref": "paper",
        "y": 1,
        "yanchor": "top",
        "text": mark.label,
        "showarrow": False,
    }
