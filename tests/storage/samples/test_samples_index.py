"""The series index against the plain meaning of matchers."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynomaly.model.labels import Labels, series_id
from pynomaly.model.matcher import Matcher, MatchOp, all_match
from pynomaly.storage.samples.dictionary import matching
from pynomaly.storage.samples.index import SeriesIndex

NAMES = ["__name__", "a", "b", "ü"]
VALUES = ["", "x", "y", "xy", "x\ny", "ß"]
PATTERNS = ["", "x", "x.*", ".*", ".+", "x|y|", "[^x]*", "(?i)X", "x.y"]

label_sets = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(Labels),
    max_size=30,
    unique=True,
)
matcher_lists = st.lists(
    st.builds(
        lambda name, op, value, pattern: Matcher(name, op, pattern if "~" in op else value),
        st.sampled_from([*NAMES, "absent"]),
        st.sampled_from(list(MatchOp)),
        st.sampled_from(VALUES),
        st.sampled_from(PATTERNS),
    ),
    max_size=4,
)


def loaded(series: list[Labels]) -> SeriesIndex:
    index = SeriesIndex()
    index.load(
        np.array([series_id(s) for s in series], dtype=np.uint64),
        pa.array([s.name for s in series], pa.string()),
        pa.array([s.pairs for s in series], pa.map_(pa.string(), pa.string())),
    )
    return index


def added(series: list[Labels], parts: int = 3) -> SeriesIndex:
    index = SeriesIndex(label_cache=5)
    for part in range(parts):
        index.add({series_id(s): s for s in series[part::parts]})
    return index


@given(series=label_sets, matchers=matcher_lists, cut=st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_a_selection_is_what_the_matchers_say(
    series: list[Labels], matchers: list[Matcher], cut: int
) -> None:
    expected = {s for s in series if all_match(matchers, s)}
    mixed = loaded(series[:cut])
    mixed.add({series_id(s): s for s in series[cut:]})
    for index in (loaded(series), added(series), mixed):
        slots = index.select(matchers)
        assert len(slots) == len(expected)
        assert set(index.labels(slots)) == expected
        assert index.ids(slots).tolist() == [series_id(s) for s in index.labels(slots)]


@given(series=label_sets, gone=st.sets(st.integers(0, 29)), matchers=matcher_lists)
@settings(max_examples=100, deadline=None)
def test_removed_series_are_found_no_more(
    series: list[Labels], gone: set[int], matchers: list[Matcher]
) -> None:
    index = added(series)
    removed = [s for i, s in enumerate(series) if i in gone]
    kept = [s for i, s in enumerate(series) if i not in gone]
    ids = np.array([series_id(s) for s in removed], dtype=np.uint64)
    index.remove(index.find(ids))
    assert len(index) == len(kept)
    assert set(index.labels(index.select(matchers))) == {s for s in kept if all_match(matchers, s)}
    index.add({series_id(s): s for s in removed})
    assert set(index.labels(index.select([]))) == set(series)


@given(series=label_sets)
@settings(max_examples=50, deadline=None)
def test_label_names_and_values_are_those_of_the_living(series: list[Labels]) -> None:
    for index in (loaded(series), added(series)):
        live = np.zeros(index.slots_used, dtype=np.bool_)
        live[::2] = True
        living = index.labels(np.flatnonzero(live).astype(np.int32))
        assert index.label_names(live) == sorted({name for s in living for name in s})
        for name in [*NAMES, "absent"]:
            values = {s[name] for s in living if name in s}
            assert index.label_values(name, live) == sorted(values)


def test_ids_that_are_not_there_have_no_slot() -> None:
    index = added([Labels({"a": str(i)}) for i in range(100)])
    ids = np.array([1, 2**64 - 1, series_id(Labels({"a": "7"}))], dtype=np.uint64)
    found = index.find(ids)
    assert found[:2].tolist() == [-1, -1]
    assert index.labels(found[2:]) == [Labels({"a": "7"})]


def test_ids_within_a_range_are_counted() -> None:
    index = SeriesIndex()
    index.add({i * 10: Labels({"a": str(i)}) for i in range(5000)})
    index.add({2**64 - 1: Labels({"b": "b"}), 15: Labels({"c": "c"})})
    assert index.count_between(10, 20) == 3
    assert index.count_between(0, 2**64 - 1) == 5002
    assert index.count_between(2**63, 2**64 - 2) == 0


def test_many_small_additions_are_all_found() -> None:
    index, series = SeriesIndex(), [Labels({"a": str(i)}) for i in range(12_000)]
    for first in range(0, len(series), 500):
        index.add({series_id(s): s for s in series[first : first + 500]})
    ids = np.array([series_id(s) for s in series], dtype=np.uint64)
    assert index.find(ids).tolist() == list(range(len(series)))


@pytest.mark.parametrize("op", list(MatchOp))
@pytest.mark.parametrize("pattern", PATTERNS)
def test_many_values_match_as_few_do(op: MatchOp, pattern: str) -> None:
    """Many are matched by Arrow's RE2, few by the matcher itself."""
    values = [f"{value}{suffix}" for value in VALUES for suffix in ["", *map(str, range(40))]]
    matcher = Matcher("a", op, pattern)
    assert matching(values, matcher).tolist() == [matcher.matches(value) for value in values]


@pytest.mark.parametrize("label_cache", [0, 7, 1000])
def test_label_sets_of_many_are_made_in_pieces(
    monkeypatch: pytest.MonkeyPatch, label_cache: int
) -> None:
    monkeypatch.setattr("pynomaly.storage.samples.index._MADE_AT_ONCE", 3)
    known = [Labels({"__name__": f"m{i % 3}", "i": str(i)}) for i in range(25)]
    index = SeriesIndex(label_cache)
    slots = index.add({series_id(labels): labels for labels in known})
    asked = slots[::-1]
    for some in (asked[4:9], asked, asked[:0]):
        assert index.labels(some) == [known[slot] for slot in some.tolist()]
