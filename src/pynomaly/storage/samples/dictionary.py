"""The distinct values of a label, and which of them a matcher accepts."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import BoolArray
from pynomaly.storage.engine.arrow import column
from pynomaly.storage.samples.patterns import literals, matches_of

_ARROW_FROM = 64
"""From this many values on a regular expression is matched by Arrow's RE2, 50 to 100 ns a value."""
_LARGE = 10_000
"""From this many values on, they are kept for Arrow, and answers are remembered."""
_REMEMBERED = 16


class Dictionary:
    """The distinct values of one label name; the code of a value is its place, 0 is absent.

    One thread at a time adds values, any number may ask. ``array`` are the values for Arrow, if
    they are there already.
    """

    def __init__(self, values: Sequence[str] = (), array: pa.Array | None = None) -> None:
        self.values = ["", *values]
        self.codes = {value: code for code, value in enumerate(self.values)}
        self._lock = threading.Lock()
        self._array = column([""])
        if array is not None and len(array) >= _LARGE:
            self._array = pa.concat_arrays([self._array, array])
        self._answers: OrderedDict[tuple[MatchOp, str], BoolArray] = OrderedDict()

    def __len__(self) -> int:
        return len(self.values)

    def code(self, value: str) -> int:
        """The code of a value, given out now if it is new."""
        code = self.codes.get(value)
        if code is None:
            code = self.codes[value] = len(self.values)
            self.values.append(value)
        return code

    def matching(self, matcher: Matcher) -> BoolArray:
        """Which codes have a value that satisfies a matcher: at least all that there were when
        it was called."""
        if len(self.values) < _LARGE:
            return matching(self.values, matcher)
        listed = literals(matcher.value) if matcher.op in _REGEXES else [matcher.value]
        if listed is not None:
            return self._listed(listed, negative=matcher.op in _NEGATIVE)
        key = (matcher.op, matcher.value)
        with self._lock:
            known = self._answers.pop(key, None)
            if known is None:
                known = _matching(self._texts(), matcher)
            if len(known) < len(self.values):
                more = _matching(column(self.values[len(known) :]), matcher)
                known = np.concatenate([known, more])
            self._answers[key] = known
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
            return known

    def _listed(self, values: Sequence[str], *, negative: bool) -> BoolArray:
        answer = np.full(len(self.values), negative)
        answer[[code for code in map(self.codes.get, values) if code is not None]] = not negative
        return answer

    def _texts(self) -> pa.Array:
        """Most of the values; all of them were here at some time."""
        if len(self.values) - len(self._array) > len(self._array) // 8:
            self._array = column(self.values[:])
        return self._array


def matching(values: Sequence[str], matcher: Matcher) -> BoolArray:
    """Which of the values satisfy a matcher."""
    if matcher.op not in _REGEXES or len(values) < _ARROW_FROM:
        values = values[:]  # others may append meanwhile
        return np.fromiter(map(matcher.matches, values), dtype=np.bool_, count=len(values))
    return _matching(column(values[:]), matcher)


def _matching(values: pa.Array, matcher: Matcher) -> BoolArray:
    matched = matches_of(values, matcher.value)
    return ~matched if matcher.op in _NEGATIVE else matched


_REGEXES = frozenset({MatchOp.REGEX, MatchOp.NOT_REGEX})
_NEGATIVE = frozenset({MatchOp.NOT_EQUAL, MatchOp.NOT_REGEX})
