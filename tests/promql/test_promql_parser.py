"""The parser's guard and its translation. What it refuses in words is in cases/refusals.test."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp, all_match
from pynomaly.promql import nodes
from pynomaly.promql.contract import ParseError
from pynomaly.promql.parser import parse, selectors
from pynomaly.promql.scan import MAX_LENGTH, MAX_NESTING, MAX_OPERATORS, scan

NAME = Matcher("__name__", MatchOp.EQUAL, "x")

PIECES = st.sampled_from(
    [
        *"()[]{}+-*/^,@=!~'\"`#.:",
        "x",
        "rate",
        "sum",
        "by",
        "5m",
        "1e9",
        "offset",
        "start()",
        "{a='b'}",
        "[5m]",
        "[5m:]",
        " ",
        "\n",
        "\\",
        "é",
        "0x",
        "bool",
        "on",
        "or",
        "inf",
        "-1",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except ParseError as error:
        assert "parse error: " in error.message
    else:
        assert nodes.walk(node)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_characters_are_parsed_or_refused(text: str) -> None:
    try:
        parse(text)
    except ParseError as error:
        assert "parse error: " in error.message


@pytest.mark.parametrize(
    "expr",
    [
        "(" * 100_000 + "x" + ")" * 100_000,
        "(" * 20_000 + "x" + ")" * 20_000,
        "+".join(["x"] * 30_000),
        "x" + "[5m:]" * 10_000,
        "-" * 60_000 + "x",
        "- " * 30_000 + "x",
        "^".join(["2"] * 30_000),
        "abs(" * 10_000 + "x" + ")" * 10_000,
        "x" + "{a='b'}" * 8_000,
        "sum(" * 16_000,
        " or ".join(["x"] * 10_000),
    ],
    ids=lambda expr: expr[:12],
)
def test_huge_expressions_do_not_end_the_process(expr: str) -> None:
    """In a process of its own, and on a stack as small as a thread's may be."""
    program = """
import sys, threading
from pynomaly.promql.contract import ParseError
from pynomaly.promql.parser import parse
def run():
    try:
        parse(sys.stdin.read())
    except ParseError as error:
        print("refused", error)
threading.stack_size(512 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=expr, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout[:7]) == (0, "refused"), done.stderr[-500:]


@pytest.mark.parametrize(
    "expr",
    [
        "+".join(["x"] * MAX_OPERATORS),
        "(" * (MAX_NESTING - 1) + "x" + ")" * (MAX_NESTING - 1),
        "^".join(["2"] * (MAX_NESTING - 1)),
        " or ".join([f'x{{a="{i}"}}' for i in range(500)]),
    ],
    ids=["operators", "brackets", "powers", "or"],
)
def test_what_the_limits_allow_is_parsed(expr: str) -> None:
    assert nodes.walk(parse(expr))


def test_the_scan_knows_strings_and_comments() -> None:
    found = scan("""x{a="((([", b='+{'} # ((((\n + `)]"`""")

    assert (found.operators, found.nesting) == (1, 1)


def test_a_long_expression_is_refused_with_the_limit() -> None:
    with pytest.raises(ParseError, match=str(MAX_LENGTH)):
        parse("x" * (MAX_LENGTH + 1))


@pytest.mark.parametrize(
    "expr", ["x", '{__name__="x"}', '{"x"}', "(x)", "((x))", "+x", "x # comment", "x{}"]
)
def test_every_way_to_name_a_metric_is_the_same(expr: str) -> None:
    assert parse(expr) == nodes.VectorSelector((NAME,))


@pytest.mark.parametrize(
    ("at", "milliseconds"),
    [
        ("0", 0),
        ("1.5", 1500),
        ("-1.5", -1500),
        ("- 60", -60_000),
        ("+ 60", 60_000),
        ("1e11", 100_000_000_000_000),
        ("1700000000.123", 1_700_000_000_123),
        ("start()", "start"),
        ("end()", "end"),
    ],
)
def test_at_takes_any_time(at: str, milliseconds: nodes.At) -> None:
    assert parse(f"x @ {at}") == nodes.VectorSelector((NAME,), at=milliseconds)


def test_several_at_times_stay_apart() -> None:
    node = parse("x @ -5 + x @ 7 offset 1m")

    assert isinstance(node, nodes.Binary)
    assert node.lhs == nodes.VectorSelector((NAME,), at=-5000)
    assert node.rhs == nodes.VectorSelector((NAME,), offset_ms=60_000, at=7000)


def test_an_at_inside_a_string_is_text() -> None:
    assert parse('"x @ -5"') == nodes.Text("x @ -5")


def test_selectors_come_in_order_with_their_matchers() -> None:
    node = parse('sum(rate(a{b="c"}[5m])) / on(d) (e or max_over_time(f[5m:1m]))')
    found = selectors(node)

    assert [m[0].value for m in found] == ["a", "e", "f"]
    assert found[0][1] == Matcher("b", MatchOp.EQUAL, "c")


def test_matchers_of_a_selector_find_series() -> None:
    (matchers,) = selectors(parse('x{path=~"/api/{id}|/b.*", q!="\\"", u=~"é+"}'))

    assert all_match(matchers, Labels({"__name__": "x", "path": "/bc", "u": "é"}))
    assert not all_match(matchers, Labels({"__name__": "x", "path": "/bc", "q": '"', "u": "é"}))


@pytest.mark.parametrize(
    ("expr", "fixed"),
    [
        ("x", False),
        ("x @ 1", True),
        ("rate(x[5m] @ start())", True),
        ("sum(x @ 1) + 2", True),
        ("x @ 1 + x", False),
        ("predict_linear(x[5m] @ 1, 60)", False),
        ("timestamp(x @ 1)", True),
        ("timestamp(abs(x @ 1))", False),
        ("max_over_time(x[5m:] @ 1)", True),
        ("topk(scalar(x), x @ 1)", False),
        ("time()", False),
        ("vector(1)", True),
        ("-x @ end()", True),
    ],
)
def test_what_is_the_same_at_every_step_is_known(expr: str, fixed: bool) -> None:
    assert parse(expr).fixed is fixed


@pytest.mark.parametrize(
    ("expr", "kind"),
    [
        ("1 + 1", nodes.ValueType.SCALAR),
        ("-1", nodes.ValueType.SCALAR),
        ("1 + x", nodes.ValueType.VECTOR),
        ("scalar(x)", nodes.ValueType.SCALAR),
        ("x[5m]", nodes.ValueType.MATRIX),
        ("x[5m:]", nodes.ValueType.MATRIX),
        ("'a'", nodes.ValueType.STRING),
        ("sum(x)", nodes.ValueType.VECTOR),
    ],
)
def test_every_expression_has_a_type(expr: str, kind: nodes.ValueType) -> None:
    assert parse(expr).type is kind
