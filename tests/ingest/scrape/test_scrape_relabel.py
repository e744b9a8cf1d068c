"""Relabelling, action by action."""

import pytest
from pydantic import ValidationError

from pynomaly.ingest.scrape.relabel import RelabelRule, relabel


def after(labels: dict[str, str], *rules: dict[str, object]) -> dict[str, str] | None:
    """The labels that rules leave, or None when they drop them."""
    changed = dict(labels)
    return changed if relabel([RelabelRule(**rule) for rule in rules], changed) else None  # type: ignore[arg-type]


ABC = {"a": "foo", "b": "bar", "c": "baz"}


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ({"source_labels": ["a"], "regex": "f(.*)", "replacement": "ch${1}-ch$1"}, "choo-choo"),
        (
            {"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "replacement": "b$1${2}m"},
            "boobam",
        ),
        ({"source_labels": ["a", "b"], "separator": "-"}, "foo-bar"),
        ({"source_labels": ["a", "none"]}, "foo;"),
        ({"replacement": "static"}, "static"),
        ({"source_labels": ["a"], "regex": "(?P<x>f)(.*)", "replacement": "${x}_$2"}, "f_oo"),
        ({"source_labels": ["a"], "regex": "(f)(.*)", "replacement": "$1x$2"}, "oo"),  # ${1x}
        ({"source_labels": ["a"], "regex": "(f).*", "replacement": "$1$7$$"}, "f$"),
        ({"source_labels": ["a"], "regex": "FOO|(?i)foo", "replacement": "x"}, "x"),
    ],
)
def test_replace_sets_the_target(rule: dict[str, object], changes: str) -> None:
    assert after(ABC, {**rule, "target_label": "d"}) == {**ABC, "d": changes}


def test_replace_does_nothing_when_the_whole_value_does_not_match() -> None:
    rule = {"source_labels": ["a"], "regex": "o+", "target_label": "a", "replacement": "x"}
    assert after(ABC, rule) == ABC


def test_replacing_by_nothing_removes_the_label() -> None:
    rule = {"source_labels": ["a"], "regex": "foo", "target_label": "b", "replacement": ""}
    assert after(ABC, rule) == {"a": "foo", "c": "baz"}


def test_the_target_can_come_from_the_match_and_an_empty_one_is_no_target() -> None:
    rule = {"source_labels": ["a"], "regex": "(f)(x?).*", "replacement": "v"}
    assert after(ABC, {**rule, "target_label": "to_$1"}) == {**ABC, "to_f": "v"}
    assert after(ABC, {**rule, "target_label": "$2"}) == ABC


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"action": "keep", "source_labels": ["a"], "regex": "foo"}, True),
        ({"action": "keep", "source_labels": ["a"], "regex": "fo"}, False),
        ({"action": "drop", "source_labels": ["a"], "regex": "f.*"}, False),
        ({"action": "drop", "source_labels": ["a"], "regex": "bar"}, True),
        ({"action": "drop", "source_labels": ["none"], "regex": ""}, False),
        ({"action": "Keep", "source_labels": ["a", "b"], "regex": "foo;bar"}, True),
        ({"action": "keepequal", "source_labels": ["a"], "target_label": "b"}, False),
        ({"action": "dropequal", "source_labels": ["a"], "target_label": "b"}, True),
        ({"action": "keepequal", "source_labels": ["a"], "target_label": "a"}, True),
        ({"action": "dropequal", "source_labels": ["a"], "target_label": "a"}, False),
        ({"action": "dropequal", "source_labels": ["x"], "target_label": "y"}, False),
    ],
)
def test_label_sets_are_kept_or_dropped(rule: dict[str, object], kept: bool) -> None:
    assert after(ABC, rule) == (ABC if kept else None)


def test_after_a_drop_nothing_more_happens() -> None:
    labels = dict(ABC)
    rules = [
        RelabelRule(action="drop", source_labels=["a"], regex="foo"),
        RelabelRule(target_label="d", replacement="x"),
    ]
    assert not relabel(rules, labels)
    assert labels == ABC


def test_hashmod_shards_as_prometheus_does() -> None:
    # The values that Prometheus computes.
    rule = {"action": "hashmod", "target_label": "d", "modulus": 1000}
    assert after(ABC, {**rule, "source_labels": ["c"]}) == {**ABC, "d": "976"}
    assert after({"a": "foo\nbar"}, {**rule, "source_labels": ["a"]}) == {
        "a": "foo\nbar",
        "d": "734",
    }


def test_labelmap_copies_under_another_name() -> None:
    labels = {"__meta_x": "1", "__meta_y": "2", "z": "3"}
    assert after(labels, {"action": "labelmap", "regex": "__meta_(.+)"}) == {
        **labels,
        "x": "1",
        "y": "2",
    }


def test_labels_are_selected_by_name() -> None:
    assert after(ABC, {"action": "labeldrop", "regex": "a|b"}) == {"c": "baz"}
    assert after(ABC, {"action": "labelkeep", "regex": "a|b"}) == {"a": "foo", "b": "bar"}


def test_case_is_changed() -> None:
    rule = {"source_labels": ["a"], "target_label": "d"}
    assert after({"a": "FoÖ"}, {**rule, "action": "lowercase"}) == {"a": "FoÖ", "d": "foö"}
    assert after({"a": "FoÖ"}, {**rule, "action": "uppercase"}) == {"a": "FoÖ", "d": "FOÖ"}


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"action": "hashmod", "target_label": "x"},
        {"action": "hashmod", "modulus": 2},
        {"action": "lowercase"},
        {"action": "lowercase", "target_label": "x", "replacement": "y"},
        {"action": "labeldrop", "source_labels": ["x"]},
        {"action": "labelkeep", "target_label": "x"},
        {"action": "keepequal", "source_labels": ["x"]},
        {"action": "keepequal", "source_labels": ["x"], "target_label": "y", "regex": "z"},
        {"action": "labelmap", "replacement": ""},
        {"action": "explode"},
        {"target_label": "x", "regex": "(?!x)"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RelabelRule(**rule)  # type: ignore[arg-type]
