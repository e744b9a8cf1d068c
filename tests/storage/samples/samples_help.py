"""Words for tests of samples."""

from collections.abc import Awaitable, Callable

import numpy as np

from pynomaly.model.labels import Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.store import SampleStore

NOW_MS = 1_700_000_000_000
"""When every test takes place, on a clock that stands still: 14 November 2023, 22:13:20 UTC."""

SETTINGS = SampleSettings(retention_days=30)

Reopen = Callable[..., Awaitable[SampleStore]]
Rows = dict[Labels, list[tuple[int, float]]]
EVERYTHING = [Matcher("__name__", MatchOp.REGEX, ".*")]


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def where(*conditions: str) -> list[Matcher]:
    """``where('__name__ = up', 'job =~ a.*')``."""
    matchers = []
    for condition in conditions:
        name, op, value = (*condition.split(" ", 2), "")[:3]
        matchers.append(Matcher(name, MatchOp(op), value))
    return matchers


def read(
    store: SampleStore,
    matchers: list[Matcher] | None = None,
    start: int = 0,
    end: int = 2**53,
    chunk_samples: int = 4_000_000,
) -> Rows:
    """What a selection gives; checks the promises that every selection makes."""
    found: Rows = {}
    chunks = store.select(matchers or EVERYTHING, start, end, chunk_samples=chunk_samples)
    for chunk in chunks:
        assert len(chunk.offsets) == len(chunk.labels) + 1
        assert chunk.offsets[0] == 0
        assert chunk.offsets[-1] == len(chunk.ts) == len(chunk.values)
        assert chunk.offsets.dtype == chunk.ts.dtype == np.int64
        for i, labels in enumerate(chunk.labels):
            assert labels not in found, "a series in two chunks"
            rows = slice(int(chunk.offsets[i]), int(chunk.offsets[i + 1]))
            ts = chunk.ts[rows]
            assert len(ts), "a series without samples"
            assert (np.diff(ts) > 0).all(), "not in time order, or a duplicate"
            found[labels] = list(zip(ts.tolist(), chunk.values[rows].tolist(), strict=True))
    return found


async def put(store: SampleStore, *rows: tuple[Labels, int, float]) -> int:
    """Append rows; returns how many were stored."""
    return (await store.append(SampleBatch.of(rows))).stored
