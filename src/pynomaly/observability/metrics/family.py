"""How a ready metric is declared: an attribute of a group, made when it is first used.

An application that trains no model so exposes no training metrics.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

from pynomaly.observability.metrics.around import Around
from pynomaly.observability.metrics.types import Counter, Gauge, Histogram

M = TypeVar("M", Counter, Gauge, Histogram)
T = TypeVar("T", bound="Group")

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a quick request to a slow one."""
JOB_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""From a small job to one of hours."""
BYTES = (256.0, 4096.0, 65536.0, 1048576.0, 16777216.0)
"""From a few words to an upload."""
TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""What lies between 0 and 1."""


@dataclass(frozen=True)
class Definition:
    """What a metric is called, means and is divided by."""

    kind: str
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    workers: str = "livesum"
    kept_because: str = ""


class Definer(Protocol):
    """Makes, or finds, the metric of a definition."""

    def define(self, definition: Definition) -> Any:
        """The metric; raises ValueError if the name is taken by another one."""


class Group:
    """Metrics that belong together; each is made when it is first asked for."""

    def __init__(self, definer: Definer) -> None:
        self._definer = definer


class Ready(Generic[M]):
    """The attribute of a group that is a metric."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._attribute = ""

    def __set_name__(self, owner: type[Group], name: str) -> None:
        self._attribute = name

    @overload
    def __get__(self, group: None, owner: type[Group]) -> "Ready[M]": ...
    @overload
    def __get__(self, group: Group, owner: type[Group]) -> M: ...
    def __get__(self, group: Group | None, owner: type[Group]) -> "Ready[M] | M":
        if group is None:
            return self
        metric: M = group._definer.define(self.definition)
        group.__dict__[self._attribute] = metric
        return metric


def counter(name: str, help: str, *labels: str, kept_because: str = "") -> Ready[Counter]:
    """A ready counter."""
    return Ready(Definition("counter", name, help, labels, kept_because=kept_because))


def gauge(
    name: str, help: str, *labels: str, workers: str = "livesum", kept_because: str = ""
) -> Ready[Gauge]:
    """A ready gauge; ``workers`` says how several worker processes add up."""
    made = Definition("gauge", name, help, labels, workers=workers, kept_because=kept_because)
    return Ready(made)


def histogram(
    name: str, help: str, *labels: str, buckets: Sequence[float] = SECONDS
) -> Ready[Histogram]:
    """A ready histogram."""
    return Ready(Definition("histogram", name, help, labels, tuple(buckets)))


class Tracked(Around[float]):
    """Counts how work ended, and times it: a ``with`` block, or a function of any sort.

    The counter gets ``success`` or ``failure`` as its last label; the exception goes on.
    """

    def __init__(
        self,
        count: Counter,
        duration: Histogram,
        labels: Sequence[str],
        in_progress: Gauge | None = None,
    ) -> None:
        super().__init__()
        self._count, self._duration, self._labels = count, duration, labels
        self._in_progress = in_progress

    def begin(self) -> float:
        """Count the work as in progress; the start in seconds of a monotonic clock."""
        if self._in_progress is not None:
            self._in_progress.labels(*self._labels).inc()
        return time.perf_counter()

    def end(self, state: float, error: BaseException | None) -> None:
        """Count the work as ended."""
        if self._in_progress is not None:
            self._in_progress.labels(*self._labels).dec()
        # A generator that its reader leaves early has not failed.
        failed = error is not None and not isinstance(error, GeneratorExit)
        self._count.labels(*self._labels, "failure" if failed else "success").inc()
        self._duration.labels(*self._labels).observe(time.perf_counter() - state)
