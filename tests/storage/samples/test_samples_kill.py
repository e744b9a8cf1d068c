"""``kill -9`` in the middle of writing loses nothing that was acknowledged."""

import random
import subprocess
import sys
from pathlib import Path

from samples_deleter_process import step
from samples_help import NOW_MS, Rows, read
from samples_writer_process import rows

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import all_match
from pynomaly.storage.engine.embedded import EmbeddedEngine
from pynomaly.storage.samples.store import SampleStore

WRITER = Path(__file__).with_name("samples_writer_process.py")


DELETER = Path(__file__).with_name("samples_deleter_process.py")


def write_and_kill(
    folder: Path, first: int, acknowledgements: int, program: Path = WRITER
) -> list[int]:
    """The numbers acknowledged before the process was killed."""
    child = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(first)], stdout=subprocess.PIPE, text=True
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


class Known:
    """What steps leave, and for the step that was cut short what may be either way."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Labels, int], float] = {}
        self.doubtful: set[tuple[Labels, int]] = set()

    def take(self, number: int, *, acknowledged: bool) -> None:
        what = step(number)
        if isinstance(what, tuple):
            matchers, start, end = what
            touched = {k for k in self.rows if start <= k[1] <= end and all_match(matchers, k[0])}
            if acknowledged:
                self.rows = {k: v for k, v in self.rows.items() if k not in touched}
        else:
            written = {(labels, at): value for labels, at, value in what or []}
            touched = set(written)
            if acknowledged:
                self.rows |= written
        self.doubtful = set() if acknowledged else touched


async def test_what_was_deleted_stays_away_and_what_came_later_stays(tmp_path: Path) -> None:
    chance, known, first = random.Random(5), Known(), 0
    for _ in range(5):
        done = write_and_kill(tmp_path, first, chance.randint(3, 40), DELETER)
        for number in done:
            known.take(number, acknowledged=True)
        known.take(done[-1] + 1, acknowledged=False)
        first = done[-1] + 2
        engine = EmbeddedEngine(tmp_path)
        store = SampleStore(engine, FakeClock(NOW_MS / 1000), data_dir=tmp_path)
        await store.start()
        try:
            assert (await store.verify()).sound
            found = {(labels, at): v for labels, rows in read(store).items() for at, v in rows}
            wrong = {
                key for key in found.keys() | known.rows if found.get(key) != known.rows.get(key)
            }
            assert wrong <= known.doubtful
            known.rows = found
            assert not list(tmp_path.glob("snapshots/*.unfinished"))
        finally:
            await store.close()
            engine.close()
