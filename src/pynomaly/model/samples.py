"""Samples in columns: what is appended, what is read, and the staleness marker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels, series_id

IdArray = NDArray[np.uint64]
TimeArray = NDArray[np.int64]
ValueArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

STALE_BITS = 0x7FF0000000000002
"""The NaN by which Prometheus says that a series has ended (its value.StaleNaN)."""

STALE: np.float64 = np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0]
"""The staleness marker. Keep it in arrays: a round trip through a Python float keeps its bits,
arithmetic does not."""


def is_stale(values: ValueArray) -> BoolArray:
    """Which values are staleness markers (by their bits: other NaNs are ordinary values)."""
    stale: BoolArray = np.ascontiguousarray(values).view(np.uint64) == np.uint64(STALE_BITS)
    return stale


@dataclass(frozen=True, slots=True)
class MetricMetadata:
    """What a source says of a metric family. ``type`` is Prometheus's word (``counter``, …)."""

    name: str
    type: str = "unknown"
    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class SampleBatch:
    """Samples to append, in columns of one length.

    ``ids``: uint64, ``series_id`` of each sample's labels. ``ts``: int64, milliseconds since the
    epoch. ``values``: float64. ``labels`` holds at least every id that occurs in ``ids``; it may
    hold more, so that a source can pass its own cache without copying. ``exemplars`` are
    of the series whose id stands before each, which ``labels`` holds as well.
    """

    ids: IdArray
    ts: TimeArray
    values: ValueArray
    labels: Mapping[int, Labels]
    metadata: Sequence[MetricMetadata] = ()
    exemplars: Sequence[tuple[int, Exemplar]] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(
        cls,
        samples: Sequence[tuple[Labels, int, float]],
        metadata: Sequence[MetricMetadata] = (),
    ) -> "SampleBatch":
        """Build a batch from (labels, milliseconds, value) rows."""
        ids = [series_id(labels) for labels, _, _ in samples]
        return cls(
            ids=np.array(ids, dtype=np.uint64),
            ts=np.array([ts for _, ts, _ in samples], dtype=np.int64),
            values=np.array([value for _, _, value in samples], dtype=np.float64),
            labels={i: labels for i, (labels, _, _) in zip(ids, samples, strict=True)},
            metadata=metadata,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSamples:
    """Samples of some series, as read: series by series, each in time order, no duplicates.

    Series ``i`` is ``labels[i]`` with the rows ``offsets[i]:offsets[i + 1]`` of ``ts`` (int64,
    milliseconds) and ``values`` (float64, staleness markers included). ``offsets`` is int64 of
    length ``len(labels) + 1``. A series without samples in the range does not occur.
    """

    labels: list[Labels]
    offsets: NDArray[np.int64]
    ts: TimeArray
    values: ValueArray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: stored for good, or refused with the reason for each kind.

    ``refused`` maps a reason that a client can be told to the number of samples. ``exemplars``
    counts those stored, one that is there already included; ``refused_exemplars`` has a word for
    each reason, such as ``out_of_order``.
    """

    stored: int
    refused: Mapping[str, int] = field(default_factory=dict)
    exemplars: int = 0
    refused_exemplars: Mapping[str, int] = field(default_factory=dict)
