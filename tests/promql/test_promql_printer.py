"""What is printed parses as what it was printed from."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.promql.contract import ParseError
from pynomaly.promql.nodes import Node, Number
from pynomaly.promql.parser import parse
from pynomaly.promql.printer import to_text
from pynomaly.rules.defaults import default_groups

_EVAL = re.compile(
    r"^eval(?:_\w+)?\s+(?:instant\s+at\s+\S+|range\s+from\s+\S+\s+to\s+\S+\s+step\s+\S+)\s+(.*)$",
    re.M,
)


def known() -> list[str]:
    cases = Path(__file__).parent / "cases"
    found = [
        expr for file in sorted(cases.glob("*.test")) for expr in _EVAL.findall(file.read_text())
    ]
    return found + [rule.expr for group in default_groups() for rule in group.rules]


def parsed(expr: str) -> Node | None:
    try:
        return parse(expr)
    except ParseError:
        return None


def test_every_expression_of_the_cases_and_the_rules_comes_back() -> None:
    nodes = [node for node in map(parsed, known()) if node is not None]
    assert len(nodes) > 300
    for node in nodes:
        # As text, since NaN is not equal to itself.
        assert repr(parse(to_text(node))) == repr(node)


@pytest.mark.parametrize(
    "expr",
    [
        "x",
        'x{a="b", c!~"d.*"} offset 5m',
        "x[5m] @ 12.500 offset -1m",
        "rate(x[5m])[1h:30s] @ end()",
        "sum by (a, b) (x)",
        "topk without (a) (3, x)",
        "(a + b) * on (c) group_left (d) e",
        "a > bool 1",
        "a and ignoring (b) c",
        '{"__name__"=~"a|b"}'.replace('"__name__"', "__name__"),
        'label_replace(x, "a", "$1\\n", "b", "(.*)")',
        "-(x ^ 2)",
        '{__name__="inf"} + {__name__="sum"}',
        "x > -0.5",
    ],
)
def test_it_prints_as_people_write(expr: str) -> None:
    assert to_text(parse(expr)) == expr


@given(st.floats(allow_nan=False))
def test_numbers_come_back_exactly(value: float) -> None:
    text = to_text(Number(value))
    found = parse(f"vector({text})")
    assert repr(found) == repr(parse(f"vector({value!r})"))
