"""Reading a metric once for many expressions of the same moment, as a group of rules asks them.

Asking the engine costs some milliseconds, whatever little it gives; the rules of a group mostly
read the same few metrics. So the first selector of a metric reads all of its series, and the others
pick theirs from memory. What the store has in memory itself is not worth it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pynomaly.model.labels import METRIC_NAME
from pynomaly.model.matcher import Matcher, MatchOp, all_match
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.contract import ParseError
from pynomaly.promql.parser import parse, selectors
from pynomaly.storage.samples.contract import SampleSelector

_LEAST_READERS = 3
"""With fewer selectors than this a metric is not worth reading as a whole."""
_LONGEST_MS = 1_800_000
"""What reads a longer range reads it for itself."""
_MOST_SAMPLES = 500_000
"""A metric of more samples is read by each selector for itself."""


@dataclass(eq=False)
class _Whole:
    """A metric from ``start_ms`` to ``end_ms``; None when it has too many samples."""

    start_ms: int
    end_ms: int
    samples: SeriesSamples | None


class SharedReads:
    """A ``SampleSelector`` over another, for a moment in which nothing is written that matters.

    Thread-safe. ``expressions`` are those that are going to be evaluated. What begins no earlier
    than ``quick_from`` (ms) is read by each for itself.
    """

    def __init__(
        self,
        reader: SampleSelector,
        expressions: Sequence[str],
        quick_from: Callable[[], int] | None = None,
    ) -> None:
        self._reader = reader
        self._quick_from = quick_from
        readers = Counter(name for expr in expressions for name in _metrics(expr))
        self._shared = {name for name, count in readers.items() if count >= _LEAST_READERS}
        self._wholes: dict[str, _Whole] = {}
        self._lock = threading.Lock()

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        """See ``SampleReader.select``."""
        name = _metric(matchers)
        quick = self._quick_from is not None and start_ms >= self._quick_from()
        if name in self._shared and not quick and end_ms - start_ms <= _LONGEST_MS:
            whole = self._whole(name, start_ms, end_ms, query_id)
            if whole is not None:
                found = _picked(whole, matchers, start_ms, end_ms)
                return iter((found,) if len(found) else ())
        return self._reader.select(
            matchers, start_ms, end_ms, chunk_samples=chunk_samples, query_id=query_id
        )

    def _whole(self, name: str, start_ms: int, end_ms: int, query_id: str) -> SeriesSamples | None:
        with self._lock:
            known = self._wholes.get(name)
            if known is None or start_ms < known.start_ms or end_ms > known.end_ms:
                if known is not None:
                    start_ms, end_ms = min(start_ms, known.start_ms), max(end_ms, known.end_ms)
                samples = self._read(name, start_ms, end_ms, query_id)
                known = self._wholes[name] = _Whole(start_ms, end_ms, samples)
            return known.samples

    def _read(self, name: str, start_ms: int, end_ms: int, query_id: str) -> SeriesSamples | None:
        matcher = Matcher(METRIC_NAME, MatchOp.EQUAL, name)
        chunks: list[SeriesSamples] = []
        for chunk in self._reader.select(
            [matcher], start_ms, end_ms, chunk_samples=_MOST_SAMPLES, query_id=query_id
        ):
            chunks.append(chunk)
            if sum(len(c.ts) for c in chunks) > _MOST_SAMPLES:
                return None
        return _joined(chunks)


def _metrics(expr: str) -> list[str]:
    try:
        found = [_metric(matchers) for matchers in selectors(parse(expr))]
    except ParseError:
        return []  # whoever evaluates it says what is wrong
    return [name for name in found if name]


def _metric(matchers: Sequence[Matcher]) -> str:
    exact = (m.value for m in matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL)
    return next(exact, "")


def _joined(chunks: Sequence[SeriesSamples]) -> SeriesSamples:
    if len(chunks) == 1:
        return chunks[0]
    if not chunks:
        return SeriesSamples([], np.zeros(1, dtype=np.int64), np.empty(0, np.int64), np.empty(0))
    lengths = np.concatenate([np.diff(chunk.offsets) for chunk in chunks])
    return SeriesSamples(
        [labels for chunk in chunks for labels in chunk.labels],
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.concatenate([chunk.ts for chunk in chunks]),
        np.concatenate([chunk.values for chunk in chunks]),
    )


def _picked(
    whole: SeriesSamples, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> SeriesSamples:
    """The series that match, with what they have in the range; none without a sample."""
    count = len(whole)
    matching = np.fromiter(
        (all_match(matchers, labels) for labels in whole.labels), dtype=np.bool_, count=count
    )
    inside = np.repeat(matching, np.diff(whole.offsets))
    inside &= (whole.ts >= start_ms) & (whole.ts <= end_ms)
    before = np.concatenate(([0], np.cumsum(inside)))[whole.offsets]
    lengths = np.diff(before)
    rows = np.flatnonzero(lengths)
    return SeriesSamples(
        [whole.labels[i] for i in rows],
        np.concatenate(([0], np.cumsum(lengths[rows]))).astype(np.int64),
        whole.ts[inside],
        whole.values[inside],
    )
