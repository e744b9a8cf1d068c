"""What ``POST /api/metrics`` reads out of a body."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.ingest.json_metrics import JsonFault, parse_samples

NOW = 1_790_000_000_000


def rows(body: bytes | str, *, lines: bool = False) -> list[tuple[str, int, float]]:
    text = body.encode() if isinstance(body, str) else body
    batch = parse_samples(text, NOW, lines=lines)
    columns = zip(batch.ids.tolist(), batch.ts.tolist(), batch.values.tolist(), strict=True)
    return [(str(batch.labels[i]), ts, value) for i, ts, value in columns]


def one(**fields: Any) -> str:
    return json.dumps({"metric_name": "cpu_usage", "value": 75.0, **fields})


def test_one_object_a_list_and_lines() -> None:
    row = ("cpu_usage", NOW, 75.0)
    assert rows(one()) == [row]
    assert rows(f"[{one()}, {one()}]") == [row, row]
    assert rows("[]") == []
    assert rows(one() + "\n\n" + one() + "\n") == [row, row]
    assert rows(one(), lines=True) == [row]


@pytest.mark.parametrize(
    ("timestamp", "ms"),
    [
        ("2025-06-30T12:00:00Z", 1_751_284_800_000),
        ("2025-06-30T12:00:00.250Z", 1_751_284_800_250),
        ("2025-06-30T14:00:00+02:00", 1_751_284_800_000),
        (1_751_284_800, 1_751_284_800_000),
        (1_751_284_800.25, 1_751_284_800_250),
        (1_751_284_800_250, 1_751_284_800_250),
        (None, NOW),
    ],
)
def test_timestamps(timestamp: Any, ms: int) -> None:
    assert rows(one(timestamp=timestamp))[0][1] == ms


def test_labels_make_a_series() -> None:
    assert rows(one(labels={"host": "web-1", "empty": ""}))[0][0] == 'cpu_usage{host="web-1"}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_arrives_as_it_was_sent(value: float) -> None:
    assert rows(one(value=value))[0][2] == value


def test_values_that_json_has_no_number_for_are_strings() -> None:
    assert rows(one(value="+Inf"))[0][2] == math.inf
    assert rows(one(value="-Inf"))[0][2] == -math.inf
    assert math.isnan(rows(one(value="NaN"))[0][2])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", "not JSON (line 1, column 1)"),
        ("{", "not JSON (line 1, column 2)"),
        ('{"metric_name": NaN}', "not JSON"),
        ("3", "expected an object, found 3"),
        ('{"value": 1}', "metric_name: is missing"),
        ('{"metric_name": "up"}', "value: is missing"),
        (one(metric_name="9lives"), "metric_name: expected letters, digits, '_' and ':'"),
        (one(metric_name="cpu usage"), 'found "cpu usage"'),
        (one(metric_name=3), "found 3"),
        (one(value="75"), 'value: expected a number, "NaN", "+Inf" or "-Inf", found "75"'),
        (one(value=True), "value: expected a number"),
        (one(value=None), "value: expected a number"),
        (one(value=[1]), "value: expected a number"),
        (one(timestamp="yesterday"), "timestamp: expected ISO 8601"),
        (one(timestamp="2025-06-30T12:00:00"), "has no time zone; add Z or an offset"),
        (one(timestamp=1_751_284_800_000_000), "neither seconds nor milliseconds"),
        (one(timestamp=True), "timestamp: expected ISO 8601 or a number"),
        (one(labels=[]), "labels: expected an object of strings"),
        (one(labels={"a": 1}), "labels.a: expected a string, found 1"),
        (one(labels={"a-b": "1"}), 'found "a-b"'),
        (one(labels={"__name__": "x"}), "labels: __name__ is said by metric_name"),
        (one(vaule=1), "unknown field 'vaule'"),
        (f"[{one()}, {one(value='x')}]", "samples[1]: value: expected a number"),
        (f"{one()}\n{one(value='x')}\n", "line 2: value: expected a number"),
        (f"{one()}\n\n{{oops\n", "line 3, column 2: not JSON"),
        (b'{"metric_name": "\xff", "value": 1}', "not JSON"),
    ],
)
def test_a_fault_says_where_which_field_and_what(body: str | bytes, fault: str) -> None:
    with pytest.raises(JsonFault) as caught:
        rows(body)
    assert fault in caught.value.message


def test_several_faults_are_told_at_once_but_not_all_of_many() -> None:
    bad = json.dumps([{"metric_name": "up", "value": "x"}] * 50)
    with pytest.raises(JsonFault) as caught:
        rows(bad)
    assert caught.value.message.count("expected a number") == 10


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        rows(body)
    except JsonFault as error:
        assert error.message


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["metric_name", "value", "timestamp", "labels"]), json_values)
)
def test_any_fields_are_read_or_refused(entry: dict[str, Any]) -> None:
    try:
        rows(json.dumps(entry))
    except JsonFault as error:
        assert error.message
