"""Imports history of any length in bounded memory: block by block, each stored when it is read."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pynomaly.ingest.history.csv_reader import CsvReader
from pynomaly.ingest.history.openmetrics import OpenMetricsReader
from pynomaly.ingest.history.reader import Block, LineFault, Reader, blocks
from pynomaly.ingest.push import Outcome, PushDeps, Unsupported, store
from pynomaly.model.errors import PynomalyError
from pynomaly.model.samples import SampleBatch
from pynomaly.storage.engine.contract import EngineBusy
from pynomaly.storage.peer.errors import PeerBusy

log = logging.getLogger(__name__)

PROTOCOL = "import"
BLOCK_BYTES = 4 << 20

_PATIENCE_SECONDS = 120.0


def reader_of(content_type: str) -> Reader:
    """The reader of a Content-Type.

    Raises:
        Unsupported: no format has this type.
    """
    match content_type.partition(";")[0].strip().lower():
        case "application/openmetrics-text":
            return OpenMetricsReader()
        case "text/csv" | "application/csv":
            return CsvReader()
    raise Unsupported(
        f"Content-Type {content_type!r} is not a format of history",
        hint="Send application/openmetrics-text or text/csv.",
    )


@dataclass(slots=True)
class Imported:
    """How far an import came. ``lines`` were read and stored; ``failure`` is what stopped it."""

    lines: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    failure: PynomalyError | None = None


async def import_history(
    pieces: AsyncIterator[bytes],
    reader: Reader,
    deps: PushDeps,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Imported:
    """Read to the end or to the first fault. What comes before the faulty line is stored.

    When writing falls behind the import waits, up to two minutes, since its sender cannot easily
    send the same piece again. What is imported twice is stored once, so that the whole can be
    sent again after the fault is mended.
    """
    imported = Imported()
    try:
        async for block in blocks(pieces, block_bytes):
            read = await _in_thread(deps, reader, block)
            await _store(read.batch, deps, imported.outcome)
            if read.fault:
                imported.lines = read.fault.line - 1
                raise read.fault
            imported.lines += block.count(b"\n") + (not block.endswith(b"\n"))
        last = reader.finish()
        await _store(last.batch, deps, imported.outcome)
        if last.fault:
            raise last.fault
    except PynomalyError as error:
        imported.failure = error
        if not isinstance(error, LineFault):
            log.warning("an import stopped", extra={"line": imported.lines, "error": str(error)})
    imported.outcome.count(PROTOCOL)
    return imported


async def _in_thread(deps: PushDeps, reader: Reader, block: bytes) -> Block:
    return await asyncio.get_running_loop().run_in_executor(deps.executor, reader.read, block)


async def _store(batch: SampleBatch, deps: PushDeps, outcome: Outcome) -> None:
    until = deps.clock.now() + _PATIENCE_SECONDS
    while True:
        try:
            return await store(batch, deps, outcome)
        except (EngineBusy, PeerBusy):
            if deps.clock.now() >= until:
                raise
            await deps.clock.sleep_until(deps.clock.now() + 1)
