"""Figures of backtests."""

import json

import numpy as np
import pytest

from pynomaly.figures.backtest import Span, alerts_over_value, hours_of_week
from pynomaly.figures.timeseries import Line, Threshold
from pynomaly.rules.backtest.figures import backtest_figure, hours_figure, sweep_figure
from pynomaly.rules.backtest.result import (
    AgainstReport,
    AlertEvent,
    BacktestResult,
    Curve,
    Curves,
    RuleReport,
    Sweep,
    SweepRow,
)


def event(instance: str, fired: float, ended: float | None) -> AlertEvent:
    return AlertEvent(
        labels={"alertname": "A", "instance": instance},
        pending_at=fired - 10,
        fired_at=fired,
        ended_at=ended,
        value=1,
        peak=2,
    )


def report(*events: AlertEvent, threshold: float = 0.5) -> RuleReport:
    return RuleReport(
        alert="A",
        group="g",
        file="r.yml",
        expr="x > 0.5",
        hold=10,
        keep_firing_for=0,
        labels={},
        interval=10,
        comparison=">",
        threshold=threshold,
        evaluations=10,
        series=2,
        data_start=0,
        data_end=90,
        fired=len(events),
        pending_only=0,
        per_week=1,
        weeks=[],
        hours=[[0] * 24 for _ in range(6)] + [[3] * 24],
        firing_seconds=10,
        events=list(events),
        curves=Curves(
            start=0,
            step=10,
            series=[Curve(labels={"instance": "a"}, values=[1.0, None, 2.0])],
            left_out=0,
        ),
    )


def result(sweep: Sweep | None = None, other: RuleReport | None = None) -> BacktestResult:
    against = None
    if other is not None:
        against = AgainstReport(rules=[other], same=0, shifted=0, only_a=0, only_b=0, pairs=[])
    return BacktestResult(
        start=0,
        end=100,
        timezone="UTC",
        took=1,
        evaluations=10,
        rules=[report(event("a", 20, 40), event("b", 50, None))],
        sweep=sweep,
        against=against,
    )


def test_alerts_stand_in_rows_under_the_value() -> None:
    figure = backtest_figure(result())
    line, pending, firing = figure["data"]
    assert line["y"] == [1.0, None, 2.0]
    assert firing["x"] == [20_000, 40_000, None, 50_000, 100_000, None]
    assert firing["y"] == ["instance=a", "instance=a", None, "instance=b", "instance=b", None]
    assert pending["x"][:2] == [10_000, 20_000]
    (threshold,) = figure["layout"]["shapes"]
    assert (threshold["y0"], threshold["yref"]) == (0.5, "y")
    assert figure["layout"]["yaxis"]["domain"][0] > figure["layout"]["yaxis2"]["domain"][1]
    json.dumps(figure)


def test_the_other_version_has_rows_and_a_threshold_of_its_own() -> None:
    figure = backtest_figure(result(other=report(event("a", 30, 40), threshold=0.7)))
    assert "instance=a (other version)" in figure["data"][2]["y"]
    assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [0.5, 0.7]


def test_without_a_value_the_rows_take_all_the_height() -> None:
    figure = alerts_over_value([], 0, 1000, [Span("a", 0, 1, 2)])
    assert figure["layout"]["yaxis2"]["domain"] == [0, 1.0]
    line = Line("0", "n", "t", np.array([1.0]))
    assert alerts_over_value([line], 0, 1000, [], [Threshold(1)])["data"][0]["y"] == [1.0]


def test_hours_without_alerts_are_empty() -> None:
    (heat,) = hours_figure(result())["data"]
    assert heat["z"][0] == [None] * 24
    assert heat["z"][6] == [3] * 24
    assert hours_of_week([[0] * 24] * 7)["data"][0]["y"][0] == "Mon"


def row(threshold: float | None, hold: float, fired: int, *, as_given: bool = False) -> SweepRow:
    return SweepRow(
        threshold=threshold,
        hold=hold,
        as_given=as_given,
        fired=fired,
        per_week=1,
        pending_only=0,
        series=1,
        firing_seconds=1,
    )


def test_a_sweep_of_thresholds_has_a_line_for_each_for() -> None:
    rows = [row(2, 60, 3), row(1, 60, 9, as_given=True), row(1, 300, 4), row(2, 300, 2)]
    figure = sweep_figure(result(Sweep(alert="A", threshold="x > 1", rows=rows)))
    found = {trace["name"]: (trace["x"], trace["y"]) for trace in figure["data"]}
    assert found == {"for 1m": ([1, 2], [9, 3]), "for 5m": ([1, 2], [4, 2])}
    assert figure["layout"]["shapes"][0]["x0"] == 1


def test_a_sweep_of_for_alone_is_one_line() -> None:
    rows = [row(None, 300, 2), row(None, 60, 3, as_given=True)]
    figure = sweep_figure(result(Sweep(alert="A", threshold="", rows=rows)))
    (line,) = figure["data"]
    assert (line["x"], line["y"]) == (["1m", "5m"], [3, 2])
    with pytest.raises(ValueError, match="nothing was swept"):
        sweep_figure(result())
