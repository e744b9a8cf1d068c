"""Matchers over many values say what RE2 says of each, by whatever means."""

import random
import threading

import pytest

from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.storage.engine.arrow import column
from pynomaly.storage.samples import dictionary
from pynomaly.storage.samples.dictionary import Dictionary
from pynomaly.storage.samples.patterns import literals, matches_of

TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "a.b",
    "a|b",
    "axb",
    "a\nb",
    "ba",
    "bab",
    "ü",
    "a\\",
    "5xx",
    "500",
    "(a)",
]
PIECES = [
    "a",
    "b",
    "ab",
    "ü",
    r"\.",
    r"\|",
    r"\\",
    ".*",
    ".+",
    ".",
    "|",
    "(a|b)",
    "[ab]",
    "a?",
    "5..",
]
WRITTEN = [
    "", ".*", ".+", "a", "a|b", "(a|b)", "a|", "|a", r"a\.b|b", r"a\|b", r"a\\|b", "a.*", "a.+",
    ".*b", ".+b", ".*a.*", ".*?b", ".*b|a", ".*(a|b)", "(?i)A|B", "(?:a|b)", "(a)|(b)", "^a$",
    "a.b", r"\Qa.b\E", r"\x61", ".*$", "a.*b", ".*a.*|500",
]  # fmt: skip


def patterns() -> list[str]:
    chance = random.Random(2)
    made = ["".join(chance.choices(PIECES, k=chance.randint(1, 4))) for _ in range(400)]
    return [*WRITTEN, *dict.fromkeys(made)]


@pytest.mark.parametrize("pattern", patterns())
def test_every_expression_matches_what_re2_matches(pattern: str) -> None:
    expected = [Matcher("x", MatchOp.REGEX, pattern).matches(text) for text in TEXTS]
    assert matches_of(column(TEXTS), pattern).tolist() == expected
    listed = literals(pattern)
    assert listed is None or [text in listed for text in TEXTS] == expected


@pytest.mark.parametrize("op", list(MatchOp))
@pytest.mark.parametrize("value", ["a", "a|v7", ".+", "v.*3", "v1.*", ".*9", "", "nothing"])
def test_a_large_dictionary_answers_as_a_small_one_also_of_what_comes_later(
    monkeypatch: pytest.MonkeyPatch, op: MatchOp, value: str
) -> None:
    monkeypatch.setattr(dictionary, "_LARGE", 100)
    matcher, texts = Matcher("x", op, value), [f"v{i}" for i in range(150)]
    asked = Dictionary(texts, column(texts))
    for more in ([], ["a", "v1a"], [f"v{i}" for i in range(150, 400)]):
        for text in more:
            asked.code(text)
        for _ in range(2):
            assert asked.matching(matcher).tolist() == [matcher.matches(v) for v in asked.values]


def test_values_may_come_while_others_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary, "_LARGE", 100)
    asked, wrong = Dictionary([f"v{i}" for i in range(200)]), list[str]()
    done = threading.Event()

    def ask(number: int) -> None:
        while not done.is_set():
            matcher = Matcher("x", MatchOp.REGEX, f"v.*[{number}5]")
            least = len(asked)
            found = asked.matching(matcher)
            expected = [matcher.matches(value) for value in asked.values[: len(found)]]
            if len(found) < least or found.tolist() != expected:
                wrong.append(matcher.value)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for i in range(200, 3000):
        asked.code(f"v{i}")
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
