"""``pynomaly import``: sends a file of history to the server in pieces, and shows progress."""

import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pynomaly.cli.client import Client, Refused
from pynomaly.cli.output import err, out
from pynomaly.model.errors import BadInput

TYPES = {"csv": "text/csv", "openmetrics": "application/openmetrics-text"}

_PIECE = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_ENDINGS = {".csv": "csv", ".om": "openmetrics", ".openmetrics": "openmetrics"}
_TIMEOUT = 600.0  # the answer comes when the last block is stored, which may wait for room


def run(url: str, file: str, *, format_: str = "", as_json: bool = False) -> None:
    """Send a file, or standard input for ``-``; print how many samples are stored.

    ``format_`` is ``csv`` or ``openmetrics``; left out, the file's name or its beginning tells.

    Raises:
        BadInput: no such file, or its format cannot be told.
        Refused: the server's answer says which line stopped it and what is stored.
        ServerUnreachable: nobody listens at the URL.
    """
    began = time.monotonic()
    with _opened(file) as source:
        first = source.read(_PIECE)
        headers = {"Content-Type": TYPES[_known(format_) or _format_of(file, first)]}
        if first.startswith(_GZIP_MAGIC):
            headers["Content-Encoding"] = "gzip"
        with _progress(_size(source), shown=err.is_terminal and not as_json) as advance:
            pieces = _pieces(first, source, advance)
            try:
                answer = Client(url, timeout=_TIMEOUT).post(
                    "/api/v1/import", pieces, headers=headers
                )
            except Refused as error:
                if not as_json:
                    raise
                out.print_json(json.dumps({"status": "error", "error": error.message}))
                raise typer.Exit(1) from error
    if as_json:
        out.print_json(json.dumps(answer))
        return
    samples = "1 sample" if answer["stored"] == 1 else f"{answer['stored']:,} samples"
    seconds = time.monotonic() - began
    out.print(f"Stored {samples} of {answer['lines']:,} lines in {seconds:.1f} s.")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening may fail here
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from error
    with source:
        yield source


def _known(format_: str) -> str:
    if format_ and format_ not in TYPES:
        raise BadInput(f"The format {format_!r} is not known.", hint="Say csv or openmetrics.")
    return format_


def _format_of(file: str, first: bytes) -> str:
    """By the ending of the name (before ``.gz``), or by what the text begins with."""
    if known := _ENDINGS.get(Path(file.removesuffix(".gz")).suffix.lower()):
        return known
    if first.startswith(_GZIP_MAGIC):
        try:
            first = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(first, _PIECE)
        except zlib.error as error:
            raise BadInput(f"{file} is not gzip: {error}.") from error
    line = first.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf")
    columns = [cell.strip(b' \r"') for cell in line.split(b",")]
    if b"timestamp" in columns:
        return "csv"
    if line.startswith(b"# ") or (b" " in line and columns[0][:1].isalpha()):
        return "openmetrics"
    raise BadInput(
        f"{file} does not begin like CSV with a header or like OpenMetrics.",
        hint="Say which it is with --format csv or --format openmetrics.",
    )


def _size(source: BinaryIO) -> int | None:
    """The bytes of a regular file; of a pipe nobody knows."""
    try:
        return os.fstat(source.fileno()).st_size or None
    except OSError:
        return None


@contextmanager
def _progress(total: int | None, *, shown: bool) -> Iterator[Callable[[int], None]]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not shown,
    )
    with bar:
        task = bar.add_task("Importing", total=total)
        yield lambda size: bar.advance(task, size)


def _pieces(first: bytes, source: BinaryIO, advance: Callable[[int], None]) -> Iterator[bytes]:
    piece = first
    while piece:
        yield piece
        advance(len(piece))
        piece = source.read(_PIECE)
