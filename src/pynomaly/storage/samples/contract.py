"""The two doors of a sample store: appending and selecting."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher
from pynomaly.model.samples import Appended, MetricMetadata, SampleBatch, SeriesSamples


class Appender(Protocol):
    """Stores samples. Implementations: the local engine; later, remote write to a peer."""

    async def append(self, batch: SampleBatch) -> Appended:
        """Return when the batch is stored for good (it survives ``kill -9``).

        Late and out-of-order samples are stored; a duplicate timestamp keeps the last received;
        samples older than the retention are refused and counted in the answer.

        Raises:
            EngineBusy: writing has fallen behind; nothing was stored; try again later.
            DiskFull: nothing was stored; reading goes on.
        """
        ...


class SampleSelector(Protocol):
    """Reads samples: all that the evaluation of an expression needs."""

    def select(
        self,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        chunk_samples: int = 4_000_000,
        query_id: str = "",
    ) -> Iterator[SeriesSamples]:
        """Samples with ``start_ms <= ts <= end_ms``, in chunks of about ``chunk_samples`` rows.

        A series never spans two chunks. Duplicates are resolved, staleness markers included.
        """
        ...


class SampleReader(SampleSelector, Protocol):
    """Reads samples. Synchronous and thread-safe: call it from worker threads.

    A selection is ``matchers`` (all must hold; at least one should not match the empty string),
    and a closed time range in milliseconds.
    """

    def series(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]:
        """The series that any of the selections names and that have samples in the range.

        No selection at all means every series. Sorted.
        """
        ...

    def label_names(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """The names of the labels of such series, sorted."""
        ...

    def label_values(
        self, name: str, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """The values of one label among such series, sorted."""
        ...

    def metadata(self, metric: str = "") -> dict[str, list[MetricMetadata]]:
        """What sources said of each metric family, or of one."""
        ...
