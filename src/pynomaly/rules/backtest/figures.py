"""Figures of a backtest's result, for the pages and for files."""

import numpy as np

from pynomaly.figures.backtest import (
    Span,
    SweepLine,
    alerts_over_value,
    hours_of_week,
    sweep_lines,
)
from pynomaly.figures.series import legend_names
from pynomaly.figures.timeseries import Figure, Line, Threshold
from pynomaly.model.duration import format_duration
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.promql.printer import format_number
from pynomaly.rules.backtest.result import AlertEvent, BacktestResult, RuleReport, Sweep, SweepRow

_MOST_ROWS = 30


def backtest_figure(result: BacktestResult, rule: int = 0) -> Figure:
    """The alerts of one rule over its expression's value and threshold.

    With another version of the rules, its alerts stand in rows of their own. At most 30 rows are
    shown, in the order of their names.
    """
    report = result.rules[rule]
    theirs = [] if result.against is None else result.against.rules
    others = [each for each in theirs if each.alert == report.alert]
    spans = _spans(report, result.end, "")
    for other in others:
        spans += _spans(other, result.end, " (other version)")
    spans.sort(key=lambda span: span.row)
    shown = set(list(dict.fromkeys(span.row for span in spans))[:_MOST_ROWS])
    lines, start, step = _lines(report, result)
    limits = {each.threshold for each in [report, *others] if each.threshold is not None}
    return alerts_over_value(
        lines,
        round(start * 1000),
        round(step * 1000),
        [span for span in spans if span.row in shown],
        [Threshold(value, format_number(value)) for value in sorted(limits)],
    )


def _lines(report: RuleReport, result: BacktestResult) -> tuple[list[Line], float, float]:
    curves = report.curves
    if curves is None:
        return [], result.start, report.interval
    labels = [Labels(each.labels) for each in curves.series]
    names = legend_names(labels, fallback=report.alert) if labels else []
    lines = [
        Line(
            str(number),
            name,
            str(each),
            np.array([np.nan if v is None else v for v in curve.values], dtype=np.float64),
        )
        for number, (name, each, curve) in enumerate(zip(names, labels, curves.series, strict=True))
    ]
    return lines, curves.start, curves.step


def _spans(report: RuleReport, end: float, suffix: str) -> list[Span]:
    labels = {tuple(sorted(event.labels.items())) for event in report.events}
    ordered = [Labels(dict(each)).without("alertname", METRIC_NAME) for each in sorted(labels)]
    names = legend_names(ordered, fallback=report.alert) if ordered else []
    name_of = dict(zip(ordered, names, strict=True))
    return [
        Span(
            name_of[Labels(event.labels).without("alertname", METRIC_NAME)] + suffix,
            round(event.pending_at * 1000),
            round(event.fired_at * 1000),
            round((end if event.ended_at is None else event.ended_at) * 1000),
            _note(event),
        )
        for event in report.events
    ]


def _note(event: AlertEvent) -> str:
    peak = "" if event.peak is None else f"peak {event.peak:.6g}"
    return event.annotations.get("summary", "") or peak


def hours_figure(result: BacktestResult, rule: int = 0) -> Figure:
    """At what hours of the week one rule fires."""
    return hours_of_week(result.rules[rule].hours)


def sweep_figure(result: BacktestResult) -> Figure:
    """How often the swept rule fires at each threshold and ``for``.

    Raises:
        ValueError: nothing was swept.
    """
    if result.sweep is None:
        raise ValueError("nothing was swept")
    sweep = result.sweep
    return _by_threshold(sweep) if sweep.threshold else _by_hold(sweep)


def _by_threshold(sweep: Sweep) -> Figure:
    holds = list(dict.fromkeys(row.hold for row in sweep.rows))
    lines = [
        _sweep_line(f"for {format_duration(hold)}", [r for r in sweep.rows if r.hold == hold])
        for hold in holds
    ]
    given = next((row.threshold for row in sweep.rows if row.as_given), None)
    return sweep_lines(lines, f"threshold of {sweep.threshold}", given)


def _sweep_line(name: str, rows: list[SweepRow]) -> SweepLine:
    rows = sorted(rows, key=lambda row: row.threshold or 0.0)
    return SweepLine(name, [row.threshold or 0.0 for row in rows], [row.fired for row in rows])


def _by_hold(sweep: Sweep) -> Figure:
    rows = sorted(sweep.rows, key=lambda row: row.hold)
    line = SweepLine("", [format_duration(r.hold) for r in rows], [r.fired for r in rows])
    given = next((format_duration(row.hold) for row in rows if row.as_given), None)
    return sweep_lines([line], "for", given)
