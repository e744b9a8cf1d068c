"""A process that appends and prints each acknowledgement, to be killed.

Arguments: the data folder, the first number. Batch ``n`` has the samples of ``rows(n)``; it
prints ``n`` when they are acknowledged.
"""

import asyncio
import sys
from pathlib import Path

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.storage.samples.store import SampleStore

NOW_MS = 1_700_000_000_000
Row = tuple[Labels, int, float]


def rows(number: int) -> list[Row]:
    """Twenty samples of old and new series, over three days."""
    return [
        (
            Labels({"__name__": f"m{i % 4}", "churn": str(number // 10), "i": str(i)}),
            NOW_MS - (i % 3) * 86_400_000 + number,
            float(number),
        )
        for i in range(20)
    ]


async def _append(store: SampleStore, number: int) -> None:
    await store.append(SampleBatch.of(rows(number)))
    print(number, flush=True)


async def _main(folder: Path, number: int) -> None:
    engine = EmbeddedEngine(folder)
    store = SampleStore(
        engine, FakeClock(NOW_MS / 1000), SampleSettings(flush_samples=1000), folder
    )
    await store.start()
    while True:
        await asyncio.gather(*(_append(store, number + i) for i in range(3)))
        number += 3


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
