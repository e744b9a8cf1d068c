"""The text format 0.0.4: what it gives, and what is refused with line and reason."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.ingest.exposition.samples import ParseError
from pynomaly.ingest.exposition.text import parse
from pynomaly.model.samples import MetricMetadata

Row = tuple[str, dict[str, str], float, int | None]


def rows(body: str, *, strict: bool = True) -> list[Row]:
    parsed = parse(body.encode(), strict=strict)
    columns = zip(parsed.series, parsed.values, parsed.timestamps, strict=True)
    return [(s.name, dict(s.labels), value, ts) for s, value, ts in columns]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("up 1", ("up", {}, 1.0, None)),
        ("up{} 1", ("up", {}, 1.0, None)),
        ("  up  \t 1.5e3  ", ("up", {}, 1500.0, None)),
        ("job:x:rate5m -0.5 -17", ("job:x:rate5m", {}, -0.5, -17)),
        ('x{a="1"} +Inf 1700000000000', ("x", {"a": "1"}, math.inf, 1_700_000_000_000)),
        ('x{a="1"}-Inf', ("x", {"a": "1"}, -math.inf, None)),
        ('x { a = "1" , b="2" , } 3', ("x", {"a": "1", "b": "2"}, 3.0, None)),
        ('x{a="",b="2"} 3', ("x", {"a": "", "b": "2"}, 3.0, None)),
        ('x{a="one two } # 3"} 4', ("x", {"a": "one two } # 3"}, 4.0, None)),
        (r'x{a="q\"b\\s\nl"} 1', ("x", {"a": 'q"b\\s\nl'}, 1.0, None)),
        ('{"a.b","c.d"="e"} 1', ("a.b", {"c.d": "e"}, 1.0, None)),
        ('{c="d", "a.b"} 1', ("a.b", {"c": "d"}, 1.0, None)),
        ('x{a="Ω"} 1', ("x", {"a": "Ω"}, 1.0, None)),
    ],
)
def test_a_sample_line(line: str, row: Row) -> None:
    assert rows(line + "\n") == [row]


def test_blank_lines_and_comments_give_nothing() -> None:
    assert rows("\n  \n#\n# anything at all\n#HELP\n# HELP\n# TYPE x\n") == []


def test_metadata_is_read() -> None:
    body = "# HELP  x Some \\\\ text\\nin two lines\n# TYPE x\tcounter\n# TYPE y untyped\nx 1\n"
    assert parse(body.encode()).metadata == [
        MetricMetadata("x", "counter", "Some \\ text\nin two lines"),
        MetricMetadata("y", "unknown"),
    ]


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("a 1\nb 2", 2, "no newline"),
        (r'x{a="\t"} 1', 1, "invalid escape sequence"),
        ('\nx{a="new\nline"} 1\n', 2, "expected '\"'"),
        ('x{@="1"} 1', 1, "invalid label name"),
        ('x{__name__="y"} 1', 1, "reserved"),
        ('x{a+="1"} 1', 1, "expected '='"),
        ("x{a=1} 1", 1, "expected '\"'"),
        ('x{a="1"+} 1', 1, "expected ',' or '}'"),
        ('x{a="1",a="2"} 1', 1, "duplicate label"),
        ('x{a="1" 1', 1, "expected ',' or '}'"),
        ("x 1 2.5\n", 1, "expected an integer as timestamp"),
        ("x 1 2 3\n", 1, "spurious '3'"),
        ("x one\n", 1, "expected a float"),
        ("x\n", 1, "end of the line"),
        ("x 1_000\n", 1, "expected a float"),
        ("x 0x10\n", 1, "expected a float"),
        ("x 1\r\n", 1, "expected a float"),
        ("0x 1\n", 1, "invalid metric name"),
        ("a-b 1\n", 1, "invalid metric name"),
        ("{} 1\n", 1, "invalid metric name"),
        ('{a="1"} 1\n', 1, "invalid metric name"),
        ('{"x","y"} 1\n', 1, "multiple metric names"),
        ('x{"y"} 1\n', 1, "multiple metric names"),
        ("# TYPE a-b counter\n", 1, "invalid metric name in comment"),
        ("# TYPE x thing\n", 1, "unknown metric type"),
        ("# TYPE x counter\n# TYPE x gauge\n", 2, "second TYPE"),
        ("x 1\n# TYPE x gauge\n", 2, "after samples"),
        ("# HELP x a\n# HELP x b\n", 2, "second HELP"),
        ('# TYPE x histogram\nx_bucket{le="a"} 1\n', 2, "'le' label"),
        ('# TYPE x summary\nx{quantile="a"} 1\n', 2, "'quantile' label"),
        ("# TYPE x histogram\nx_count -1\n", 2, "negative count"),
        ('# TYPE x histogram\nx_bucket{le="1"} -1\n', 2, "negative bucket"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(body: str, line: int, reason: str) -> None:
    with pytest.raises(ParseError, match=reason.replace("'", ".")) as caught:
        parse(body.encode(), strict=True)
    assert caught.value.line == line


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ParseError, match=r"line 1: .*UTF-8"):
        parse(b'x{a="\xbd"} 1\n')


@pytest.mark.parametrize(
    "body",
    [
        "a 1\nb 2",
        r'x{a="\t"} 1',
        "# TYPE x counter\n# TYPE x gauge\n# HELP x a\n# HELP x b\nx 1\n# TYPE x counter\n",
        '# TYPE x histogram\nx_bucket{le="a"} -1\n',
    ],
)
def test_a_scrape_takes_what_prometheus_takes(body: str) -> None:
    assert rows(body, strict=False)


def test_what_is_known_of_a_series_is_used_again() -> None:
    known = {}
    first = parse(b'x{a="1"} 1\n', known=known)
    second = parse(b'x{a="1"} 2\n', known=known)
    assert first.series[0] is second.series[0]


def test_a_hostile_line_takes_no_time() -> None:
    hostile = b'x{a="' + b"\\" * 50_000 + b"{" * 50_000
    with pytest.raises(ParseError):
        parse(hostile + b"\n")


_LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True).filter(
        lambda name: name != "__name__"
    ),
    st.text(min_size=1, max_size=12),
    max_size=4,
)


@given(_LABELS, st.floats(), st.none() | st.integers(-(2**62), 2**62))
def test_what_is_written_is_read_again(
    labels: dict[str, str], value: float, timestamp: int | None
) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inner = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
    body = f"x{{{inner}}} {value!r}{'' if timestamp is None else f' {timestamp}'}\n"
    [(name, read, number, ts)] = rows(body)
    assert (name, read, ts) == ("x", labels, timestamp)
    assert number == value or (math.isnan(number) and math.isnan(value))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parsed = parse(body)
    except ParseError as error:
        assert 1 <= error.line <= body.count(b"\n") + 1
    else:
        assert len(parsed.series) == len(parsed.values)
