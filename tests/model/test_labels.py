import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.model.labels import Labels, canonical, name_id_range, name_prefix, series_id

sets = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=6)


def test_order_does_not_matter_and_empty_values_are_no_labels() -> None:
    one = Labels({"b": "2", "a": "1", "c": ""})
    other = Labels([("a", "1"), ("b", "2")])
    assert one == other
    assert hash(one) == hash(other)
    assert one.pairs == (("a", "1"), ("b", "2"))
    assert dict(one) == {"a": "1", "b": "2"}


def test_a_label_that_is_absent_raises_or_gives_the_default() -> None:
    labels = Labels({"a": "1"})
    with pytest.raises(KeyError):
        labels["b"]
    assert labels.get("b", "") == ""
    assert labels.name == ""


def test_choosing_and_changing_labels_makes_new_sets() -> None:
    labels = Labels({"__name__": "up", "job": "a", "instance": "b"})
    assert labels.with_(job="", x="y") == Labels({"__name__": "up", "instance": "b", "x": "y"})
    assert labels.keep(["job", "none"]) == Labels({"job": "a"})
    assert labels.without("__name__", "job") == Labels({"instance": "b"})
    assert labels["job"] == "a"


def test_labels_are_not_equal_to_plain_mappings() -> None:
    assert Labels({"a": "1"}) != {"a": "1"}


def test_text_is_as_prometheus_writes_it() -> None:
    assert str(Labels({"__name__": "up"})) == "up"
    assert str(Labels()) == "{}"
    assert str(Labels({"a": 'x"\\\n'})) == '{a="x\\"\\\\\\n"}'
    assert str(Labels({"__name__": "up", "b": "2", "a": "1"})) == 'up{a="1", b="2"}'


def test_labels_sort_by_their_pairs() -> None:
    assert sorted([Labels({"b": "1"}), Labels({"a": "2"}), Labels({"a": "1"})]) == [
        Labels({"a": "1"}),
        Labels({"a": "2"}),
        Labels({"b": "1"}),
    ]


@given(sets)
def test_the_fast_way_gives_the_same(labels: dict[str, str]) -> None:
    slow = Labels(labels)
    fast = Labels.from_sorted(slow.pairs)
    assert fast == slow
    assert hash(fast) == hash(slow)


@given(sets, sets)
def test_different_sets_have_different_canonical_forms(
    a: dict[str, str], b: dict[str, str]
) -> None:
    assert (canonical(Labels(a)) == canonical(Labels(b))) == (Labels(a) == Labels(b))


@given(st.text(max_size=8), sets)
def test_the_id_is_20_bits_of_the_name_and_44_of_all_labels(
    name: str, rest: dict[str, str]
) -> None:
    labels = Labels({**rest, "__name__": name})
    number = series_id(labels)
    assert 0 <= number < 1 << 64
    assert number >> 44 == xxhash.xxh64_intdigest(name.encode()) >> 44
    assert number % (1 << 44) == xxhash.xxh64_intdigest(canonical(labels)) % (1 << 44)
    first, last = name_id_range(name)
    assert first == name_prefix(name)
    assert first <= number <= last


def test_ids_never_change() -> None:
    """Data that is stored depends on these numbers."""
    assert series_id(Labels({"__name__": "up", "job": "node"})) == 0x23AF5E2399CC2DF6
    assert series_id(Labels()) == 0xEF46DB3751D8E999
