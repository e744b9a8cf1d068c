"""``pynomaly detect backtest``: which anomalies would have been told of stored history."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pynomaly.calendar.charts import series_of
from pynomaly.cli.client import Client
from pynomaly.cli.happened import Happened
from pynomaly.cli.options import read_time
from pynomaly.cli.output import err, out
from pynomaly.cli.plot import write_page
from pynomaly.cli.query import seconds
from pynomaly.detection.excluded import Excluded
from pynomaly.detection.replay import Event, Lookback, PastSeries, look_back
from pynomaly.figures.events import with_events
from pynomaly.figures.series import legend_names
from pynomaly.figures.timeseries import Figure, Line, Mark, timeseries
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels

BUDGETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_PIECE = 10_000
"""Steps that a server answers in one query; Prometheus's limit is 11,000."""
_MOST_ROWS = 30
_MOST_FIGURES = 12
_WEEK = 604_800.0


@dataclass(frozen=True, slots=True)
class History:
    """What the server has: the series, and their values on a grid, ``[series, steps]``."""

    labels: list[Labels]
    start: float
    step: float
    values: NDArray[np.float64]

    def at(self, row: int) -> float:
        """Epoch seconds of a step."""
        return self.start + row * self.step


def run(
    url: str,
    expr: str,
    *,
    from_: str,
    to: str,
    step: str,
    budget: float,
    timezone: str,
    plot: Path | None,
    as_json: bool,
    events: bool = True,
) -> None:
    """Read the history of an expression, score it here, and show what was found.

    ``events``: leave out what events of the server's calendar exclude.
    """
    zone = _zone(timezone)
    client = Client(url)
    now = time.time()
    span = read_time("--from", from_, now), read_time("--to", to, now)
    history = _read(client, expr, *span, seconds(step))
    if not history.labels:
        raise BadInput(f"{expr} has no samples in that time", hint="See --from and --to.")
    happened = Happened(client, history.start, history.at(history.values.shape[1] - 1))
    at = np.asarray(history.start + np.arange(history.values.shape[1]) * history.step, np.float64)
    excluded = [
        happened.excluded(series_of(expr, labels), at) if events else None
        for labels in history.labels
    ]
    found = _look(history, sorted({*BUDGETS, budget}), zone, excluded)
    if as_json:
        out.print_json(data=_as_json(history, found, budget))
    else:
        _print(history, found, budget, zone)
    if plot is not None:
        figures = _figures(history, found, budget, happened, expr)
        write_page(plot, f"Anomalies of {expr}", figures)
        err.print(f"The figures are in {plot}.", markup=False)


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"{timezone} is no time zone", hint="Write it like Europe/Berlin."
        ) from error


