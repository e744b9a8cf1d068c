"""Which silences can mean an alert, without asking each of them.

A silence that demands one value of a label, or one of a few (``a|b``), can only mean alerts that
have it: it is found by that label. Only the others are asked every time.
"""

import re
from collections.abc import Iterator, Sequence

from pynomaly.alerting.silences.silence import Silence
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp

_Pair = tuple[str, str]

_WORDS = re.compile(r"[\w\-:@/ ]+(?:\|[\w\-:@/ ]+)*", re.ASCII)
"""A regular expression that only lists words."""


class SilenceIndex:
    """Silences by the labels that they demand."""

    def __init__(self) -> None:
        self._by_label: dict[_Pair, dict[str, Silence]] = {}
        self._others: dict[str, Silence] = {}

    def put(self, silence: Silence) -> None:
        """Add it, or replace the one of the same id, which has the same matchers."""
        for shelf in self._shelves(silence):
            shelf[silence.id] = silence

    def remove(self, silence: Silence) -> None:
        """Forget it."""
        for pair in demanded(silence.matchers):
            shelf = self._by_label.get(pair, {})
            shelf.pop(silence.id, None)
            if not shelf:
                self._by_label.pop(pair, None)
        self._others.pop(silence.id, None)

    def candidates(self, labels: Labels) -> Iterator[Silence]:
        """Every silence that can match these labels, and a few more."""
        yield from self._others.values()
        for pair in labels.pairs:
            yield from self._by_label.get(pair, {}).values()

    def _shelves(self, silence: Silence) -> list[dict[str, Silence]]:
        pairs = demanded(silence.matchers)
        return [self._by_label.setdefault(pair, {}) for pair in pairs] or [self._others]


def demanded(matchers: Sequence[Matcher]) -> list[_Pair]:
    """Labels of which a matched alert has one; empty if the matchers demand none."""
    offers = [_demanded_by(matcher) for matcher in matchers]
    return min((offer for offer in offers if offer), key=len, default=[])


def _demanded_by(matcher: Matcher) -> list[_Pair]:
    if matcher.op is MatchOp.EQUAL and matcher.value:
        return [(matcher.name, matcher.value)]
    if matcher.op is MatchOp.REGEX and _WORDS.fullmatch(matcher.value):
        return [(matcher.name, word) for word in dict.fromkeys(matcher.value.split("|"))]
    return []
