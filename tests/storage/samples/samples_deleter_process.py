"""A process that writes, deletes and copies in turn, and prints each acknowledgement, to be killed.

Arguments: the data folder, the number of the first step. Step ``n`` is ``step(n)``; it prints
``n`` when it is acknowledged.
"""

import asyncio
import sys
from pathlib import Path

from samples_writer_process import NOW_MS, Row, rows

from pynomaly.model.clock import FakeClock
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.store import SampleStore

Deletion = tuple[list[Matcher], int, int]


def step(number: int) -> list[Row] | Deletion | None:
    """Rows to write, what to delete, or nothing: then a snapshot is taken."""
    if number % 11 == 7:
        return None
    if number % 5 != 3:
        return rows(number)
    matcher = Matcher("__name__", MatchOp.EQUAL, f"m{number % 4}")
    start = NOW_MS - 86_400_000 if number % 2 else -(2**62)
    return [matcher], start, NOW_MS + number - number % 3


def _nothing(_: Path) -> None:
    """A snapshot of samples alone."""


async def _main(folder: Path, number: int) -> None:
    engine = EmbeddedEngine(folder)
    store = SampleStore(
        engine, FakeClock(NOW_MS / 1000), SampleSettings(flush_samples=1000), folder
    )
    await store.start()
    while True:
        what = step(number)
        if what is None:
            await store.snapshot(_nothing)
        elif isinstance(what, tuple):
            matchers, start, end = what
            await store.delete([matchers], start, end)
        else:
            await store.append(SampleBatch.of(what))
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
