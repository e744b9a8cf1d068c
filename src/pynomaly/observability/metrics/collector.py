"""``MetricsCollector``: every metric of an application, ready ones and its own."""

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import prometheus_client
from prometheus_client import CollectorRegistry

from pynomaly.observability.metrics import families
from pynomaly.observability.metrics.exposition import exposition
from pynomaly.observability.metrics.family import SECONDS, Definition
from pynomaly.observability.metrics.naming import MetricNameError, problems_of
from pynomaly.observability.metrics.types import Counter, Gauge, Guarded, Histogram, Summary

_KINDS: dict[str, type[Guarded]] = {
    "counter": Counter,
    "gauge": Gauge,
    "histogram": Histogram,
    "summary": Summary,
}

# What has been defined in each registry, by the metric's name: defining twice finds the first.
_defined: WeakKeyDictionary[CollectorRegistry, dict[str, tuple[Definition, Guarded]]]
_defined = WeakKeyDictionary()
_lock = threading.RLock()


class MetricsCollector:
    """The metrics of an application.

    The ready families are attributes: ``metrics.http``, ``detection``, ``training``, ``models``,
    ``database``, ``cache``, ``queue``, ``jobs``, ``business``, ``security``, ``synthdata``. Own
    metrics are defined in a line: ``metrics.counter("orders_total", "Orders placed.", ["shop"])``.
    Two collectors of one registry share their metrics, so it can be made wherever it is needed.

    - registry: where metrics are registered; prometheus_client's own by default, so that the
      metrics of other libraries are exposed with them.
    - max_series: label combinations that one metric may have in a process before further ones
      are folded into an overflow series.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, max_series: int = 1000
    ) -> None:
        self.registry = prometheus_client.REGISTRY if registry is None else registry
        self._max_series = max_series

    @cached_property
    def http(self) -> families.Http:
        """Requests that the application answers."""
        return families.Http(self)

    @cached_property
    def detection(self) -> families.Detection:
        """Jobs that look for anomalies."""
        return families.Detection(self)

    @cached_property
    def training(self) -> families.Training:
        """Jobs that train models."""
        return families.Training(self)

    @cached_property
    def models(self) -> families.Models:
        """How good models are."""
        return families.Models(self)

    @cached_property
    def database(self) -> families.Database:
        """Queries and connection pools."""
        return families.Database(self)

    @cached_property
    def cache(self) -> families.Cache:
        """Hits and misses."""
        return families.Cache(self)

    @cached_property
    def queue(self) -> families.Queue:
        """Queues' lengths and throughput."""
        return families.Queue(self)

    @cached_property
    def jobs(self) -> families.Jobs:
        """Background and batch jobs."""
        return families.Jobs(self)

    @cached_property
    def business(self) -> families.Business:
        """Users, revenue and cost."""
        return families.Business(self)

    @cached_property
    def security(self) -> families.Security:
        """Logins, privileges and certificates."""
        return families.Security(self)

    @cached_property
    def synthdata(self) -> families.Synthdata:
        """Generation of synthetic data."""
        return families.Synthdata(self)

    def counter(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        max_series: int | None = None,
        kept_because: str = "",
    ) -> Counter:
        """A count that only rises; its name ends in ``_total``.

        Raises MetricNameError if the name breaks Prometheus's conventions and ``kept_because``
        gives no reason, and ValueError if the name is another metric's already.
        """
        made = Definition("counter", name, help, tuple(labels), kept_because=kept_because)
        metric: Counter = self.define(made, max_series)
        return metric

    def gauge(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        workers: str = "livesum",
        max_series: int | None = None,
        kept_because: str = "",
    ) -> Gauge:
        """A value that rises and falls; ``workers`` says how several processes' values combine.

        ``workers`` is a multi-process mode of prometheus_client: ``livesum``, ``livemax``,
        ``livemostrecent``, …; raises as ``counter`` does.
        """
        made = Definition(
            "gauge", name, help, tuple(labels), workers=workers, kept_because=kept_because
        )
        metric: Gauge = self.define(made, max_series)
        return metric

    def histogram(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = SECONDS,
        max_series: int | None = None,
        kept_because: str = "",
    ) -> Histogram:
        """Observations by bucket, of which quantiles are computed; raises as ``counter`` does.

        ``buckets``: rising upper bounds, in the unit of the name; +Inf is added.
        """
        made = Definition(
            "histogram", name, help, tuple(labels), tuple(buckets), kept_because=kept_because
        )
        metric: Histogram = self.define(made, max_series)
        return metric

    def summary(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        max_series: int | None = None,
        kept_because: str = "",
    ) -> Summary:
        """A sum and a number of observations; raises as ``counter`` does."""
        made = Definition("summary", name, help, tuple(labels), kept_because=kept_because)
        metric: Summary = self.define(made, max_series)
        return metric

    def define(self, definition: Definition, max_series: int | None = None) -> Any:
        """The metric of a definition: made, or found if this very one was made before."""
        problems = problems_of(definition.kind, definition.name, definition.help, definition.labels)
        if problems and not definition.kept_because:
            raise MetricNameError(definition.name, problems)
        with _lock:
            known = _defined.setdefault(self.registry, {})
            held = known.get(definition.name)
            if held is None:
                held = known[definition.name] = (definition, self._make(definition, max_series))
        if held[0] != definition:
            raise ValueError(
                f"metric {definition.name!r} is defined already, as {held[0]}: take its "
                "definition, or another name"
            )
        return held[1]

    def _make(self, definition: Definition, max_series: int | None) -> Guarded:
        options: dict[str, Any] = {}
        if definition.kind == "gauge":
            options["multiprocess_mode"] = definition.workers
        if definition.kind == "histogram":
            options["buckets"] = definition.buckets or SECONDS
        metric = _KINDS[definition.kind](
            definition.name,
            definition.help,
            definition.labels,
            registry=self.registry,
            **options,
        )
        metric.max_series = self._max_series if max_series is None else max_series
        metric.on_overflow = self._count_overflow
        return metric

    def _count_overflow(self, metric: str) -> None:
        overflows = self.counter(
            "pynomaly_sdk_series_overflow_total",
            "Uses of a metric with label values beyond its limit of series.",
            ["metric"],
            max_series=100_000,
        )
        overflows.labels(metric).inc()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """What ``/metrics`` answers: the body and its content type.

        ``accept`` is the request's header; OpenMetrics, which carries exemplars, is given to who
        asks for it. With several worker processes (``PROMETHEUS_MULTIPROC_DIR``) the answer covers
        them all.
        """
        return exposition(self.registry, accept)
