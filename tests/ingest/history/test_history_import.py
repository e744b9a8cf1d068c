"""An import: blocks of whole lines, each stored; what stops it, and how far it came."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynomaly.ingest.history.csv_reader import CsvReader
from pynomaly.ingest.history.importer import Imported, import_history
from pynomaly.ingest.history.openmetrics import OpenMetricsReader
from pynomaly.ingest.history.reader import LineFault, Reader, blocks
from pynomaly.ingest.push import PushDeps, PushLimits
from pynomaly.model.clock import FakeClock
from pynomaly.storage.engine.contract import DiskFull, EngineBusy
from tests.api.push_app import NOW, Recorder

HEADER = b"timestamp,up\n"


async def in_pieces(text: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def table(count: int) -> bytes:
    return HEADER + b"".join(b"%d,%d\n" % (1_751_284_800 + i, i) for i in range(count))


async def run(
    text: bytes, recorder: Recorder, reader: Reader | None = None, clock: FakeClock | None = None
) -> Imported:
    deps = PushDeps(recorder, clock or FakeClock(NOW), PushLimits())
    pieces = in_pieces(text, 100)
    return await import_history(pieces, reader or CsvReader(), deps, block_bytes=500)


@given(st.lists(st.binary(max_size=5)), st.integers(1, 20), st.integers(1, 50))
async def test_blocks_are_whole_lines_and_lose_nothing(
    lines: list[bytes], piece: int, size: int
) -> None:
    text = b"\n".join(lines)
    found = [block async for block in blocks(in_pieces(text, piece), size)]
    assert b"".join(found) == text
    assert all(block.endswith(b"\n") for block in found[:-1])


async def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(LineFault, match="line 2: longer than"):
        async for _ in blocks(in_pieces(b"one\n" + b"x" * 3_000_000, 1 << 20), 1 << 20):
            pass


async def test_all_lines_are_stored_in_several_batches() -> None:
    recorder = Recorder()
    imported = await run(table(1000), recorder)
    assert imported.failure is None
    assert (imported.outcome.stored, imported.lines) == (1000, 1001)
    assert recorder.calls > 5
    assert [value for _, _, value in recorder.rows] == list(range(1000))


async def test_what_comes_before_the_faulty_line_is_stored() -> None:
    recorder = Recorder()
    imported = await run(table(500) + b"oops\n" + table(10), recorder)
    assert imported.failure is not None
    assert imported.failure.message == "line 502: expected 2 cells, found 1"
    assert (imported.lines, imported.outcome.stored, len(recorder.rows)) == (501, 500, 500)


async def test_an_import_waits_while_writing_is_behind() -> None:
    class Impatient(FakeClock):
        async def sleep_until(self, at: float) -> None:
            self._now = at

    clock = Impatient(NOW)
    recorder = Recorder(failures=[EngineBusy("too many parts")] * 3)
    imported = await run(table(10), recorder, clock=clock)
    assert imported.failure is None
    assert imported.outcome.stored == 10
    assert clock.now() == NOW + 3
    recorder = Recorder(failures=[EngineBusy("too many parts")] * 1000)
    imported = await run(table(10), recorder, clock=clock)
    assert isinstance(imported.failure, EngineBusy)
    assert imported.outcome.stored == 0


async def test_a_full_disk_stops_it() -> None:
    recorder = Recorder(failures=[DiskFull("no space left")])
    imported = await run(table(10), recorder)
    assert isinstance(imported.failure, DiskFull)


async def test_samples_older_than_the_retention_are_counted_and_the_rest_goes_on() -> None:
    recorder = Recorder(oldest_ms=1_751_284_800_000 + 400_000)
    imported = await run(table(1000), recorder)
    assert imported.failure is None
    assert imported.outcome.stored == 600
    assert imported.outcome.refused == {"older than the retention": 400}
    assert imported.outcome.message() == (
        "400 samples refused, 600 stored: older than the retention (400)"
    )


async def test_openmetrics_is_imported_alike() -> None:
    lines = b"".join(b'up{i="%d"} 1 1751284800\n' % i for i in range(100))
    recorder = Recorder()
    imported = await run(lines + b"# EOF\n", recorder, OpenMetricsReader())
    assert imported.failure is None
    assert (imported.outcome.stored, imported.lines) == (100, 101)
    cut = await run(lines, Recorder(), OpenMetricsReader())
    assert cut.failure is not None
    assert "# EOF" in cut.failure.message
