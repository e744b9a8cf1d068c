"""``kill -9`` in the middle of writing loses nothing that was acknowledged."""

import random
import subprocess
import sys
from pathlib import Path

from samples_help import NOW_MS, Rows, read
from samples_writer_process import rows

from pynomaly.model.clock import FakeClock
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore

WRITER = Path(__file__).with_name("samples_writer_process.py")


def write_and_kill(folder: Path, first: int, acknowledgements: int) -> list[int]:
    """The numbers acknowledged before the process was killed."""
    child = subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(acknowledgements)]
    child.kill()
    lines += child.stdout.readlines()
    child.wait(60)
    return [int(line) for line in lines if line.endswith("\n")]


async def test_every_acknowledged_sample_is_there_once(tmp_path: Path) -> None:
    chance, acknowledged, first = random.Random(7), set[int](), 0
    for _ in range(5):
        acknowledged.update(write_and_kill(tmp_path, first, chance.randint(1, 60)))
        first = max(acknowledged) + 100
        engine = EmbeddedEngine(tmp_path)
        store = SampleStore(engine, FakeClock(NOW_MS / 1000), data_dir=tmp_path)
        await store.start()
        try:
            found = read(store)  # fails on a duplicate
            missing = [
                row for number in acknowledged for row in rows(number) if not _has(found, row)
            ]
            assert missing == []
            assert (await store.verify()).sound
        finally:
            await store.close()
            engine.close()


def _has(found: Rows, row: tuple[object, int, float]) -> bool:
    labels, at, value = row
    return (at, value) in found.get(labels, [])  # type: ignore[call-overload, no-any-return]
