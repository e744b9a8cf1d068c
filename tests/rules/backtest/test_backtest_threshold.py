"""Which number a sweep changes."""

import pytest

from pynomaly.promql.parser import parse
from pynomaly.promql.printer import to_text
from pynomaly.rules.backtest.errors import BadBacktest
from pynomaly.rules.backtest.threshold import chosen, comparison_of, thresholds, with_number


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        ("x > 0.8", [0.8]),
        ("0.8 < x", [0.8]),
        ("x < -5", [-5]),
        ("errors / total * 100 > 5", [5]),
        ("a > 0.9 * b", [0.9]),
        ("2 * a > b", [2]),
        ("x > 0.8 and y < 5", [0.8, 5]),
        ("count by (job) (up == 0) > 3", [3]),
        ("sum(x > bool 2)", [2]),
        ("avg_over_time((x > 4)[5m:1m])", [4]),
        ("absent(up)", []),
        ("x > y", []),
        ("rate(x[5m])", []),
    ],
)
def test_the_numbers_of_the_outermost_comparisons(expr: str, values: list[float]) -> None:
    assert [each.value for each in thresholds(parse(expr))] == values


@pytest.mark.parametrize(
    ("expr", "position", "changed"),
    [
        ("x > 0.8", 0, "x > 7"),
        ("0.8 < x", 1, "7 < x"),
        ("x < -5", 0, "x < 7"),
        ("a > 0.9 * b", 0, "a > (7 * b)"),
        ("x > 0.8 and y < 5", 2, "(x > 0.8) and (y < 7)"),
        ("topk(3, x > 2)", 0, "topk(3, x > 7)"),
        ("clamp_max(x > 2, 5)", 0, "clamp_max(x > 7, 5)"),
        ("max_over_time((x > 4)[5m:1m])", 0, "max_over_time((x > 7)[5m:1m])"),
    ],
)
def test_another_number_in_its_place(expr: str, position: int, changed: str) -> None:
    node = parse(expr)
    found = with_number(node, chosen(node, position).path, 7.0)
    assert to_text(found) == changed
    assert parse(changed) == found


@pytest.mark.parametrize(
    ("expr", "position", "message"),
    [
        ("absent(up)", 0, "compares with no number"),
        (
            "x > 0.8 and y < 5",
            0,
            r"2 thresholds: threshold1 = 0.8 \(of `x > 0.8`\), threshold2 = 5",
        ),
        ("x > 0.8", 2, r"no threshold2; there are: threshold1 = 0.8"),
    ],
)
def test_what_cannot_be_swept_is_said(expr: str, position: int, message: str) -> None:
    with pytest.raises(BadBacktest, match=message):
        chosen(parse(expr), position)


def test_a_comparison_at_the_root_has_its_number_on_the_right() -> None:
    found = comparison_of(parse("0.5 >= rate(x[5m])"))
    assert found is not None
    assert (to_text(found.base), found.op, found.value) == ("rate(x[5m])", "<=", 0.5)
    assert comparison_of(parse("x > bool 1")) is None
    assert comparison_of(parse("x > y")) is None
    assert comparison_of(parse("x > 1 and y")) is None
