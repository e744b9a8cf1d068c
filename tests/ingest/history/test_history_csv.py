"""CSV of history: two forms, read in bulk as they are read row by row."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.ingest.history.csv_bulk import IrregularBlock
from pynomaly.ingest.history.csv_reader import CsvReader
from pynomaly.ingest.history.reader import Block, LineFault

AT = 1_751_284_800_000
Rows = list[tuple[str, int, float]]


def rows(block: Block) -> Rows:
    batch = block.batch
    columns = zip(batch.ids.tolist(), batch.ts.tolist(), batch.values.tolist(), strict=True)
    return [(str(batch.labels[i]), ts, value) for i, ts, value in columns]


def read(*blocks: str | bytes) -> tuple[Rows, LineFault | None]:
    reader, found = CsvReader(), []
    for block in blocks:
        got = reader.read(block.encode() if isinstance(block, str) else block)
        found += rows(got)
        if got.fault:
            return found, got.fault
    return found, reader.finish().fault


def test_the_long_form_has_a_sample_a_row_and_labels_beside() -> None:
    text = (
        "timestamp,metric_name,value,host,zone\n"
        "2025-06-30T12:00:00Z,cpu_usage,75.0,web-1,\n"
        "2025-06-30T14:00:00.500+02:00,cpu_usage,-1e3,web-2,b\n"
    )
    assert read(text) == (
        [
            ('cpu_usage{host="web-1"}', AT, 75.0),
            ('cpu_usage{host="web-2", zone="b"}', AT + 500, -1000.0),
        ],
        None,
    )


def test_the_wide_form_has_a_series_a_column() -> None:
    text = 'value,timestamp,"cpu_usage{host=""web-2""}"\n1,1751284800,80.5\n,1751284801000,+Inf\n'
    found, fault = read(text)
    assert fault is None
    assert sorted(found) == [
        ('cpu_usage{host="web-2"}', AT, 80.5),
        ('cpu_usage{host="web-2"}', AT + 1000, float("inf")),
        ("value", AT, 1.0),
    ]


def test_carriage_returns_a_byte_order_mark_blank_lines_and_a_last_line_without_newline() -> None:
    text = b"\xef\xbb\xbftimestamp,up\r\n1751284800,1\r\n\r\n1751284801,0"
    assert read(text)[0] == [("up", AT, 1.0), ("up", AT + 1000, 0.0)]


def test_the_header_is_read_once_and_lines_are_counted_over_blocks() -> None:
    found, fault = read("timestamp,up\n1751284800,1\n", "1751284801,1\n1751284802,x\n")
    assert len(found) == 2
    assert fault is not None
    assert (fault.line, fault.message) == (4, "line 4: up: expected a number, found 'x'")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: the header needs a column 'timestamp'"),
        ("time,up\n", "line 1: the header needs a column 'timestamp', found 'time, up'"),
        ("timestamp\n", "line 1: the header has no column beside 'timestamp'"),
        ("timestamp,up,up\n", "line 1: the header has the column 'up' twice"),
        ("timestamp,metric_name\n", "line 1: the header has 'metric_name' and needs a column"),
        ("timestamp,metric_name,value,a-b\n", "line 1: the header's column 'a-b' is not a label"),
        ("timestamp,9x\n", "line 1: the header's column '9x' does not name a series"),
        ("timestamp,up\n1\n", "line 2: expected 2 cells, found 1"),
        ("timestamp,up\n1,2,3\n", "line 2: expected 2 cells, found 3"),
        ("timestamp,up\n\nsoon,2\n", "line 3: timestamp: expected ISO 8601"),
        (
            "timestamp,up\n2025-06-30T12:00:00,2\n",
            "line 2: timestamp: '2025-06-30T12:00:00' has no",
        ),
        ("timestamp,up\n1e15,2\n", "line 2: timestamp: 1000000000000000.0 is neither"),
        ("timestamp,up\n1,1_0\n", "line 2: up: expected a number, found '1_0'"),
        ('timestamp,up\n1,"2\n', "line 2: not CSV"),
        ("timestamp,metric_name,value\n1,a b,2\n", "line 2: metric_name: expected letters"),
        ("timestamp,metric_name,value\n1,up,\n", "line 2: value: expected a number, found ''"),
        (b"timestamp,metric_name,value,a\n1,up,1,\xff\n", "line 2: not UTF-8"),
    ],
)
def test_a_fault_names_line_column_and_what(text: str | bytes, fault: str) -> None:
    found = read(text)[1]
    assert found is not None
    assert found.message.startswith(fault)


def test_rows_before_the_fault_are_given() -> None:
    found, fault = read("timestamp,up\n1751284800,1\n1751284801,2\nbad,3\n1751284803,4\n")
    assert [value for _, _, value in found] == [1.0, 2.0]
    assert fault is not None
    assert fault.line == 4


cells = st.one_of(
    st.sampled_from(
        ["1", "-0.5", "1e3", "NaN", "+Inf", "-Inf", "", " 1", "1_0", "0x1", "x", '"1"']
    ),
    st.floats().map(str),
    st.integers(-(10**15), 10**15).map(str),
    st.text(max_size=3),
)
moments = st.one_of(
    st.integers(0, 2 * 10**12).map(str),
    st.floats(0, 2e9).map(str),
    st.datetimes().map(lambda t: t.isoformat() + "Z"),
    st.sampled_from(["2025-06-30T12:00:00Z", "2025-06-30T12:00:00.123456+05:30", "", "now"]),
)


@given(
    st.sampled_from(["timestamp,metric_name,value,host", "timestamp,up,down,cpu"]),
    st.lists(
        st.tuples(moments, st.sampled_from(["up", "1", "", "a b"]) | cells, cells, cells),
        max_size=6,
    ),
)
@settings(max_examples=300, deadline=None)
def test_in_bulk_and_row_by_row_give_the_same(
    header: str, table: list[tuple[str, str, str, str]]
) -> None:
    reader = CsvReader()
    reader.read(header.encode() + b"\n")
    block = "".join(",".join(row) + "\n" for row in table).encode(errors="surrogatepass")
    try:
        fast = rows(Block(reader._in_bulk(block)))
    except IrregularBlock:
        return
    slow = reader._row_by_row(block)
    assert slow.fault is None
    assert sorted(map(repr, fast)) == sorted(map(repr, rows(slow)))


def test_an_ordinary_block_is_read_in_bulk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> Block:
        raise AssertionError("row by row")

    monkeypatch.setattr(CsvReader, "_row_by_row", refuse)
    long = "timestamp,metric_name,value,host\n" + "1751284800,cpu,1.5,a\n1751284801,cpu,NaN,\n"
    assert len(read(long)[0]) == 2
    iso = "timestamp,up\n2025-06-30T12:00:00Z,1\n2025-06-30T12:00:00.5Z,\n"
    assert len(read(iso)[0]) == 1
