"""Counter, Gauge, Histogram and Summary: prometheus_client's own, with a guard and exemplars.

They are subclasses, so everything that takes a prometheus_client metric takes these.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import prometheus_client
from prometheus_client.context_managers import Timer
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.utils import floatToGoString

from pynomaly.observability.metrics import exemplars
from pynomaly.observability.metrics.around import F, wrap

OVERFLOW = "_overflow_"
"""The value that every label of the overflow series has."""

_log = logging.getLogger("pynomaly.observability")

# Called for every event: as plain functions they cost less than by way of super().
_count = prometheus_client.Counter.inc
_observe = prometheus_client.Histogram.observe

Self = TypeVar("Self", bound="Guarded")


class Guarded(MetricWrapperBase):
    """A metric whose labels cannot explode.

    ``labels()`` gives the series of these label values. Once a metric has ``max_series`` of them
    in this process, further ones are folded into a single series whose labels all read
    ``_overflow_``; that is logged once for the metric, and each folded call is counted.
    """

    max_series: int = 1000
    on_overflow: Callable[[str], None] | None = None
    _warned: bool = False
    _by_strings: dict[tuple[object, ...], Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> "Guarded":
        """A metric without series; the arguments are those of prometheus_client."""
        self = super().__new__(cls)
        self._by_strings = {}
        return self

    def labels(self: Self, *labelvalues: object, **labelkwargs: object) -> Self:
        """The series of these label values, given by position or by name.

        Raises ValueError if the label names or their number are not the metric's.
        """
        if labelkwargs and not labelvalues and tuple(labelkwargs) == self._labelnames:
            labelvalues, labelkwargs = tuple(labelkwargs.values()), {}
        # Only strings are keys here, so that 1 and True, which are equal, stay apart.
        known: Self | None = None if labelkwargs else self._by_strings.get(labelvalues)
        return self._admit(labelvalues, labelkwargs) if known is None else known

    def _admit(self: Self, values: tuple[object, ...], named: dict[str, object]) -> Self:
        if named and not values and set(named) == set(self._labelnames):
            values, named = tuple(named[name] for name in self._labelnames), {}
        if named or self._labelvalues or not values or len(values) != len(self._labelnames):
            return super().labels(*values, **named)  # raises, saying what is wrong
        texts = tuple(map(str, values))
        if len(self._by_strings) >= self.max_series and texts not in self._by_strings:
            return self._fold()
        series: Self = super().labels(*texts)
        self._by_strings[texts] = series
        return series

    def _fold(self: Self) -> Self:
        if not self._warned:
            self._warned = True
            _log.warning(
                "Metric %s has %d series, its limit: further label values are counted as %s. "
                "Take a label with fewer values, or raise max_series.",
                self._name,
                self.max_series,
                OVERFLOW,
            )
        if self.on_overflow is not None:
            self.on_overflow(self._name)
        folded: Self = super().labels(*[OVERFLOW] * len(self._labelnames))
        return folded

    def remove(self, *labelvalues: Any) -> None:
        """Remove one series."""
        super().remove(*labelvalues)
        self._by_strings.clear()

    def remove_by_labels(self, labels: dict[str, str]) -> None:
        """Remove every series that has these labels."""
        super().remove_by_labels(labels)
        self._by_strings.clear()

    def clear(self) -> None:
        """Remove all series."""
        super().clear()
        self._by_strings.clear()


class Counter(Guarded, prometheus_client.Counter):
    """A count that only rises; keeps the current trace as its exemplar."""

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Add ``amount`` (zero or more); raises ValueError for less."""
        if exemplar is None and exemplars.source is not None:
            exemplar = exemplars.source()
        _count(self, amount, exemplar)
        if exemplar is not None:
            key = sorted(zip(self._labelnames, self._labelvalues, strict=True))
            exemplars.record((f"{self._name}_total", tuple(key)), exemplar, amount)


class Gauge(Guarded, prometheus_client.Gauge):
    """A value that rises and falls."""

    def time(self) -> "Timing":
        """Time a block or a function of any sort; the gauge holds the last duration, in s."""
        return Timing(self, "set")


class Summary(Guarded, prometheus_client.Summary):
    """A sum and a number of observations."""

    def time(self) -> "Timing":
        """Time a block or a function of any sort, in seconds."""
        return Timing(self, "observe")


class Histogram(Guarded, prometheus_client.Histogram):
    """Observations counted by bucket; each bucket keeps a trace that fell into it."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count one observation, in the unit that the metric's name says."""
        if exemplar is None and exemplars.source is not None:
            exemplar = exemplars.source()
        _observe(self, amount, exemplar)
        if exemplar is not None:
            bound = next((b for b in self._upper_bounds if amount <= b), None)
            if bound is not None:
                pairs = [*zip(self._labelnames, self._labelvalues, strict=True)]
                key = sorted([*pairs, ("le", floatToGoString(bound))])
                exemplars.record((f"{self._name}_bucket", tuple(key)), exemplar, amount)

    def time(self) -> "Timing":
        """Time a block or a function of any sort, in seconds."""
        return Timing(self, "observe")


class Timing(Timer):
    """prometheus_client's timer, which also times coroutines and generators to their end."""

    def __init__(self, metric: "Gauge | Histogram | Summary", callback_name: str) -> None:
        Timer.__init__(self, metric, callback_name)

    def __call__(self, f: F) -> F:
        """Time each call of ``f``: a function, coroutine function or generator."""
        return wrap(f, self._block)

    async def __aenter__(self) -> "Timing":
        Timer.__enter__(self)
        return self

    async def __aexit__(self, *raised: Any) -> None:
        Timer.__exit__(self, *raised)

    def _block(self) -> "Timing":
        return Timing(self._metric, self._callback_name)
