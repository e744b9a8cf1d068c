"""What a format's reader gives for each block of lines."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from pynomaly.model.errors import BadInput
from pynomaly.model.samples import SampleBatch

_LONGEST_LINE = 1 << 20


class LineFault(BadInput):
    """A line that is wrong; what came before it is stored. ``line`` is 1-based."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Block:
    """The samples of the lines up to ``fault``, or of all where there is none."""

    batch: SampleBatch
    fault: LineFault | None = None


class Reader(Protocol):
    """Reads a format block by block; keeps what it must know from one to the next."""

    def read(self, block: bytes) -> Block:
        """Read whole lines; they follow those of the block before."""
        ...

    def finish(self) -> Block:
        """What is left to store, and what is wrong with a text that ends here."""
        ...


async def blocks(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Put pieces of any length together into blocks of whole lines, each of about ``size`` bytes.

    The last line may lack its newline.

    Raises:
        LineFault: a line is longer than a megabyte.
    """
    held: list[bytes] = []
    count, line = 0, 1
    async for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count < size:
            continue
        text = b"".join(held)
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        if len(rest) > _LONGEST_LINE:
            raise LineFault(line + text.count(b"\n"), f"longer than {_LONGEST_LINE} bytes")
        if end:
            line += text.count(b"\n")
            yield text[:end]
        held, count = [rest], len(rest)
    if count:
        yield b"".join(held)
