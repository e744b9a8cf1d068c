"""Matchers as texts: both forms, and which one counts."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.alerting.alertmanager.matchers import (
    BadMatcher,
    matchers_text,
    new_matcher,
    outdated,
    parse_classic,
    parse_matcher,
    parse_matchers,
    parse_utf8,
)
from pynomaly.alerting.alertmanager.matchers import matcher_text as text_of
from pynomaly.model.matcher import Matcher, MatchOp

CASES = Path(__file__).parent.parent / "cases" / "matchers.txt"


def cases() -> list[list[str]]:
    lines = CASES.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line and not line.startswith("#")]
    found = []
    for row in rows:
        cells = [cell.strip().replace("<nl>", "\n") for cell in row]
        for place in (2, 3):
            cells[place] = cells[place - 1] if cells[place] == "=" else cells[place]
        found.append(cells)
    return found


def meaning(parse: Callable, text: str) -> str:
    try:
        return ",".join(text_of(matcher) for matcher in parse(text))
    except BadMatcher:
        return "-"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_a_text_means_to_each_parser_what_it_means_to_alertmanagers(case: list[str]):
    text, classic, utf8, together = case
    assert meaning(parse_classic, text) == classic
    assert meaning(parse_utf8, text) == utf8
    assert meaning(parse_matchers, text) == together


@pytest.mark.parametrize("text", ["{a=b}", "a=b}", "a=b,c=d", ""])
def test_where_one_matcher_is_due_neither_braces_nor_others_are_taken(text):
    with pytest.raises(BadMatcher):
        parse_matcher(text)


def test_an_error_of_the_utf8_form_says_where_and_what_was_expected():
    with pytest.raises(BadMatcher, match=r"column 5: expected a comma or the end, found 'c'"):
        parse_utf8("a=b c=d")


def test_a_dot_matches_no_newline_as_in_alertmanager():
    assert not new_matcher("a", MatchOp.REGEX, "x.y").matches("x\ny")
    assert new_matcher("a", MatchOp.REGEX, "(?s)x.y").matches("x\ny")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("a=b c", 'write a="b c" instead'),
        (r'a="\xf0\x9f\x99\x82"', "means two things"),
    ],
)
def test_the_author_of_a_text_in_the_classic_form_is_told_the_better_one(text, advice):
    assert advice in outdated(text)


@pytest.mark.parametrize("text", ["a=b", '"a b"=c', "nonsense"])
def test_there_is_no_advice_where_the_forms_agree_or_only_one_can_be_meant(text):
    assert outdated(text) == ""


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FRAGMENTS = st.lists(
    st.sampled_from(["a", "é", "{", "}", ",", "=", "!", "~", '"', "\\", "'", "`", " ", "\n", "n"])
)


@given(
    st.lists(
        st.builds(new_matcher, TEXTS.filter(bool), st.sampled_from([*MatchOp][:2]), TEXTS),
        max_size=3,
    )
)
def test_what_is_written_is_read_as_the_same(matchers: list[Matcher]):
    assert list(parse_utf8(matchers_text(matchers))) == matchers


@given(FRAGMENTS.map("".join))
def test_any_text_means_something_or_is_refused(text: str):
    for parse in (parse_classic, parse_utf8, parse_matchers):
        with suppress(BadMatcher):
            assert all(isinstance(matcher, Matcher) for matcher in parse(text))
