"""The fast way gives what a full parse gives, or declines."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.ingest.exposition import openmetrics, text
from pynomaly.ingest.exposition.layout import Layout

TEXT = '# HELP a Some help 1\n# TYPE a gauge\na{x="1 2"} {}\n\na{x="2"} {}\nb {}\n'


def filled(template: str, *values: object) -> bytes:
    for value in values:
        template = template.replace("{}", str(value), 1)
    return template.encode()


def layout_of(body: bytes) -> Layout:
    layout = Layout.of(body, text.parse(body))
    assert layout is not None
    return layout


@given(st.lists(st.floats(allow_nan=False), min_size=3, max_size=3))
def test_other_values_in_the_same_lines_are_read(values: list[float]) -> None:
    read = layout_of(filled(TEXT, 1, 2, 3)).read(filled(TEXT, *values))
    assert read is not None
    assert read.tolist() == values


@pytest.mark.parametrize(
    "other",
    [
        filled(TEXT, 1, 2, 3) + b"c 4\n",
        filled(TEXT, 1, 2, 3).replace(b"b 3\n", b""),
        filled(TEXT, 1, 2, 3).replace(b"help 1", b"help 2"),
        filled(TEXT, 1, 2, 3).replace(b'x="2"', b'x="3"'),
        filled(TEXT, 1, 2, "3 4"),
        filled(TEXT, 1, 2, "3_0"),
        filled(TEXT, 1, 2, "3\r"),
        filled(TEXT, 1, 2, "three"),
        filled(TEXT, 1, 2, ""),
        b"",
    ],
)
def test_any_other_difference_is_left_to_the_parser(other: bytes) -> None:
    assert layout_of(filled(TEXT, 1, 2, 3)).read(other) is None


@pytest.mark.parametrize(
    "body", [b"a 1 1000\n", b"# TYPE a counter\na_total 1 # {} 1\n# EOF\n", b"\n"]
)
def test_lines_with_more_than_a_value_have_no_layout(body: bytes) -> None:
    module = openmetrics if b"EOF" in body else text
    assert Layout.of(body, module.parse(body)) is None


RULES = (
    "# TYPE c counter\nc_total {}\n"
    '# TYPE h histogram\nh_bucket{le="1"} {}\nh_bucket{le="+Inf"} {}\nh_count {}\nh_sum {}\n'
    "# TYPE i info\ni_info {}\n"
    '# TYPE s summary\ns{quantile="0.5"} {}\ns_count {}\ns_sum {}\n'
    "g {}\n# EOF\n"
)
GOOD = (1, 1, 2, 2, 5, 1, 0.5, 1, 1, 0)


def test_random_values_are_read_exactly_when_the_strict_parser_takes_them() -> None:
    first = filled(RULES, *GOOD)
    layout = Layout.of(first, openmetrics.parse(first))
    assert layout is not None
    dice = random.Random(7)
    taken = 0
    for _ in range(3000):
        values = [v if dice.random() < 0.9 else dice.choice([-1, 0, 1, 2, "NaN"]) for v in GOOD]
        body = filled(RULES, *values)
        try:
            expected = openmetrics.parse(body).values
        except openmetrics.ParseError:
            assert layout.read(body) is None, values
        else:
            read = layout.read(body)
            assert read is not None, values
            assert str(read.tolist()) == str(expected)
            taken += 1
    assert 500 < taken < 2500


@pytest.mark.parametrize("kind", ["stateset", "gaugehistogram"])
def test_types_with_further_rules_are_always_parsed(kind: str) -> None:
    body = {
        "stateset": b'# TYPE s stateset\ns{s="a"} 1\n# EOF\n',
        "gaugehistogram": b'# TYPE h gaugehistogram\nh_bucket{le="+Inf"} 1\n# EOF\n',
    }[kind]
    assert Layout.of(body, openmetrics.parse(body)) is None
