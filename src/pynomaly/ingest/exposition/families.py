"""What OpenMetrics 1.0 demands of the samples of a metric family together."""

import math
from typing import NamedTuple

from pynomaly.ingest.exposition.histograms import HistogramRules
from pynomaly.ingest.exposition.labels import Fault
from pynomaly.ingest.exposition.samples import Family, Guards, Series

_SUFFIXES = {
    "counter": ("_total", "_created"),
    "summary": ("", "_sum", "_count", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "info": ("_info",),
    "gauge": ("",),
    "stateset": ("",),
    "unknown": ("",),
}
_COUNTS = frozenset(["_total", "_sum", "_count", "_bucket", "_gcount"])
_EXEMPLARS = frozenset(
    [("histogram", "_bucket"), ("gaugehistogram", "_bucket"), ("counter", "_total")]
)

Group = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """A sample on its way through the rules; ``row`` is its index, ``timestamp`` seconds."""

    row: int
    series: Series
    value: float
    timestamp: float | None
    has_exemplar: bool


class FamilyRules:
    """Follows a body family by family; every method raises Fault on what is not allowed."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self._taken: set[str] = set()
        self._family: Family | None = None
        self._kind = "unknown"
        self._suffixes: dict[str, str] = {}
        self._said: set[str] = set()
        self._sampled = False
        self._groups: set[Group] = set()
        self._group: Group | None = None
        self._timestamp: float | None = None
        self._histogram: HistogramRules | None = None

    def family(self, name: str) -> None:
        """A comment line names a family."""
        if self._family is None or self._family.name != name:
            self._start(Family(name))
        elif self._sampled:
            raise Fault(f"metadata of {name!r} after its samples")

    def described(self, family: Family, keyword: str) -> None:
        """The comment line is read; ``family`` has what all of them said."""
        if keyword in self._said:
            raise Fault(f"second {keyword} line for {family.name!r}")
        self._said.add(keyword)
        self._family = family
        self._set_kind(family.type or "unknown")
        if family.unit and self._kind in ("info", "stateset"):
            raise Fault(f"{self._kind} metrics have no unit, {family.name!r} has {family.unit!r}")

    def sample(self, sample: Sample) -> None:
        """A sample line."""
        name = sample.series.name
        suffix = self._suffixes.get(name)
        if suffix is None:
            self._start(Family(name))
            self._set_kind("unknown")
            suffix = ""
        self._sampled = True
        self._check_labels(sample, suffix)
        self._check_group(sample, suffix)
        self._check_value(sample, suffix)
        if sample.has_exemplar and (self._kind, suffix) not in _EXEMPLARS:
            raise Fault(f"{name!r} of type {self._kind} cannot have exemplars")
        if self._histogram is not None:
            self._histogram.sample(sample.row, suffix, sample.series, sample.value)

    def end(self) -> None:
        """The body ends."""
        self._close()

    def _start(self, family: Family) -> None:
        self._close()
        self._family = family
        self._set_kind("unknown")
        self._said = set()
        self._sampled = False
        self._groups = set()
        self._group = None

    def _set_kind(self, kind: str) -> None:
        name = self._family.name if self._family else ""
        self._kind = kind
        self._suffixes = {name + suffix: suffix for suffix in _SUFFIXES[kind]}
        self._histogram = (
            HistogramRules(self.guards) if kind in ("histogram", "gaugehistogram") else None
        )
        if kind in ("stateset", "gaugehistogram"):
            self.guards.complete = False

    def _close(self) -> None:
        if self._family is None:
            return
        if self._histogram is not None:
            self._histogram.end()
        names = {self._family.name, *self._suffixes}
        if clash := sorted(names & self._taken):
            raise Fault(f"{clash[0]!r} belongs to more than one metric family")
        self._taken |= names

    def _check_labels(self, sample: Sample, suffix: str) -> None:
        labels = sample.series.labels
        if suffix == "_bucket":
            _bound(labels.get("le", ""), "le")
        elif self._kind == "summary" and suffix == "":
            quantile = _bound(labels.get("quantile", ""), "quantile")
            if not 0 <= quantile <= 1:
                raise Fault(f"a quantile lies between 0 and 1, not at {labels['quantile']!r}")
        elif self._kind == "stateset" and self._family and self._family.name not in labels:
            raise Fault(f"a sample of stateset {self._family.name!r} lacks the label of this name")

    def _check_group(self, sample: Sample, suffix: str) -> None:
        group = self._group_of(sample.series, suffix)
        timestamp = sample.timestamp
        if group != self._group:
            if group in self._groups:
                raise Fault(f"the samples of {sample.series.name!r} are interleaved")
            self._groups.add(group)
            if self._histogram is not None:
                self._histogram.end()
        elif (timestamp is None) != (self._timestamp is None):
            raise Fault("some samples of a metric have a timestamp, others have none")
        elif timestamp is not None and self._timestamp is not None:
            if timestamp < self._timestamp and self._kind != "info":
                raise Fault("timestamps go backwards")
            if timestamp != self._timestamp and self._histogram is not None:
                self._histogram.end()
        self._group, self._timestamp = group, timestamp

    def _group_of(self, series: Series, suffix: str) -> Group:
        left_out = None
        if suffix == "_bucket":
            left_out = "le"
        elif self._kind == "summary":
            left_out = "quantile"
        elif self._kind == "stateset" and self._family:
            left_out = self._family.name
        if self._kind == "info":
            return ()
        given = series.labels.items()
        return tuple(sorted((n, value) for n, value in given if value and n != left_out))

    def _check_value(self, sample: Sample, suffix: str) -> None:
        value, index, name = sample.value, sample.row, sample.series.name
        if suffix in _COUNTS:
            if math.isnan(value) or value < 0:
                raise Fault(f"{name!r} counts, so that it is neither NaN nor negative")
            self.guards.counts.append(index)
        elif suffix == "_gsum" and math.isnan(value):
            raise Fault(f"{name!r} cannot be NaN")
        elif self._kind == "stateset" and value not in (0, 1):
            raise Fault(f"a state is 0 or 1, {name!r} is not")
        elif self._kind == "info":
            if value != 1:
                raise Fault(f"an info metric is 1, {name!r} is not")
            self.guards.ones.append(index)
        elif self._kind == "summary" and suffix == "":
            if value < 0:
                raise Fault(f"a quantile's value cannot be negative, {name!r} is")
            self.guards.not_negative.append(index)


def _bound(text: str, label: str) -> float:
    """The number in ``le`` or ``quantile``; infinity is spelled ``+Inf``."""
    try:
        value = float(text)
    except ValueError:
        raise Fault(f"expected a number in label {label!r}, found {text!r}") from None
    if math.isnan(value) or "_" in text or (math.isinf(value) and text not in ("+Inf", "-Inf")):
        raise Fault(f"label {label!r} cannot be {text!r}")
    return value
