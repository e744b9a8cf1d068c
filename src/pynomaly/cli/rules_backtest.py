"""``pynomaly rules backtest``: when rules would have fired, as tables, JSON or a page."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pynomaly.calendar.charts import series_of
from pynomaly.cli.client import Client
from pynomaly.cli.happened import Happened
from pynomaly.cli.output import err, out
from pynomaly.cli.plot import write_page
from pynomaly.cli.query import sparkline
from pynomaly.figures.events import with_events
from pynomaly.figures.series import legend_names
from pynomaly.model.duration import format_duration
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.promql.printer import format_number
from pynomaly.rules.backtest.figures import backtest_figure, hours_figure, sweep_figure
from pynomaly.rules.backtest.result import (
    AgainstReport,
    AlertEvent,
    BacktestResult,
    RuleReport,
    Sweep,
)

_MOST_ROWS = 30
_SILENCE_SECONDS = 60.0  # the server says every second how far it is
_HEADERS = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}


def run(
    url: str,
    file: Path,
    *,
    from_: str,
    to: str,
    alert: str,
    sweep: Sequence[str],
    against: Path | None,
    timezone: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Ask the server and show what it says."""
    body = {
        "rules": _read(file),
        "file": str(file),
        "from": from_,
        "to": to,
        "alert": alert,
        "sweep": _sweep(sweep),
        "against": _read(against) if against else "",
        "timezone": timezone,
        "curves": as_json or plot is not None,
    }
    result = ask(Client(url, timeout=_SILENCE_SECONDS), body)
    if as_json:
        out.print_json(result.model_dump_json())
    else:
        _print(result)
    if plot is not None:
        _plot(result, file, plot, Happened(Client(url), result.start, result.end))
        err.print(f"The figures are in {plot}.", markup=False)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}") from error


