"""What OpenMetrics 1.0 demands of one histogram: its buckets, count and sum."""

import math

from pynomaly.ingest.exposition.labels import Fault
from pynomaly.ingest.exposition.samples import Guards, Series


class HistogramRules:
    """Follows the samples of one histogram at a time; ``end`` says that another begins."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._reset()

    def _reset(self) -> None:
        self._empty = True
        self._bound = -math.inf
        self._bucket: tuple[int, float] | None = None
        self._count: tuple[int, float] | None = None
        self._sum: float | None = None
        self._gauge_sum = False
        self._negative_bounds = False

    def sample(self, index: int, suffix: str, series: Series, value: float) -> None:
        """A sample with this suffix (``_bucket``, ``_count``, …); raises Fault."""
        self._empty = False
        match suffix:
            case "_bucket":
                self._add_bucket(index, float(series.labels["le"]), value)
            case "_count" | "_gcount":
                self._count = (index, value)
            case "_sum" | "_gsum":
                self._sum = value
                self._gauge_sum = suffix == "_gsum"

    def _add_bucket(self, index: int, bound: float, value: float) -> None:
        self._negative_bounds |= bound < 0
        if self._bucket is not None:
            before, least = self._bucket
            if bound <= self._bound:
                raise Fault("the bounds of buckets must rise")
            if value < least:
                raise Fault("a bucket holds less than the one below it")
            self._guards.rising.append((before, index))
        self._bound, self._bucket = bound, (index, value)

    def end(self) -> None:
        """Check the histogram as a whole; raises Fault."""
        if not self._empty:
            self._check()
        self._reset()

    def _check(self) -> None:
        if self._bucket is None or self._bound != math.inf:
            raise Fault('a histogram lacks its bucket with le="+Inf"')
        if self._count is not None:
            if self._count[1] != self._bucket[1]:
                raise Fault("the count of a histogram differs from its +Inf bucket")
            self._guards.equal.append((self._count[0], self._bucket[0]))
        if (self._sum is None) != (self._count is None):
            raise Fault("a histogram has both count and sum, or neither")
        if self._sum is None:
            return
        if self._negative_bounds and not self._gauge_sum:
            raise Fault("a histogram with negative buckets has no sum")
        if self._sum < 0 and not self._negative_bounds:
            raise Fault("a negative sum needs negative buckets")