def _read(client: Client, expr: str, start: float, end: float, step: float) -> History:
    if not start < end:
        raise BadInput("--from is not before --to")
    steps = int((end - start) // step) + 1
    rows: dict[Labels, NDArray[np.float64]] = {}
    for first in range(0, steps, _PIECE):
        last = min(first + _PIECE, steps) - 1
        params = {"query": expr, "start": start + first * step, "end": start + last * step}
        answer = client.get("/api/v1/query_range", {**params, "step": step})
        for series in answer["data"]["result"]:
            labels = Labels(series["metric"])
            values = rows.setdefault(labels, np.full(steps, np.nan))
            for at, value in series["values"]:
                values[round((at - start) / step)] = float(value)
    values = np.stack(list(rows.values())) if rows else np.empty((0, steps))
    return History(list(rows), start, step, values)


def _look(
    history: History,
    budgets: Sequence[float],
    zone: ZoneInfo,
    excluded: Sequence[Excluded | None],
) -> Lookback:
    at = history.start + np.arange(history.values.shape[1]) * history.step
    local = np.floor(at + _offsets(at, zone)).astype(np.int64)
    series = [
        PastSeries(local, row, its) for row, its in zip(history.values, excluded, strict=True)
    ]
    total = int(np.count_nonzero(~np.isnan(history.values)))
    columns = (TextColumn("scoring"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=total)
        return look_back(series, budgets, lambda rows: bar.advance(task, rows))


def _offsets(at: NDArray[np.floating], zone: ZoneInfo) -> NDArray[np.float64]:
    """Seconds by which the zone's clocks are ahead, looked up once for each hour."""
    hours, place = np.unique(at // 3600, return_inverse=True)
    moments = [datetime.fromtimestamp(float(hour) * 3600, zone) for hour in hours]
    offsets = [moment.utcoffset() for moment in moments]
    return np.array([each.total_seconds() if each else 0.0 for each in offsets])[place]


def _weeks(history: History) -> float:
    return float(history.values.size) * history.step / _WEEK


def _as_json(history: History, found: Lookback, budget: float) -> dict[str, Any]:
    return {
        "series": len(history.labels),
        "series_weeks": _weeks(history),
        "budget": budget,
        "events": [_event(history, found, event) for event in found.events[budget]],
        "budgets": [{"budget": b, "events": len(events)} for b, events in found.events.items()],
    }


def _event(history: History, found: Lookback, event: Event) -> dict[str, Any]:
    place = (event.series, event.row)
    return {
        "at": history.at(event.row),
        "labels": dict(history.labels[event.series].items()),
        "confidence": event.confidence,
        "value": float(history.values[place]),
        "score": float(found.score[place]),
        "expected": float(found.expected[place]),
        "lower": float(found.lower[place]),
        "upper": float(found.upper[place]),
    }


def _print(history: History, found: Lookback, budget: float, zone: ZoneInfo) -> None:
    events = found.events[budget]
    out.print(
        f"{len(history.labels):,} series, {_weeks(history):.1f} series-weeks, "
        f"{len(events):,} events with a budget of {budget:g} a week",
        markup=False,
    )
    if events:
        out.print(_events_table(history, found, events, zone))
    table = Table("budget a week", "events", "events a series-week")
    for each, its in found.events.items():
        table.add_row(f"{each:g}", f"{len(its):,}", f"{len(its) / _weeks(history):.2f}")
    out.print(table)


def _events_table(
    history: History, found: Lookback, events: Sequence[Event], zone: ZoneInfo
) -> Table:
    table = Table("when", "series", "value", "expected", "band", "confidence")
    for event in events[:_MOST_ROWS]:
        place = (event.series, event.row)
        moment = datetime.fromtimestamp(history.at(event.row), zone)
        table.add_row(
            moment.strftime("%Y-%m-%d %H:%M"),
            str(history.labels[event.series]) or "{}",
            f"{history.values[place]:.4g}",
            f"{found.expected[place]:.4g}",
            f"{found.lower[place]:.4g} to {found.upper[place]:.4g}",
            f"{event.confidence:.2f}",
        )
    if len(events) > _MOST_ROWS:
        table.caption = f"and {len(events) - _MOST_ROWS:,} more: --json has them all"
    return table


def _figures(
    history: History, found: Lookback, budget: float, happened: Happened, expr: str
) -> list[tuple[str, Figure]]:
    """A chart for each series that has events, the most eventful first."""
    events = found.events[budget]
    counts = np.bincount([event.series for event in events], minlength=len(history.labels))
    names = legend_names(history.labels)
    chosen = [int(i) for i in np.argsort(-counts, kind="stable")[:_MOST_FIGURES]]
    figures = []
    for i in chosen:
        rows = (
            ("value", history.values[i]),
            ("expected", found.expected[i]),
            ("lower", found.lower[i]),
            ("upper", found.upper[i]),
        )
        lines = [Line(name, name, name, values) for name, values in rows]
        marks = [Mark(round(history.at(e.row) * 1000), "") for e in events if e.series == i]
        chart = timeseries(
            lines, round(history.start * 1000), round(history.step * 1000), marks=marks
        )
        done = happened.to([series_of(expr, dict(history.labels[i]))])
        figures.append((f"{names[i]}: {counts[i]} events", with_events(chart, done)))
    return figures