def _sweep(options: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for option in options:
        name, equals, values = option.partition("=")
        if not equals or not values:
            raise BadInput(
                f"--sweep {option}: values are missing",
                hint="Write it like --sweep threshold=0.8,0.9 or --sweep for=1m,5m.",
            )
        found.setdefault(name.strip(), []).extend(v.strip() for v in values.split(","))
    return found


def ask(client: Client, body: dict[str, Any]) -> BacktestResult:
    """The server's answer, its progress shown meanwhile.

    Raises:
        PynomalyError: the server refuses, or goes away.
    """
    columns = (TextColumn("replaying history"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        encoded = json.dumps(body).encode()
        for line in client.lines("/api/rules/backtest", encoded, _HEADERS):
            if "result" in line:
                return BacktestResult.model_validate(line["result"])
            bar.update(task, completed=line.get("progress", 0.0))
    raise PynomalyError("The server closed the connection before the backtest was done.")


def _print(result: BacktestResult) -> None:
    zone = ZoneInfo(result.timezone)
    out.print(
        f"{moment(result.start, zone)} to {moment(result.end, zone)} {result.timezone}, "
        f"{result.evaluations:,} evaluations in {result.took:.1f} s",
        soft_wrap=True,
    )
    for note in result.notes:
        err.print(f"note: {note}", markup=False)
    for report in result.rules:
        _print_rule(report, zone, result.end)
    if result.sweep is not None:
        out.print(_sweep_table(result.sweep))
    if result.against is not None:
        rules = [*result.rules, *result.against.rules]
        _print_against(result.against, rules, zone)


def moment(at: float, zone: ZoneInfo) -> str:
    """A time as people of the zone write it."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _print_rule(report: RuleReport, zone: ZoneInfo, end: float) -> None:
    out.print()
    out.print(Text.assemble((report.alert, "bold"), f"  {report.expr}"), soft_wrap=True)
    firing = _lasting(report.firing_seconds)
    out.print(
        f"  fired {report.fired} times ({report.per_week:.3g} a week), {firing} in all; "
        f"{report.pending_only} went away while pending; {report.series} series",
        soft_wrap=True,
    )
    if report.failures is not None:
        failed = report.failures
        err.print(f"  {failed.count} evaluations failed: {failed.message}", markup=False)
    if not report.fired:
        return
    by_hour = [float(sum(day[hour] for day in report.hours)) for hour in range(24)]
    by_day = [float(sum(day)) for day in report.hours]
    out.print(
        f"  hours 0-23 {sparkline(by_hour)}   Mon-Sun {sparkline(by_day)}   "
        f"weeks {sparkline([float(week.fired) for week in report.weeks])}"
    )
    out.print(_events_table(report, zone, end))
    left = report.fired - min(len(report.events), _MOST_ROWS)
    if left:
        out.print(f"  … and {left} more; --json prints them.")


def _events_table(report: RuleReport, zone: ZoneInfo, end: float) -> Table:
    table = Table(box=None, pad_edge=True)
    for column in ("pending since", "fired at", "lasted", "peak", "labels"):
        table.add_column(column, justify="right" if column in ("lasted", "peak") else "left")
    shown = report.events[:_MOST_ROWS]
    for event, name in zip(shown, _names(shown, report.alert), strict=True):
        begin = "before" if event.found_at_start else moment(event.pending_at, zone)
        lasted = _lasting((event.ended_at or end) - event.fired_at)
        lasted += " …" if event.ended_at is None else ""
        peak = "" if event.peak is None else f"{event.peak:.4g}"
        table.add_row(begin, moment(event.fired_at, zone), lasted, peak, name)
    return table


def _names(events: Sequence[AlertEvent], alert: str, added: Iterable[str] = ()) -> list[Text]:
    """What tells alerts apart: labels that all of them share or rules add are left out."""
    labels = [Labels(event.labels).without("alertname", *added) for event in events]
    names = legend_names(labels, fallback=alert) if labels else []
    return [Text(name, overflow="fold") for name in names]


def _sweep_table(sweep: Sweep) -> Table:
    title = f"sweep of {sweep.alert}" + (f": {sweep.threshold}" if sweep.threshold else "")
    table = Table(title=Text(title), title_justify="left", box=None)
    for column in ("threshold", "for", "fired", "a week", "series", "firing", "only pending", ""):
        table.add_column(column, justify="right")
    for row in sweep.rows:
        table.add_row(
            "" if row.threshold is None else format_number(row.threshold),
            format_duration(row.hold),
            str(row.fired),
            f"{row.per_week:.3g}",
            str(row.series),
            _lasting(row.firing_seconds),
            str(row.pending_only),
            "as given" if row.as_given else "",
        )
    return table


def _print_against(found: AgainstReport, rules: Sequence[RuleReport], zone: ZoneInfo) -> None:
    out.print()
    out.print(
        f"against the other version: {found.same} alerts are the same, {found.shifted} shifted, "
        f"{found.only_a} only in the first, {found.only_b} only in the other",
        soft_wrap=True,
    )
    if not found.pairs:
        return
    table = Table(box=None, pad_edge=True)
    for column in ("", "alert", "fired at", "fires later by", "ends later by", "labels"):
        table.add_column(column)
    words = {"only_a": "only first", "only_b": "only other", "shifted": "shifted", "same": "same"}
    added = {name for rule in rules for name in rule.labels}
    shown = found.pairs[:_MOST_ROWS]
    events = [event for pair in shown if (event := pair.a or pair.b) is not None]
    for pair, event, name in zip(shown, events, _names(events, "", added), strict=True):
        table.add_row(
            words[pair.kind],
            pair.alert,
            moment(event.fired_at, zone),
            _signed(pair.starts),
            _signed(pair.ends),
            name,
        )
    out.print(table)
    if len(found.pairs) > _MOST_ROWS:
        out.print(f"  … and {len(found.pairs) - _MOST_ROWS} more; --json prints them.")


def _signed(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return ("-" if seconds < 0 else "") + _lasting(abs(seconds))


def _lasting(seconds: float) -> str:
    """A duration without what does not matter at its size."""
    unit = 60 if seconds >= 3600 else 1
    return format_duration(round(seconds / unit) * unit)


def _plot(result: BacktestResult, file: Path, plot: Path, happened: Happened) -> None:
    figures = []
    for number, report in enumerate(result.rules):
        series = [series_of(report.expr, event.labels) for event in report.events]
        events = happened.to(series or [series_of(report.expr, {})])
        figure = with_events(backtest_figure(result, number), events)
        figures.append((f"{report.alert}: {report.expr}", figure))
        if report.fired:
            figures.append(
                (f"{report.alert}: hours at which it fires", hours_figure(result, number))
            )
    if result.sweep is not None:
        figures.append((f"Sweep of {result.sweep.alert}", sweep_figure(result)))
    write_page(plot, f"Backtest of {file}", figures)
