"""Which samples lie in the window of each series at each step, by counting."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, SeriesSamples, TimeArray, ValueArray, is_stale
from pynomaly.promql.state import Grid

Rows = NDArray[np.int64]

_BLOCK_CELLS = 1 << 15
"""Cells computed at a time: their temporaries stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows ``(end - range, end]`` of some series.

    Rows ``left[s, k] <= row < right[s, k]`` of ``ts`` (int64, milliseconds) and ``values`` are
    the samples of series ``s`` in the window that ends at ``ends[k]`` (int64 ``[steps]``);
    its first sample at all is row ``offsets[s]``.
    """

    labels: list[Labels]
    offsets: Rows
    ts: TimeArray
    values: ValueArray
    left: Rows
    right: Rows
    ends: TimeArray
    range_ms: int

    @property
    def counts(self) -> Rows:
        """How many samples each window has, ``[series, steps]``."""
        return self.right - self.left

    def repeated(self, steps: int) -> "Windows":
        """The one window of each series (``@``) at every one of ``steps`` steps."""
        shape = (len(self.labels), steps)
        return Windows(
            self.labels,
            self.offsets,
            self.ts,
            self.values,
            np.broadcast_to(self.left, shape),
            np.broadcast_to(self.right, shape),
            np.broadcast_to(self.ends, (steps,)),
            self.range_ms,
        )


def rows_until(samples: SeriesSamples, ends: Grid) -> Rows:
    """The row after the last sample of series ``s`` with ``ts <= ends[k]``: ``[series, steps]``.

    Each sample is counted at the first step that is not before it; running totals over the
    steps are the rows: O(samples + series x steps).
    """
    series, steps = len(samples), ends.count
    first_step = _first_steps(samples, ends)
    first_step += np.repeat(np.arange(series) * (steps + 1), np.diff(samples.offsets))
    counted = np.bincount(first_step, minlength=series * (steps + 1))
    rows = counted.reshape(series, steps + 1)[:, :steps].cumsum(axis=1)
    rows += samples.offsets[:-1, None]
    return rows


def _first_steps(samples: SeriesSamples, ends: Grid) -> Rows:
    steps: Rows = (samples.ts - (ends.start - ends.step + 1)) // ends.step
    return np.clip(steps, 0, ends.count, out=steps)


def windows(samples: SeriesSamples, ends: Grid, range_ms: int) -> Windows:
    """The windows of ``range_ms`` that end at each step of ``ends``."""
    return Windows(
        samples.labels,
        samples.offsets,
        samples.ts,
        samples.values,
        rows_until(samples, ends.shifted(-range_ms)),
        rows_until(samples, ends),
        ends.times,
        range_ms,
    )


def without_stale(samples: SeriesSamples) -> SeriesSamples:
    """The samples that are not staleness markers; series that had nothing else are left out."""
    stale = is_stale(samples.values)
    if not stale.any():
        return samples
    keep = ~stale
    kept_before = np.concatenate(([0], np.cumsum(keep)))
    offsets = kept_before[samples.offsets]
    return _without_empty(
        SeriesSamples(samples.labels, offsets, samples.ts[keep], samples.values[keep])
    )


def _without_empty(samples: SeriesSamples) -> SeriesSamples:
    lengths = np.diff(samples.offsets)
    if (lengths > 0).all():
        return samples
    labels = [samples.labels[i] for i in np.flatnonzero(lengths)]
    offsets = np.concatenate(([0], np.cumsum(lengths[lengths > 0])))
    return SeriesSamples(labels, offsets, samples.ts, samples.values)


def blocks(samples: SeriesSamples, steps: int) -> Iterator[SeriesSamples]:
    """The same series in pieces small enough to be computed quickly."""
    per_block = max(_BLOCK_CELLS // max(steps, 1), 1)
    for first in range(0, len(samples), per_block):
        offsets = samples.offsets[first : first + per_block + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        yield SeriesSamples(
            samples.labels[first : first + per_block],
            offsets - offsets[0],
            samples.ts[rows],
            samples.values[rows],
        )


def flattened(
    labels: list[Labels], times: TimeArray, values: ValueArray, present: BoolArray
) -> SeriesSamples:
    """A matrix as samples, as a subquery's function reads them."""
    offsets = np.concatenate(([0], np.cumsum(present.sum(axis=1))))
    ts = np.broadcast_to(times, present.shape)[present]
    return _without_empty(SeriesSamples(labels, offsets, ts, values[present]))
