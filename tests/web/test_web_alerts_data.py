"""What the pages of alerts are made of, without a browser."""

import pytest

from pynomaly.alerting.silences.errors import BadSilence
from pynomaly.model.alert import Alert, AlertState
from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.promql.parser import parse
from pynomaly.web.alerts.board import AlertBoard, Standing, alert_row, alerts_snapshot
from pynomaly.web.alerts.chart import chart_of, narrowed
from pynomaly.web.alerts.routing import read_labels
from pynomaly.web.alerts.silences import PreviewSpec, preview, read_matchers


def firing(name: str, *, since: float = 100.0, link: str = "", **labels: str) -> Alert:
    return Alert(
        labels=Labels({"alertname": name, **labels}),
        annotations=Labels({}),
        state=AlertState.FIRING,
        value=float("nan"),
        active_at=since,
        fired_at=since,
        generator_url=link,
    )


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("severity=critical team=db", {"severity": "critical", "team": "db"}),
        ("{severity='x', team=db}", {"severity": "'x'", "team": "db"}),
        ('a = "two words", b="a \\"quote\\" \\n"', {"a": "two words", "b": 'a "quote" \n'}),
        ("empty=, b=1", {"b": "1"}),
        ("k8s.pod=web-1", {"k8s.pod": "web-1"}),
        ("", {}),
    ],
)
def test_labels_are_read_as_people_write_them(text: str, labels: dict[str, str]) -> None:
    assert dict(read_labels(text)) == labels


@pytest.mark.parametrize("text", ["severity", "a==b", '="x"', 'a="open', "a=b c", "a=~b"])
def test_what_is_no_label_is_refused_by_its_beginning(text: str) -> None:
    with pytest.raises(BadInput, match="is not a label"):
        read_labels(text)


def test_a_chart_is_narrowed_to_the_series_of_its_alert() -> None:
    expr = narrowed("sum by (job) (up)", Labels({"job": 'a"$1', "k8s.pod": "x"}))
    parse(expr)
    assert expr == (
        '(sum by (job) (up)) and on (job) label_replace(vector(1), "job", "a\\"$$1", "", "")'
    )
    assert narrowed("up", Labels({})) == "up"


def test_an_alert_from_outside_is_drawn_by_the_expression_of_its_link() -> None:
    alert = firing("A", link="http://prometheus/graph?g0.expr=up+%3C+1")
    drawn = {"expr": "up", "rule": "up < 1", "threshold": 1.0, "op": "<"}
    assert chart_of(alert, ()) == drawn
    assert chart_of(firing("A", link="http://grafana/d/x"), ()) is None
    assert chart_of(firing("A", link="http://x/graph?expr=SELECT+1"), ()) is None


def test_what_is_held_back_is_neither_counted_nor_first() -> None:
    found = [
        Standing(firing("Silenced", severity="critical"), silenced=("s",)),
        Standing(firing("Watchdog", severity="none")),
        Standing(firing("Mild", severity="info")),
        Standing(firing("Inhibited", severity="critical"), inhibited="f"),
        Standing(firing("Grave", severity="critical")),
    ]
    shown = alerts_snapshot(found)
    names = [row["name"] for row in shown["alerts"]]
    assert names == ["Grave", "Mild", "Inhibited", "Silenced", "Watchdog"]
    assert (shown["firing"], shown["held"], shown["total"]) == (2, 2, 5)


def test_a_value_that_is_not_known_is_none_and_an_infinite_one_is_said() -> None:
    assert alert_row(Standing(firing("A")))["value"] is None
    infinite = Alert(
        Labels({"alertname": "A"}), Labels({}), AlertState.PENDING, float("-inf"), 1.0
    )  # fmt: skip
    assert alert_row(Standing(infinite))["value"] == "-inf"


class _Nothing:
    def alerts(self) -> list[Alert]:
        return [firing("A", instance="x"), firing("B", instance="y")]


async def test_a_preview_names_what_would_be_hidden() -> None:
    board = AlertBoard(_Nothing(), None, None)  # type: ignore[arg-type] # asked for no time
    found = await preview(PreviewSpec(matchers=("instance=~x|z", 'alertname!="B"')), board)
    assert [row["name"] for row in found["alerts"]] == ["A"]
    assert (found["firing"], found["pending"]) == (1, 0)
    with pytest.raises(BadSilence):
        await preview(PreviewSpec(matchers=("a=~.*",)), board)


def test_one_text_may_hold_several_matchers_and_each_counts_once() -> None:
    assert len(read_matchers(['a="1", b!="2"', 'a="1"'])) == 2
