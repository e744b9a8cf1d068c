"""What every engine must do."""

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynomaly.model.samples import STALE_BITS
from pynomaly.storage.engine.contract import (
    EngineBusy,
    EngineError,
    QueryCancelled,
    SignalEngine,
)

ENDLESS = "SELECT sum(sleepEachRow(0.01)) FROM numbers(1000000)"
IN_SMALL_BLOCKS = {"max_block_size": 10}


def in_background(work: Callable[[], object]) -> "Future[object]":
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def running(engine: SignalEngine, text: str) -> int:
    found = engine.query(
        "SELECT count() AS n FROM system.processes"
        " WHERE position(query, {text:String}) > 0 AND position(query, 'system.processes') = 0",
        {"text": text},
    )
    return int(found["n"][0].as_py())


def one(table: pa.Table) -> object:
    assert table.shape == (1, 1)
    return table.column(0)[0].as_py()


def test_a_result_has_typed_columns(engine: SignalEngine) -> None:
    found = engine.query(
        "SELECT toUInt64(18446744073709551615) AS id, toInt64(-5) AS ts, 0.5 AS value,"
        " 'ü' AS text, toDateTime64(1.5, 3, 'UTC') AS at, map('a', 'b') AS labels, ['x'] AS list,"
        " toLowCardinality('l') AS low"
    )
    assert found.to_pylist() == [
        {
            "id": 2**64 - 1,
            "ts": -5,
            "value": 0.5,
            "text": "ü",
            "at": dt.datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=dt.UTC),
            "labels": [("a", "b")],
            "list": ["x"],
            "low": "l",
        }
    ]
    assert found.schema.field("id").type == pa.uint64()
    assert found.schema.field("text").type == pa.string()


def test_an_empty_result_still_has_its_columns(engine: SignalEngine) -> None:
    found = engine.query("SELECT number AS id, 'a' AS text FROM numbers(10) WHERE number > 100")
    assert found.num_rows == 0
    assert found.column_names == ["id", "text"]


def test_a_result_outlives_its_connection(engine: SignalEngine) -> None:
    first = engine.query("SELECT number AS n FROM numbers(200000)")
    for _ in range(5):
        engine.query("SELECT number * 7 AS n FROM numbers(200000)")
    assert np.array_equal(first["n"].to_numpy(), np.arange(200_000, dtype=np.uint64))


@given(text=st.text(), items=st.lists(st.text(), max_size=4))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_comes_back_as_it_was_bound(
    engine: SignalEngine, text: str, items: list[str]
) -> None:
    text = text.encode("utf-8", "ignore").decode()
    items = [item.encode("utf-8", "ignore").decode() for item in items]
    found = engine.query(
        "SELECT {text:String} AS text, {items:Array(String)} AS items,"
        " {pairs:Map(String, String)} AS pairs",
        {"text": text, "items": items, "pairs": dict.fromkeys(items, text)},
    )
    assert found.to_pylist() == [
        {
            "text": text,
            "items": items,
            "pairs": list(dict.fromkeys(items, text).items()),
        }
    ]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("UInt64", 2**64 - 1, 2**64 - 1),
        ("Int64", -(2**63), -(2**63)),
        ("Float64", 0.1, 0.1),
        ("Float64", float("inf"), float("inf")),
        ("Float64", np.float64(1e300), 1e300),
        ("Bool", True, True),
        ("Nullable(Int8)", None, None),
        ("Array(UInt64)", np.array([1, 2**64 - 1], dtype=np.uint64), [1, 2**64 - 1]),
        ("Array(Int64)", (), []),
        ("Date", dt.date(2024, 2, 29), dt.date(2024, 2, 29)),
        (
            "DateTime64(3, 'UTC')",
            dt.datetime(2024, 2, 29, 12, 30, 0, 250_000, tzinfo=dt.UTC),
            dt.datetime(2024, 2, 29, 12, 30, 0, 250_000, tzinfo=dt.UTC),
        ),
    ],
)
def test_parameters_are_bound_by_type(
    engine: SignalEngine, kind: str, value: object, expected: object
) -> None:
    assert one(engine.query(f"SELECT {{x:{kind}}}", {"x": value})) == expected


def test_a_parameter_of_an_unknown_kind_is_refused(engine: SignalEngine) -> None:
    with pytest.raises(TypeError, match="object"):
        engine.query("SELECT {x:String}", {"x": object()})
    with pytest.raises(TypeError, match="time zone"):
        engine.query("SELECT {x:DateTime}", {"x": dt.datetime(2024, 1, 1)})


