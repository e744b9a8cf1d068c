"""``pynomaly routes backtest``: who would have been told of alerts of the past."""

import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from pynomaly.alerting.alertmanager.load import load_alertmanager
from pynomaly.alerting.backtest.replay import PastAlert
from pynomaly.alerting.backtest.report import routing_backtest
from pynomaly.alerting.backtest.result import RoutingBacktest, RoutingReport, WayReport
from pynomaly.alerting.backtest.service import alerts_of_rules, notes_of
from pynomaly.alerting.backtest.stored import FIRING, STEP, alerts_of, parts
from pynomaly.cli.client import Client
from pynomaly.cli.options import read_time
from pynomaly.cli.output import err, out
from pynomaly.cli.query import sparkline
from pynomaly.cli.routes import config_of
from pynomaly.cli.rules_backtest import ask, moment
from pynomaly.figures.series import legend_names
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels

_MOST_ROWS = 30
_TIMEOUT = 120.0


def run(
    url: str,
    file: Path | None,
    *,
    rules: Path | None,
    from_: str,
    to: str,
    against: Path | None,
    timezone: str,
    as_json: bool,
) -> None:
    """Ask the server for the alerts, replay them here, and show who is told.

    Raises:
        ConfigError: a configuration cannot be used.
        BadInput: a time, or a file that cannot be read.
    """
    config = config_of(file)
    other = load_alertmanager(against) if against else None
    now = time.time()
    start, end = read_time("--from", from_, now), min(read_time("--to", to, now), now)
    client = Client(url, timeout=_TIMEOUT)
    notes: list[str] = []
    if rules is not None:
        alerts = _by_rules(client, rules, start, end, timezone, notes)
    else:
        alerts = _stored(client, start, end)
        notes.append(f"The times of alerts are those of ALERTS, to within {STEP:g} s.")
    result = routing_backtest(
        alerts, config, start, end, against=other, timezone=timezone, notes=notes
    )
    if as_json:
        out.print_json(result.model_dump_json())
    else:
        _print(result)


def _by_rules(
    client: Client, rules: Path, start: float, end: float, timezone: str, notes: list[str]
) -> list[PastAlert]:
    """The alerts that the rules of a file would have given."""
    try:
        text = rules.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{rules} cannot be read: {error}") from error
    body: dict[str, Any] = {
        "rules": text,
        "file": str(rules),
        "from": start,
        "to": end,
        "timezone": timezone,
        "curves": False,
    }
    result = ask(client, body)
    notes += notes_of(result)
    return alerts_of_rules(result)


def _stored(client: Client, start: float, end: float) -> list[PastAlert]:
    """The alerts that fired."""
    times: list[tuple[Labels, list[float]]] = []
    for first, last in parts(start, end):
        query = {"query": FIRING, "start": first, "end": last, "step": STEP}
        for series in client.get("/api/v1/query_range", query)["data"]["result"]:
            times.append((Labels(series["metric"]), [float(at) for at, _ in series["values"]]))
    return alerts_of(times, end)


def _print(result: RoutingBacktest) -> None:
    zone = ZoneInfo(result.timezone)
    out.print(
        f"{moment(result.start, zone)} to {moment(result.end, zone)} {result.timezone}, "
        f"{result.alerts} alerts",
        soft_wrap=True,
    )
    for note in result.notes:
        err.print(f"note: {note}", markup=False)
    _print_report(result.report, zone)
    if result.against is not None:
        out.print("\nby the other configuration:")
        _print_report(result.against, zone)
        _print_rerouted(result, zone)


def _print_report(report: RoutingReport, zone: ZoneInfo) -> None:
    table = Table(box=None, pad_edge=True)
    for column in ("receiver", "by", "told", "a week", "at night", "alerts", "hours 0-23"):
        numbers = column in ("told", "a week", "at night", "alerts")
        table.add_column(column, justify="right" if numbers else "left")
    table.add_column("Mon-Sun")
    for way in report.ways:
        table.add_row(*_way_row(way))
    out.print(table)
    if not report.unheard:
        return
    out.print(f"  nobody is told of {len(report.unheard)} alerts:")
    table = Table(box=None, pad_edge=True)
    for column in ("fired at", "routed to", "why not", "labels"):
        table.add_column(column)
    shown = report.unheard[:_MOST_ROWS]
    names = _names([alert.labels for alert in shown])
    for alert, name in zip(shown, names, strict=True):
        reasons = "; ".join(alert.reasons)
        table.add_row(moment(alert.fired_at, zone), ", ".join(alert.receivers), reasons, name)
    out.print(table)
    _print_left(len(report.unheard))


def _way_row(way: WayReport) -> list[str]:
    by_hour = [float(sum(day[hour] for day in way.hours)) for hour in range(24)]
    by_day = [float(sum(day)) for day in way.hours]
    return [
        way.receiver,
        way.integration,
        str(way.notifications),
        f"{way.per_week:.3g}",
        str(way.at_night),
        str(way.alerts),
        sparkline(by_hour) if way.notifications else "",
        sparkline(by_day) if way.notifications else "",
    ]


def _print_rerouted(result: RoutingBacktest, zone: ZoneInfo) -> None:
    if not result.rerouted:
        out.print("\nevery alert goes to the same receivers by both.")
        return
    out.print(f"\n{len(result.rerouted)} alerts go to other receivers:")
    table = Table(box=None, pad_edge=True)
    for column in ("fired at", "by the first", "by the other", "labels"):
        table.add_column(column)
    shown = result.rerouted[:_MOST_ROWS]
    for alert, name in zip(shown, _names([a.labels for a in shown]), strict=True):
        a, b = (", ".join(names) or "nobody" for names in (alert.a, alert.b))
        table.add_row(moment(alert.fired_at, zone), a, b, name)
    out.print(table)
    _print_left(len(result.rerouted))


def _print_left(count: int) -> None:
    if count > _MOST_ROWS:
        out.print(f"  … and {count - _MOST_ROWS} more; --json prints them.")


def _names(sets: list[dict[str, str]]) -> list[Text]:
    """What tells the alerts apart."""
    return [Text(name, overflow="fold") for name in legend_names(list(map(Labels, sets)))]
