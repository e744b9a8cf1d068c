"""Words for tests of exemplars."""

from collections.abc import Awaitable, Callable

import numpy as np

from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import Labels, series_id
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.storage.samples.store import SampleStore

NOW_MS = 1_700_000_000_000
EVERYTHING = [Matcher("__name__", MatchOp.REGEX, ".+")]

Reopen = Callable[..., Awaitable[SampleStore]]


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def at(ts: int, value: float = 1.0, trace: str = "", *, timed: bool = True) -> Exemplar:
    """An exemplar ``ts`` milliseconds after the tests' time."""
    return Exemplar(Labels({"trace_id": trace}), value, NOW_MS + ts, timed)


def batch(*exemplars: tuple[Labels, Exemplar]) -> SampleBatch:
    """Exemplars alone."""
    return SampleBatch(
        ids=np.empty(0, np.uint64),
        ts=np.empty(0, np.int64),
        values=np.empty(0, np.float64),
        labels={series_id(labels): labels for labels, _ in exemplars},
        exemplars=[(series_id(labels), exemplar) for labels, exemplar in exemplars],
    )


async def put(store: SampleStore, *exemplars: tuple[Labels, Exemplar]) -> Appended:
    """Append exemplars."""
    return await store.append(batch(*exemplars))


def read(
    store: SampleStore, *selections: list[Matcher], start: int = 0, end: int = 2**53
) -> list[tuple[str, list[tuple[int, float, str]]]]:
    """What is there of each series: milliseconds after the tests' time, value, trace."""
    found = store.exemplars.exemplars(selections or [EVERYTHING], start, end)
    return [
        (
            str(each.labels),
            [(e.ts - NOW_MS, e.value, e.labels.get("trace_id", "")) for e in each.exemplars],
        )
        for each in found
    ]