def test_inserted_rows_keep_every_bit(engine: SignalEngine) -> None:
    engine.execute(
        "CREATE TABLE t (n UInt64, v Float64, labels Map(LowCardinality(String), String),"
        " low LowCardinality(String), list Array(String), at DateTime64(3, 'UTC'))"
        " ENGINE = MergeTree ORDER BY n"
    )
    bits = np.array([STALE_BITS, 0x7FF8000000000001, 0x8000000000000000, 1], dtype=np.uint64)
    labels = [[("a", "ü"), ("b", "")], [], [("c", "'\\\n")], [("d", "x" * 1000)]]
    rows = pa.table(
        {
            "n": pa.array(range(4), pa.uint64()),
            "v": bits.view(np.float64),
            "labels": pa.array(labels, pa.map_(pa.string(), pa.string())),
            "low": pa.array(["x", "y", "x", ""]).dictionary_encode(),
            "list": [["p"], [], ["q", "r"], [""]],
            "at": pa.array([0, 1, -1, 1_700_000_000_123], pa.timestamp("ms", tz="UTC")),
        }
    )
    engine.insert("t", rows)
    found = engine.query("SELECT * FROM t ORDER BY n")
    assert found["v"].to_numpy().view(np.uint64).tolist() == bits.tolist()
    for name in ("labels", "list", "at"):
        assert found[name].to_pylist() == rows[name].to_pylist()
    assert found["low"].to_pylist() == ["x", "y", "x", ""]


def test_inserting_nothing_is_nothing(engine: SignalEngine) -> None:
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    engine.insert("t", pa.table({"n": pa.array([], pa.uint64())}))
    assert one(engine.query("SELECT count() FROM t")) == 0


def test_a_repeated_token_stores_once(engine: SignalEngine) -> None:
    engine.execute(
        "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"
        " SETTINGS non_replicated_deduplication_window = 10"
    )
    rows = pa.table({"n": pa.array([1, 2], pa.uint64())})
    for token in ("a", "a", "b"):
        engine.insert("t", rows, token=token)
    assert one(engine.query("SELECT count() FROM t")) == 4


def test_settings_hold_for_one_statement(engine: SignalEngine) -> None:
    asked = "SELECT toUInt64(getSetting('max_threads'))"
    before = one(engine.query(asked))
    assert one(engine.query(asked, settings={"max_threads": 7})) == 7
    engine.execute("SELECT 1", settings={"max_threads": 9})
    assert one(engine.query(asked)) == before


@pytest.mark.parametrize(
    ("sql", "code"), [("SELEKT 1", 62), ("SELECT * FROM nosuch", 60), ("SELECT {a:UInt8}", 456)]
)
def test_a_wrong_statement_names_its_fault(engine: SignalEngine, sql: str, code: int) -> None:
    with pytest.raises(EngineError) as caught:
        engine.query(sql)
    assert caught.value.code == code
    assert "DB::Exception" not in str(caught.value)
    assert one(engine.query("SELECT 1")) == 1


def test_an_insert_of_wrong_rows_stores_nothing(engine: SignalEngine) -> None:
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    for rows in (pa.table({"m": [1]}), pa.table({"n": ["x"]})):
        with pytest.raises(EngineError):
            engine.insert("t", rows)
    with pytest.raises(EngineError):
        engine.insert("nosuch", pa.table({"n": [1]}))
    engine.insert("t", pa.table({"n": pa.array([5], pa.uint64())}))
    assert engine.query("SELECT n FROM t")["n"].to_pylist() == [5]


def test_too_little_memory_is_busy(engine: SignalEngine) -> None:
    with pytest.raises(EngineBusy) as caught:
        engine.query(
            "SELECT groupArray(number) FROM numbers(10000000)",
            settings={"max_memory_usage": 1_000_000},
        )
    assert caught.value.status == 429


def test_too_many_parts_is_busy(engine: SignalEngine) -> None:
    engine.execute(
        "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"
        " SETTINGS parts_to_delay_insert = 1, parts_to_throw_insert = 1"
    )
    engine.execute("SYSTEM STOP MERGES t")
    rows = pa.table({"n": pa.array([1], pa.uint64())})
    engine.insert("t", rows)
    with pytest.raises(EngineBusy, match="fallen behind"):
        engine.insert("t", rows)


def test_a_stream_comes_in_pieces(engine: SignalEngine) -> None:
    pieces = list(engine.stream("SELECT number AS n FROM numbers(1000000)"))
    assert len(pieces) > 1
    numbers = np.concatenate([piece["n"].to_numpy() for piece in pieces])
    assert np.array_equal(numbers, np.arange(1_000_000, dtype=np.uint64))


def test_closed_streams_free_their_connections(engine: SignalEngine) -> None:
    for _ in range(5):  # more than there are connections
        stream = engine.stream("SELECT number FROM numbers(100000000)")
        assert next(iter(stream)).num_rows
        stream.close()  # type: ignore[attr-defined] # the contract's iterator is a generator
    assert one(engine.query("SELECT 1")) == 1


