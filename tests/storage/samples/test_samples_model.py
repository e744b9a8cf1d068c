"""The store against a dictionary: random batches with duplicates and late samples, restarts,
merges in between."""

import asyncio
import random

import pytest
from samples_help import NOW_MS, Reopen, Rows, put, read, series

from pynomaly.storage.samples.schema import DAY_MS

SERIES = [series(f"m{i % 3}", host=str(i), zone="ü" * (i % 2)) for i in range(12)]


@pytest.mark.parametrize("seed", range(6))
async def test_the_store_is_a_dictionary(reopen: Reopen, seed: int) -> None:
    chance = random.Random(seed)
    store, model = await reopen(), dict[tuple[object, int], float]()
    for number in range(25):
        batches = []
        for _ in range(chance.randint(1, 4)):
            rows = [
                (
                    chance.choice(SERIES),
                    NOW_MS - chance.choice([0, 0, DAY_MS, 9 * DAY_MS]) - chance.randrange(40),
                    float(number * 1000 + chance.randrange(1000)),
                )
                for _ in range(chance.randint(1, 60))
            ]
            batches.append(rows)
            model.update({(labels, at): value for labels, at, value in rows})
        await asyncio.gather(*(put(store, *rows) for rows in batches))
        match chance.randrange(8):
            case 0:
                store = await reopen()
            case 1:
                store.engine.execute("OPTIMIZE TABLE samples")
            case 2:
                store.engine.execute("OPTIMIZE TABLE samples FINAL")
            case 3:
                assert read(store) == by_series(model)
            case 4:
                await store.flush()
    assert read(store) == by_series(model)
    assert read(store, chunk_samples=1) == by_series(model)
    report = await store.verify()
    assert report.sound
    assert report.tables["samples"].distinct == len(model)


def by_series(model: dict[tuple[object, int], float]) -> Rows:
    rows: Rows = {}
    for (labels, at), value in sorted(model.items(), key=lambda item: item[0][1]):
        rows.setdefault(labels, []).append((at, value))  # type: ignore[arg-type] # a Labels
    return rows
