"""OpenMetrics 1.0: its syntax, and what it demands of families, histograms and exemplars."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.ingest.exposition.openmetrics import Parser, parse
from pynomaly.ingest.exposition.samples import ExposedExemplar, ParseError
from pynomaly.model.samples import MetricMetadata

HISTOGRAM = '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_count 3\nh_sum 4.5\n'


def whole(lines: str) -> bytes:
    return (lines + "# EOF\n").encode()


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "x 1\n",
        "x NaN\n",
        "x 1 12345.678\n",
        "# TYPE x counter\nx_total 1\nx_created 1.5\n",
        '# TYPE x counter\nx_total 1 2 # {id="a b # c"} 0.5 3\n',
        "# TYPE x_seconds gauge\n# UNIT x_seconds seconds\n# HELP x_seconds h\nx_seconds 1\n",
        "# HELP x \n",
        HISTOGRAM,
        '# TYPE h gaugehistogram\nh_bucket{le="-1"} 1\nh_bucket{le="+Inf"} 2\nh_gcount 2\n'
        "h_gsum -3\n",
        '# TYPE s summary\ns{quantile="0.5"} NaN\ns_count 0\ns_sum 0\n',
        '# TYPE s stateset\ns{s="on"} 1\ns{s="off"} 0\n',
        '# TYPE i info\ni_info{v="1"} 1\n',
        'x{a="1"} 1 1\nx{a="1"} 2 2\nx{a="2"} 1 1\n',
        'x{a="\\z"} 1\n',
    ],
)
def test_what_the_specification_allows(lines: str) -> None:
    parse(whole(lines))


def test_the_last_newline_may_be_missing() -> None:
    assert parse(b"x 1\n# EOF").values == [1.0]


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ("x 1\n\n", 2, "blank lines"),
        ("x  1\n", 1, "after one blank"),
        ("x 1 \n", 1, "after one blank"),
        ("x\t1\n", 1, "invalid metric name|expected|found"),
        ("x 1_0\n", 1, "after one blank"),
        ("x 0x1\n", 1, "expected a number"),
        ("x 1 Inf\n", 1, "a timestamp cannot be Inf"),
        ('x{a="1",} 1\n', 1, "a comma before"),
        ('x{a="1", b="2"} 1\n', 1, "invalid label name"),
        ('x{a="1",a="2"} 1\n', 1, "duplicate label"),
        ("# FOO x y\n", 1, "expected '# HELP'"),
        ("#comment\n", 1, "expected '# HELP'"),
        ("# TYPE x untyped\n", 1, "unknown metric type"),
        ("# TYPE x gauge \n", 1, "unknown metric type"),
        ("# HELP x\n", 1, "expected '# HELP'"),
        ("# UNIT x seconds\n", 1, "not a suffix"),
        ("# TYPE x_s info\n# UNIT x_s s\n", 2, "have no unit"),
        ("# TYPE x gauge\n# TYPE x gauge\n", 2, "second TYPE"),
        ("# TYPE x gauge\nx 1\n# HELP x h\n", 3, "after its samples"),
        ("# TYPE x_total gauge\n# TYPE x counter\n", 3, "more than one metric family"),
        ('x{a="1"} 1\nx{a="2"} 1\nx{a="1"} 2\n', 3, "interleaved"),
        ("x 1 2\nx 1 1\n", 2, "go backwards"),
        ("x 1\nx 1 1\n", 2, "others have none"),
        ("# TYPE x counter\nx_total -1\n", 2, "neither NaN nor negative"),
        ("# TYPE x counter\nx_total NaN\n", 2, "neither NaN nor negative"),
        ("# TYPE x info\nx_info 2\n", 2, "an info metric is 1"),
        ('# TYPE x stateset\nx{x="a"} 2\n', 2, "0 or 1"),
        ("# TYPE x stateset\nx 1\n", 2, "lacks the label"),
        ('# TYPE x summary\nx{quantile="1.5"} 1\n', 2, "between 0 and 1"),
        ("# TYPE x summary\nx 1\n", 2, "'quantile'"),
        ('# TYPE h histogram\nh_bucket{le="1"} 1\n', 3, "lacks its bucket"),
        ('# TYPE h histogram\nh_bucket{le="+INF"} 1\n', 2, "cannot be"),
        (HISTOGRAM.replace("} 2", "} 4"), 3, "less than the one below"),
        (HISTOGRAM.replace("count 3", "count 4"), 6, "differs from its"),
        (HISTOGRAM.replace("h_sum 4.5\n", ""), 5, "both count and sum"),
        (HISTOGRAM.replace('le="1"', 'le="-1"'), 6, "negative buckets has no sum"),
        ('# TYPE x gauge\nx 1 # {a="b"} 1\n', 2, "cannot have exemplars"),
        (f'# TYPE x counter\nx_total 1 # {{a="{"y" * 128}"}} 1\n', 2, "128 characters"),
        ("# TYPE x counter\nx_total 1 # {} 1 NaN\n", 2, "a timestamp cannot be NaN"),
    ],
)
def test_what_it_forbids_is_refused_with_its_line(lines: str, line: int, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as caught:
        parse(whole(lines))
    assert caught.value.line == line


@pytest.mark.parametrize("body", [b"", b"x 1\n", b"x 1\n# EOF\nx 2\n", b"x 1\n# EOFx"])
def test_a_body_ends_with_eof(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body)


def test_syntax_alone_is_what_prometheus_looks_at() -> None:
    lines = '# TYPE x counter\nx_total{a="1"} -1\ny 1\nx_total{a="1"} NaN\n'
    assert len(parse(whole(lines), strict=False)) == 3
    with pytest.raises(ParseError):
        parse(whole("x  1\n"), strict=False)


def test_timestamps_are_seconds_and_become_milliseconds() -> None:
    assert parse(whole("x 1 1700000000.123\n")).timestamps == [1_700_000_000_123]


def test_an_absurd_timestamp_is_kept_within_64_bits() -> None:
    assert parse(whole("x 1 12345678901234567890\n")).timestamps == [2**63 - 1]


def test_created_timestamps_are_series() -> None:
    parsed = parse(whole("# TYPE x counter\nx_total 1\nx_created 1.5\n"))
    assert [s.name for s in parsed.series] == ["x_total", "x_created"]


def test_exemplars_are_read_with_the_row_of_their_sample() -> None:
    lines = (
        '# TYPE x counter\nx_total{n="1"} 1\nx_total{n="2"} 1 # {} +Inf\n'
        'x_total{n="3"} 1 1.5 # {trace_id="a\\"b"} 0.25 1700000000.1239\n'
    )
    assert parse(whole(lines)).exemplars == {
        1: ExposedExemplar({}, math.inf, None),
        2: ExposedExemplar({"trace_id": 'a"b'}, 0.25, 1_700_000_000_123),
    }


def test_an_exemplar_with_long_labels_is_an_error_of_the_specification_alone() -> None:
    line = f'# TYPE x counter\nx_total 1 # {{a="{"y" * 128}"}} 1\n'
    assert list(parse(whole(line), strict=False).exemplars) == [0]
    with pytest.raises(ParseError):
        parse(whole(line))


def test_metadata_is_read() -> None:
    lines = "# TYPE x_s counter\n# UNIT x_s s\n# HELP x_s one\\ntwo\nx_s_total 1\n"
    assert parse(whole(lines)).metadata == [MetricMetadata("x_s", "counter", "one\ntwo", "s")]


def test_a_body_in_pieces_gives_the_same_as_whole() -> None:
    lines = HISTOGRAM + 'x{a="1"} 1\nx{a="2"} 1\n'
    parser, values = Parser(), []
    for line in whole(lines).decode().splitlines():
        parser.feed([line.encode()])
        values += parser.take().values
    parser.finish()
    assert values == parse(whole(lines)).values
    assert [said.name for said in parser.metadata()] == ["h"]


def test_rules_hold_across_pieces() -> None:
    parser = Parser()
    parser.feed([b"# TYPE x counter", b'x_total{a="1"} 1', b'x_total{a="2"} 1'])
    parser.take()
    with pytest.raises(ParseError, match=r"line 4: .*interleaved"):
        parser.feed([b'x_total{a="1"} 2'])
    with pytest.raises(ParseError, match="EOF"):
        parser.finish()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse(body + b"\n# EOF\n")
    except ParseError as error:
        assert error.line >= 1