def test_a_failed_query_leaves_nothing_for_the_next_one(engine: SignalEngine) -> None:
    """chdb keeps what a failed query had written and would put it before the next stream."""
    for _ in range(4):
        with pytest.raises(EngineError):
            engine.query(
                "SELECT toString(throwIf(number = 900000)) AS text FROM numbers(1000000)",
                settings={"max_threads": 1},
            )
        rows = pa.Table.from_batches(list(engine.stream("SELECT number AS n FROM numbers(10)")))
        assert rows.to_pydict() == {"n": list(range(10))}


def test_a_stream_that_fails_says_so_in_the_middle(engine: SignalEngine) -> None:
    stream = engine.stream(
        "SELECT throwIf(number = 5000000) FROM numbers(10000000)", settings={"max_threads": 1}
    )
    with pytest.raises(EngineError, match="throwIf"):
        for _ in stream:
            pass
    assert one(engine.query("SELECT 1")) == 1


def test_cancelling_stops_a_running_query(engine: SignalEngine) -> None:
    outcome = in_background(lambda: engine.query(ENDLESS, settings=IN_SMALL_BLOCKS, query_id="q"))
    wait_until(lambda: running(engine, "sleepEachRow") == 1)
    engine.cancel("q")
    with pytest.raises(QueryCancelled):
        outcome.result(60)
    assert running(engine, "sleepEachRow") == 0


def test_cancelling_stops_only_its_query(engine: SignalEngine) -> None:
    outcome = in_background(
        lambda: engine.query(
            "SELECT sum(sleepEachRow(0.005)) FROM numbers(100)",
            settings=IN_SMALL_BLOCKS,
            query_id="it's fine",
        )
    )
    engine.cancel("fine")
    engine.cancel("nosuch' OR 1 OR '")
    assert one(outcome.result(60)) == 0  # type: ignore[arg-type] # a table


def test_a_query_that_waits_for_a_connection_can_be_cancelled(engine: SignalEngine) -> None:
    busy = [engine.stream("SELECT number FROM numbers(100000000)") for _ in range(2)]
    for stream in busy:
        next(iter(stream))
    outcome = in_background(lambda: engine.query("SELECT 1", query_id="waits"))
    engine.cancel("unrelated")
    while not outcome.done():
        engine.cancel("waits")
        time.sleep(0.01)
    with pytest.raises(QueryCancelled):
        outcome.result(60)
    for stream in busy:
        stream.close()  # type: ignore[attr-defined]
    assert one(engine.query("SELECT 1")) == 1


def test_a_cancelled_stream_says_so_when_read(engine: SignalEngine) -> None:
    stream = iter(engine.stream("SELECT number FROM numbers(1000000000)", query_id="s"))
    next(stream)
    engine.cancel("s")
    with pytest.raises(QueryCancelled):
        while True:
            next(stream)
    assert one(engine.query("SELECT 1")) == 1


def test_many_threads_get_their_own_answers(engine: SignalEngine) -> None:
    engine.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")

    def ask(number: int) -> bool:
        engine.insert("t", pa.table({"n": pa.array([number], pa.uint64())}))
        found = engine.query("SELECT {n:UInt64} + number AS n FROM numbers(1000)", {"n": number})
        return bool((found["n"].to_numpy() == number + np.arange(1000)).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))
    assert one(engine.query("SELECT count() FROM t")) == 80


def test_closing_cancels_what_runs(engine: SignalEngine) -> None:
    outcomes = [
        in_background(lambda: engine.query(ENDLESS, settings=IN_SMALL_BLOCKS)) for _ in range(5)
    ]
    engine.close()
    for outcome in outcomes:
        with pytest.raises(QueryCancelled):
            outcome.result(60)


def test_closing_ends_a_stream_that_nobody_reads(engine: SignalEngine) -> None:
    stream = iter(engine.stream("SELECT number FROM numbers(1000000000)"))
    next(stream)
    engine.close()
    with pytest.raises(QueryCancelled):
        next(stream)


def test_a_closed_engine_takes_nothing(engine: SignalEngine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(QueryCancelled, match="closed"):
        engine.query("SELECT 1")
    with pytest.raises(QueryCancelled):
        engine.insert("t", pa.table({"n": [1]}))
    with pytest.raises(QueryCancelled):
        engine.execute("SELECT 1")


def test_series_functions_of_the_preview_are_there(engine: SignalEngine) -> None:
    """The product's pinned engine has them behind a setting that a new version may rename."""
    found = engine.query(
        "SELECT timeSeriesRateToGrid(100, 200, 100, 100)"
        "(arrayJoin([toDateTime(110), toDateTime(190)]) AS at, toFloat64(toUnixTimestamp(at)))"
    )
    assert one(found) is not None
