import pytest

from pynomaly.model.errors import BadInput
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp, all_match


@pytest.mark.parametrize(
    ("op", "pattern", "yes", "no"),
    [
        (MatchOp.EQUAL, "a.c", ["a.c"], ["abc", "", "a.cd"]),
        (MatchOp.NOT_EQUAL, "a", ["b", ""], ["a"]),
        (MatchOp.REGEX, "a.c", ["abc", "a\nc"], ["xabc", "abcx", "abc\n", ""]),
        (MatchOp.REGEX, "a|b", ["a", "b"], ["ab", "xa", "bx"]),
        (MatchOp.REGEX, "", [""], ["a"]),
        (MatchOp.REGEX, ".*", ["", "a", "\n"], []),
        (MatchOp.REGEX, ".+", ["a"], [""]),
        (MatchOp.REGEX, "(?i)ä", ["ä", "Ä"], ["a"]),
        (MatchOp.REGEX, "^a$", ["a"], ["aa"]),
        (MatchOp.REGEX, "(?m)a$", ["a"], ["a\nb"]),
        (MatchOp.NOT_REGEX, "a.*", ["b", ""], ["a", "abc"]),
    ],
)
def test_matchers_are_anchored_and_their_dot_takes_a_newline(
    op: MatchOp, pattern: str, yes: list[str], no: list[str]
) -> None:
    matcher = Matcher("x", op, pattern)
    assert [value for value in yes + no if matcher.matches(value)] == yes


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", r"(?=x)", r"\1", "*", "x)(y"])
def test_what_re2_refuses_is_bad_input_and_is_named(pattern: str) -> None:
    with pytest.raises(BadInput) as caught:
        Matcher("x", MatchOp.REGEX, pattern)
    assert repr(pattern) in str(caught.value)


def test_a_regex_cannot_backtrack_without_end() -> None:
    assert not Matcher("x", MatchOp.REGEX, "(a+)+b").matches("a" * 50_000)


def test_a_label_that_is_absent_counts_as_empty() -> None:
    labels = Labels({"__name__": "up"})
    assert all_match([Matcher("job", MatchOp.EQUAL, "")], labels)
    assert all_match([Matcher("job", MatchOp.NOT_REGEX, ".+")], labels)
    assert not all_match(
        [Matcher("__name__", MatchOp.EQUAL, "up"), Matcher("job", MatchOp.NOT_EQUAL, "")], labels
    )


def test_text_can_be_read_again() -> None:
    assert str(Matcher("a", MatchOp.REGEX, 'x"\\d\n')) == 'a=~"x\\"\\\\d\\n"'


def test_matchers_compare_by_what_they_say() -> None:
    assert Matcher("a", MatchOp.REGEX, "b") == Matcher("a", MatchOp.REGEX, "b")
    assert len({Matcher("a", MatchOp.REGEX, "b"), Matcher("a", MatchOp.REGEX, "b")}) == 1
